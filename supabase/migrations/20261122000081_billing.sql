-- Who pays for messages, and with what: a tenant pays nothing unless it is set to prepaid, with the cash
-- account that pays. The money for a message is set aside in the transaction that accepts it.
-- Locks tenants for a moment, to add columns. Undo: drop the columns and functions.

alter table switchyard.tenants
  add column if not exists billing text not null default 'none',
  add column if not exists billing_account_id uuid references switchyard.wallet_accounts (id),
  drop constraint if exists billing_is_known,
  add constraint billing_is_known check (billing in ('none', 'prepaid')),
  drop constraint if exists prepaid_names_the_account_that_pays,
  add constraint prepaid_names_the_account_that_pays
    check ((billing = 'prepaid') = (billing_account_id is not null));
create index if not exists tenants_billing_account_id on switchyard.tenants (billing_account_id)
  where billing_account_id is not null;

-- Sets whether a tenant pays for its messages, from the next one on. A tenant that pays needs an
-- account of its own and prices in the currency of that account.
create or replace function switchyard_api.set_billing(
  tenant_id uuid, billing jsonb, actor jsonb, at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_kind text := billing ->> 'billing';
  v_account switchyard.wallet_accounts;
begin
  if not exists (select from switchyard.tenants t where t.id = set_billing.tenant_id) then
    return jsonb_build_object('outcome', 'tenant_not_found');
  end if;

  if v_kind = 'prepaid' then
    select a.* into v_account from switchyard.wallet_accounts a
    where a.id = (billing ->> 'account_id')::uuid and a.tenant_id = set_billing.tenant_id
      and a.kind = 'cash';
    if v_account.id is null then
      return jsonb_build_object('outcome', 'unknown_account');
    elsif not exists (
      select from switchyard.rates r
      where r.currency = v_account.currency and r.valid @> set_billing.at)
    then
      return jsonb_build_object('outcome', 'no_rates', 'currency', v_account.currency);
    end if;
    -- Made now, so that no charge has to.
    perform switchyard.house_account('revenue', v_account.currency);
    perform switchyard.open_receivable(set_billing.tenant_id, v_account.currency);
  end if;

  update switchyard.tenants t
  set billing = v_kind, billing_account_id = v_account.id
  where t.id = set_billing.tenant_id;
  perform switchyard.write_audit(set_billing.tenant_id, set_billing.actor, 'billing.set',
    set_billing.tenant_id::text, jsonb_strip_nulls(
      jsonb_build_object('billing', v_kind, 'account_id', v_account.id)));
  return jsonb_strip_nulls(jsonb_build_object('outcome', 'set', 'billing', v_kind,
    'account_id', v_account.id, 'currency', v_account.currency));
end;
$$;

-- The categories in which Meta may charge a message: that of its template where Meta has told it, any
-- where it has not; everything else is a reply in the customer window. A read receipt is no message.
create or replace function switchyard.plausible_categories(type text, template_category text)
returns text[]
language sql
immutable
set search_path = ''
as $$
  select case type
    when 'read' then '{}'::text[]
    when 'template' then case when template_category is not null
      then array[lower(template_category)] else '{marketing,utility,authentication}' end
    else '{service}'
  end;
$$;

-- The dearest price that a message to a market may be charged; no row for what is never charged. A null
-- price: no card has one.
create or replace function switchyard.dearest_rate(
  currency text, market text, type text, template_category text, at timestamptz
)
returns table (category text, price_micros bigint)
language sql
stable
set search_path = ''
as $$
  select plausible.category, rate.price_micros
  from unnest(switchyard.plausible_categories(
    dearest_rate.type, dearest_rate.template_category))
    with ordinality as plausible (category, nth)
  left join lateral switchyard.rate_at(
    dearest_rate.currency, dearest_rate.market, plausible.category, dearest_rate.at) rate on true
  order by rate.price_micros desc nulls last, plausible.nth
  limit 1;
$$;

-- Keeps refusals beside the keys that were taken for them: a late retry is refused as well.
create or replace function switchyard.keep_refusals(tenant_id uuid, refusals jsonb)
returns void
language sql
set search_path = ''
as $$
  update switchyard.idempotency_keys k
  set response = r.refusal
  from jsonb_to_recordset(refusals) as r (idempotency_key text, refusal jsonb)
  where k.tenant_id = keep_refusals.tenant_id
    and k.scope = 'messages'
    and k.key = r.idempotency_key;
$$;

-- Sets the money for messages aside that are about to be written, in their order, and says of each what
-- is paid for it: the items that are covered, each with its charge, and by their index the refusals of
-- the others. A tenant that pays nothing gets its items back as they are. Lanes are locked before
-- accounts, as everywhere: see follow_charges(). Status webhooks may come for 30 days after a message
-- has expired, and a week more if ours was away: so long the hold stands.
create or replace function switchyard.hold_for_messages(tenant_id uuid, items jsonb, at timestamptz)
returns table (covered jsonb, refusals jsonb)
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_account switchyard.wallet_accounts;
  v_priced jsonb;
  v_answers jsonb;
begin
  select a.* into v_account
  from switchyard.tenants t
  join switchyard.wallet_accounts a on a.id = t.billing_account_id
  where t.id = hold_for_messages.tenant_id and t.billing = 'prepaid';
  if v_account.id is null then
    return query select items, '{}'::jsonb;
    return;
  end if;

  perform from switchyard.sender_lanes l
  where (l.sender_id, l.share) in (
    select i.sender_id, case when i.lane = 'urgent' then 'urgent' else 'other' end
    from jsonb_to_recordset(items) as i (sender_id uuid, lane text))
  order by l.sender_id, l.share
  for update;

  -- Recipients are many, the markets of a batch and its types are few.
  with item as materialized (
    select i.item, switchyard.market_of(i.item ->> 'to') as market, i.item ->> 'type' as type,
      t.category as template_category
    from jsonb_array_elements(items) as i (item)
    left join switchyard.senders s on i.item ->> 'type' = 'template'
      and s.id = (i.item ->> 'sender_id')::uuid
    left join switchyard.templates t on t.business_account_id = s.business_account_id
      and t.name = i.item #>> '{content,name}' and t.language = i.item #>> '{content,language,code}'
  ),
  rate as materialized (
    select kind.market, kind.type, kind.template_category, dearest.category, dearest.price_micros
    from (select distinct item.market, item.type, item.template_category from item) kind
    cross join lateral switchyard.dearest_rate(v_account.currency, kind.market, kind.type,
      kind.template_category, hold_for_messages.at) dearest
  )
  select jsonb_agg(item.item || jsonb_build_object('charge', case when rate.category is not null
    then jsonb_build_object('account_id', v_account.id, 'currency', v_account.currency,
      'market', rate.market, 'category', rate.category, 'rate_micros', rate.price_micros)
    end) order by (item.item ->> 'index')::integer)
  into v_priced
  from item
  left join rate on rate.type = item.type and rate.market is not distinct from item.market
    and rate.template_category is not distinct from item.template_category;

  select coalesce(jsonb_object_agg(p.index, p.answer), '{}') into v_answers
  from switchyard.place_holds(hold_for_messages.tenant_id, (
    select coalesce(jsonb_agg(jsonb_build_object(
      'index', i.index, 'account_id', v_account.id, 'currency', v_account.currency,
      'amount_micros', i.charge -> 'rate_micros', 'message_id', i.id,
      'expires_at', coalesce(i.expires_at,
        greatest(i.send_at, hold_for_messages.at) + interval '24 hours') + interval '37 days',
      'detail', i.charge - '{account_id,currency}'::text[])), '[]')
    from jsonb_to_recordset(v_priced) as i (
      index integer, id uuid, send_at timestamptz, expires_at timestamptz, charge jsonb)
    where (i.charge ->> 'rate_micros')::bigint > 0), '{"kind":"message"}', hold_for_messages.at) p;

  with judged as (
    select i.item, (i.item ->> 'index') as index,
      case
        when i.item -> 'charge' -> 'rate_micros' = 'null' then jsonb_build_object(
          'outcome', 'no_rate', 'currency', v_account.currency)
        when v_answers -> (i.item ->> 'index') ->> 'outcome' <> 'completed'
          then v_answers -> (i.item ->> 'index')
      end as refusal
    from jsonb_array_elements(v_priced) as i (item)
  )
  select jsonb_agg(j.item order by j.index::integer) filter (where j.refusal is null),
    coalesce(jsonb_object_agg(j.index, j.refusal) filter (where j.refusal is not null), '{}'),
    jsonb_agg(jsonb_build_object(
      'idempotency_key', j.item -> 'idempotency_key', 'refusal', j.refusal))
      filter (where j.refusal is not null and j.item ->> 'idempotency_key' is not null)
  into covered, refusals, v_answers
  from judged j;
  perform switchyard.keep_refusals(hold_for_messages.tenant_id, v_answers) where v_answers is not null;
  return next;
end;
$$;

-- Says what all messages of a refused batch are told: the first refusal for money, with what all of
-- them together would have needed. Null when another fault refused it.
create or replace function switchyard.sum_up_refusals(answers jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  with answer as (
    select a.* from jsonb_to_recordset(answers) as a (index integer, outcome text, detail jsonb)
  ),
  first as (
    select * from answer
    where outcome in ('insufficient_funds', 'debt_outstanding', 'spending_limit_reached')
    order by index
    limit 1
  ),
  together as (
    select
      sum((coalesce(a.detail #> '{hold,amount_micros}', a.detail -> 'needed_micros')
        ->> 0)::bigint) as needed,
      coalesce(sum((a.detail #>> '{hold,amount_micros}')::bigint)
        filter (where a.outcome = 'accepted' and a.index < first.index), 0) as taken_before
    from answer a
    cross join first
    where a.outcome in ('accepted', 'insufficient_funds', 'spending_limit_reached')
  )
  select jsonb_build_object('outcome', first.outcome) || case
    when first.outcome = 'debt_outstanding' or first.detail ? 'of_batch' then first.detail
    else first.detail || jsonb_strip_nulls(jsonb_build_object('of_batch', true,
      'needed_micros', together.needed::text,
      'available_micros',
        ((first.detail ->> 'available_micros')::bigint + together.taken_before)::text,
      'spent_micros', ((first.detail ->> 'spent_micros')::bigint - together.taken_before)::text))
  end
  from first
  cross join together
  where not exists (
    select from answer
    where outcome not in ('accepted', 'replayed', 'insufficient_funds', 'debt_outstanding',
      'spending_limit_reached'));
$$;

-- Accepts all messages of a batch or none. What is refused for money is refused for all of them, under
-- their keys; for another fault the others are told batch_refused and keep no key.
create or replace function switchyard_api.enqueue_all_or_nothing(
  tenant_id uuid, messages jsonb, at timestamptz default clock_timestamp()
)
returns table (index integer, outcome text, id uuid, planned_send_at timestamptz, detail jsonb)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_answers jsonb;
  v_refusal jsonb;
begin
  begin
    select jsonb_agg(to_jsonb(a)) into v_answers
    from switchyard.accept_messages(
      enqueue_all_or_nothing.tenant_id, messages, enqueue_all_or_nothing.at) a;
    if exists (
      select from jsonb_to_recordset(v_answers) as a (outcome text)
      where a.outcome not in ('accepted', 'replayed'))
    then
      raise exception 'Cannot accept the batch' using errcode = 'SYBAT';
    end if;
  exception
    -- What was done is undone; what was answered is still known.
    when sqlstate 'SYBAT' then
      v_refusal := switchyard.sum_up_refusals(v_answers);
      v_answers := (
        select jsonb_agg(case
          when v_refusal is not null then jsonb_build_object('index', a.answer -> 'index',
            'outcome', v_refusal ->> 'outcome', 'detail', v_refusal - 'outcome')
          when a.answer ->> 'outcome' in ('accepted', 'replayed') then jsonb_build_object(
            'index', a.answer -> 'index', 'outcome', 'batch_refused')
          else a.answer
        end order by (a.answer ->> 'index')::integer)
        from jsonb_array_elements(v_answers) as a (answer));
  end;

  if v_refusal is not null then
    insert into switchyard.idempotency_keys (
      tenant_id, scope, key, fingerprint, field_digests, response, created_at
    )
    select enqueue_all_or_nothing.tenant_id, 'messages', i.idempotency_key, i.fingerprint,
      coalesce(i.field_digests, '{}'), v_refusal, enqueue_all_or_nothing.at
    from jsonb_to_recordset(messages) as i (
      idempotency_key text, fingerprint text, field_digests jsonb)
    where i.idempotency_key is not null
    order by i.idempotency_key
    on conflict do nothing;
  elsif exists (
    select from jsonb_to_recordset(v_answers) as a (outcome text) where a.outcome = 'accepted')
  then
    perform switchyard.ring_doorbell('wa-sender');
  end if;
  return query
  select a.* from jsonb_to_recordset(v_answers) as a (
    index integer, outcome text, id uuid, planned_send_at timestamptz, detail jsonb)
  order by a.index;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
