-- Placing holds, one or many at once. Locks are taken in one order everywhere: keys, then holds by id,
-- then accounts by id. Locks nothing. Undo: drop the functions and the type.

-- A hold that somebody wants, as a batch of them is read: once, since reading costs more than placing.
do $$
begin
  if to_regtype('switchyard.wanted_hold') is null then
    create type switchyard.wanted_hold as (
      index integer,
      id uuid,
      account_id uuid,
      amount_micros bigint,
      currency text,
      expires_at timestamptz,
      message_id uuid,
      detail jsonb
    );
  end if;
end;
$$;

-- Tells, for each of these amounts in turn, what those before it have taken of what is available. Each
-- takes its amount if that is covered: many at once are decided as they would be one after the other,
-- and one that is too large takes nothing from those behind it.
create or replace function switchyard.spend_in_turn(amounts_micros bigint[], available_micros bigint)
returns bigint[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_spent bigint := 0;
  v_amount bigint;
  v_spent_before bigint[] := '{}';
begin
  foreach v_amount in array amounts_micros loop
    v_spent_before := v_spent_before || v_spent;
    if v_spent + v_amount <= available_micros then
      v_spent := v_spent + v_amount;
    end if;
  end loop;
  return v_spent_before;
end;
$$;

-- Says why no hold may be placed in this currency by a tenant that owes money; null when it owes none.
create or replace function switchyard.refuse_debtor(tenant_id uuid, currency text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object('outcome', 'debt_outstanding', 'currency', a.currency,
      'owed_micros', (-a.posted_micros)::text)
    from switchyard.wallet_accounts a
    where a.tenant_id = refuse_debtor.tenant_id
      and a.kind = 'receivable'
      and a.currency = refuse_debtor.currency
      and a.posted_micros < 0);
end;
$$;

-- Sets money aside for many things in one statement and answers each by its index, as if they had come
-- one after the other in that order. For callers with keys of their own in the same transaction. A hold
-- without an id gets one.
create or replace function switchyard.place_wanted_holds(
  tenant_id uuid, wanted switchyard.wanted_hold[], actor jsonb, at timestamptz
)
returns table (index integer, answer jsonb)
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_ids uuid[] := array(select switchyard.new_ids(cardinality(wanted)));
begin
  perform switchyard.read_amount_micros(jsonb_build_object('amount_micros', w.amount_micros))
  from unnest(wanted) w
  where (w.amount_micros between 1 and 1000000000000000000) is not true;

  perform switchyard.lock_wallet_accounts(array(
    select distinct a.id
    from unnest(wanted) w
    join switchyard.wallet_accounts a
      on a.id = w.account_id and a.tenant_id = place_wanted_holds.tenant_id));

  return query
  with asked as materialized (
    select w.index, coalesce(w.id, w.drawn_id) as id, w.account_id, w.amount_micros, w.currency,
           w.expires_at, w.message_id, w.detail
    from unnest(wanted, v_ids) as w (
      index, id, account_id, amount_micros, currency, expires_at, message_id, detail, drawn_id)
  ),
  term as materialized (
    select pair.account_id, pair.currency, a as account,
      switchyard.available_micros(a) as available_micros,
      least(switchyard.available_micros(a),
        a.day_limit_micros - switchyard.spent_today(a, place_wanted_holds.at)) as spendable_micros,
      coalesce(
        switchyard.refuse_account(a, place_wanted_holds.tenant_id, pair.currency, 'account_id'),
        switchyard.refuse_debtor(place_wanted_holds.tenant_id, pair.currency)) as refusal
    from (select distinct asked.account_id, asked.currency from asked) pair
    left join switchyard.wallet_accounts a on a.id = pair.account_id
  ),
  judged as materialized (
    select asked.*, term.account, term.available_micros, term.spendable_micros,
      case
        when term.refusal is not null then term.refusal
        when asked.expires_at <= place_wanted_holds.at
          then jsonb_build_object('outcome', 'already_expired', 'field', 'expires_at')
      end as refusal
    from asked
    join term on term.account_id = asked.account_id and term.currency = asked.currency
  ),
  turn as (
    select unnest(queue.indexes) as index,
      unnest(switchyard.spend_in_turn(queue.amounts, queue.spendable_micros)) as spent_before
    from (
      select array_agg(j.index order by j.index) as indexes,
        array_agg(case when j.refusal is null then j.amount_micros else 0 end order by j.index)
          as amounts,
        coalesce(max(j.spendable_micros), 0) as spendable_micros
      from judged j
      group by j.account_id
    ) queue
  ),
  decided as materialized (
    select j.*, turn.spent_before, j.available_micros - turn.spent_before as left_micros,
      j.refusal is null and turn.spent_before + j.amount_micros <= j.spendable_micros as is_covered
    from judged j
    join turn on turn.index = j.index
  ),
  placed as (
    insert into switchyard.wallet_holds
      (id, account_id, message_id, amount_micros, detail, actor, expires_at, created_at)
    select d.id, d.account_id, d.message_id, d.amount_micros, coalesce(d.detail, '{}'),
           place_wanted_holds.actor, d.expires_at, place_wanted_holds.at
    from decided d
    where d.is_covered
    returning account_id, amount_micros
  ),
  set_aside as (
    update switchyard.wallet_accounts a
    set held_micros = a.held_micros + p.total,
        spent_on = case when a.day_limit_micros is null then a.spent_on
          else greatest(a.spent_on, (place_wanted_holds.at at time zone 'UTC')::date) end,
        spent_micros = case when a.day_limit_micros is null then a.spent_micros
          else switchyard.spent_today(a, place_wanted_holds.at) + p.total end
    from (
      select account_id, sum(amount_micros)::bigint as total from placed group by account_id
    ) p
    where a.id = p.account_id
  )
  select d.index,
    case
      when d.is_covered then jsonb_build_object('outcome', 'completed', 'id', d.id,
        'account_id', d.account_id, 'amount_micros', d.amount_micros::text,
        'currency', d.currency, 'expires_at', d.expires_at)
      when d.refusal is not null then d.refusal
      when d.amount_micros > d.left_micros then jsonb_build_object(
        'outcome', 'insufficient_funds', 'currency', d.currency,
        'needed_micros', d.amount_micros::text, 'available_micros', d.left_micros::text)
      else switchyard.tell_day_limit(d.account, d.amount_micros,
        switchyard.spent_today(d.account, place_wanted_holds.at) + d.spent_before,
        place_wanted_holds.at)
    end
  from decided d
  order by d.index;
end;
$$;

-- The same for holds that come as JSON: array of {index, account_id, amount_micros, currency,
-- expires_at?, message_id?, detail?}.
create or replace function switchyard.place_holds(
  tenant_id uuid, holds jsonb, actor jsonb, at timestamptz
)
returns table (index integer, answer jsonb)
language sql
set search_path = ''
as $$
  select p.index, p.answer
  from switchyard.place_wanted_holds(
    place_holds.tenant_id,
    array(select w from jsonb_populate_recordset(null::switchyard.wanted_hold, place_holds.holds) w),
    place_holds.actor, place_holds.at) p;
$$;

-- Sets money aside on an account for the tenant itself.
create or replace function switchyard.place_own_hold(
  tenant_id uuid, hold jsonb, actor jsonb, at timestamptz
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_answer jsonb;
begin
  select p.answer into strict v_answer
  from switchyard.place_holds(tenant_id,
    jsonb_build_array((hold - '{id,message_id}'::text[]) || '{"index":0}'), actor, at) p;
  return v_answer;
end;
$$;

-- Sets money aside on an account of the tenant, once for each key.
create or replace function switchyard_api.place_wallet_hold(
  tenant_id uuid, hold jsonb, idempotency jsonb, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  return switchyard.answer_once(tenant_id, 'wallet.hold', hold, idempotency, actor, at);
end;
$$;

-- Sets money aside for many requests of a tenant in three statements, however many they are, each under
-- its own key and with its own answer, as if they had come one after the other. Keys are taken in one
-- order. A key names the hold that it will place, so that the answer of a hold that was placed is told
-- from the hold, and only refusals are written down. Where a key stays in flight too long it raises,
-- and nothing was done: ask again one by one.
-- holds: array of {index, key, fingerprint, field_digests, account_id, amount_micros, currency,
-- expires_at?}, at most 1,000.
create or replace function switchyard_api.place_wallet_holds(
  tenant_id uuid, holds jsonb, actor jsonb, at timestamptz default clock_timestamp()
)
returns table (index integer, answer jsonb)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
  v_count integer := jsonb_array_length(holds);
  v_ids uuid[] := array(select switchyard.new_ids(v_count));
  v_taken switchyard.wanted_hold[];
  -- Where the keys stand that were taken: nobody else can move them before this transaction ends. By
  -- their names Postgres, which knows nothing of a tenant's first keys, would look through all of them.
  v_places tid[];
begin
  if v_count > 1000 then
    raise exception 'Cannot place % holds: at most 1000 at once', v_count
      using errcode = 'program_limit_exceeded';
  end if;

  with first as materialized (
    select distinct on (h.key) h.*, v_ids[h.place] as id
    from rows from (jsonb_to_recordset(holds) as (
      index integer, key text, fingerprint text, field_digests jsonb, account_id uuid,
      amount_micros bigint, currency text, expires_at timestamptz)) with ordinality as h (
      index, key, fingerprint, field_digests, account_id, amount_micros, currency, expires_at, place)
    order by h.key, h.index
  ),
  taken as (
    insert into switchyard.idempotency_keys
      (tenant_id, scope, key, fingerprint, field_digests, resource_id)
    select t.id, 'wallet.hold', f.key, f.fingerprint, f.field_digests, f.id
    from first f
    join switchyard.tenants t on t.id = place_wallet_holds.tenant_id
    order by f.key
    on conflict do nothing
    returning resource_id as id, ctid as place
  )
  select coalesce(array_agg(row(f.index, f.id, f.account_id, f.amount_micros, f.currency,
      f.expires_at, null, null)::switchyard.wanted_hold), '{}'),
    array_agg(taken.place)
  into v_taken, v_places
  from taken
  join first f on f.id = taken.id;

  perform nextval('switchyard.idempotency_misses') from unnest(v_taken);

  return query
  with placed as materialized (
    select p.index, p.answer
    from switchyard.place_wanted_holds(
      place_wallet_holds.tenant_id, v_taken, actor, place_wallet_holds.at) p
  ),
  refused as (
    update switchyard.idempotency_keys k
    set response = p.answer,
        resource_id = null
    from placed p
    join unnest(v_taken, v_places) as t (
      index, id, account_id, amount_micros, currency, expires_at, message_id, detail, place)
      on t.index = p.index
    where p.answer ->> 'outcome' <> 'completed' and k.ctid = t.place
  )
  select placed.index, placed.answer from placed;

  if cardinality(v_taken) < v_count then
    return query
    select h.index, switchyard.answer_kept_key(
      place_wallet_holds.tenant_id, 'wallet.hold', to_jsonb(h))
    from jsonb_to_recordset(holds) as h (
      index integer, key text, fingerprint text, field_digests jsonb)
    where h.index <> all (select t.index from unnest(v_taken) t);
  end if;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
