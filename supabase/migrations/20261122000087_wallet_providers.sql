-- What payment providers tell: payments that arrived and payments that were taken back, each applied
-- once, in whatever order the notices come. Locks nothing on a first install. Undo: drop the objects
-- below.

-- One row a notice: what it said, without anything about a person, and what came of it. A reversal of a
-- payment that is not credited yet waits for it.
create table if not exists switchyard.wallet_provider_events (
  provider text not null,
  event_id text not null,
  action text not null,
  payment_id text not null,
  reference text,
  account_id uuid,
  amount_micros bigint not null,
  currency text not null,
  occurred_at timestamptz not null,
  received_at timestamptz not null,
  outcome text not null,
  detail jsonb not null default '{}',
  -- When an operator has looked at what could not be applied, and dealt with it.
  settled_at timestamptz,
  primary key (provider, event_id),
  constraint action_is_known check (action in ('credit', 'refund', 'dispute', 'reinstate')),
  constraint amount_is_positive check (amount_micros > 0),
  constraint a_dispute_has_a_reference
    check (reference is not null or action not in ('dispute', 'reinstate'))
);
create index if not exists wallet_provider_events_waiting
  on switchyard.wallet_provider_events (provider, payment_id) where outcome = 'waiting';
create index if not exists wallet_provider_events_unsettled
  on switchyard.wallet_provider_events (received_at)
  where settled_at is null and outcome not in ('completed', 'replayed');

-- A disputed amount is taken back once, and given back once.
create unique index if not exists dispute_is_taken_once
  on switchyard.wallet_transfers (tenant_id, reference) where kind = 'dispute';
-- Charges are corrected too, as often as Meta changes its mind; only this correction names a payment.
create unique index if not exists dispute_is_given_back_once
  on switchyard.wallet_transfers (corrects_transfer_id)
  where kind = 'correction' and payment_id is not null;
create index if not exists wallet_transfers_payment_id
  on switchyard.wallet_transfers (payment_id) where payment_id is not null;

alter table switchyard.wallet_provider_events enable row level security;

-- The top-up that a provider's payment made; none when it was not credited. What a tenant has credited
-- to itself under the same name is not the provider's payment.
create or replace function switchyard.find_top_up(payment_id text, currency text)
returns switchyard.wallet_transfers
language sql
stable
set search_path = ''
as $$
  select t.*
  from switchyard.wallet_transfers t
  join switchyard.wallet_entries e on e.transfer_id = t.id and e.amount_micros > 0
  join switchyard.wallet_accounts a on a.id = e.account_id and a.currency = find_top_up.currency
  where t.kind = 'top_up'
    and t.payment_id = find_top_up.payment_id
    and t.actor ->> 'kind' in ('provider', 'secret')
  order by t.actor ->> 'kind' = 'provider' desc, t.created_at
  limit 1;
$$;

-- Takes a part of a payment back from the account that it went to. Money that is held or spent cannot
-- be taken back: what is missing is owed, and stops new holds until it is paid. The accounts are locked
-- already. Returns the transfer.
create or replace function switchyard.take_back(
  top_up switchyard.wallet_transfers, kind text, reference text, account switchyard.wallet_accounts,
  amount_micros bigint, actor jsonb, event_at timestamptz
)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_owed bigint := amount_micros
    - least(amount_micros, greatest(switchyard.available_micros(account), 0));
  v_id uuid;
begin
  insert into switchyard.wallet_transfers
    (tenant_id, kind, payment_id, reference, corrects_transfer_id, actor, event_at)
  values (top_up.tenant_id, take_back.kind, top_up.payment_id, take_back.reference, top_up.id,
          take_back.actor, take_back.event_at)
  returning id into v_id;
  perform switchyard.post_entries(v_id, array_agg(leg.account_id), array_agg(leg.amount_micros))
  from (values
    (account.id, v_owed - amount_micros),
    (switchyard.receivable_account(account.tenant_id, account.currency), -v_owed),
    (switchyard.house_account('clearing', account.currency), amount_micros)
  ) as leg (account_id, amount_micros)
  where leg.amount_micros <> 0;
  return v_id;
end;
$$;

-- Gives back what a dispute had taken; what the tenant owes is paid from it first.
create or replace function switchyard.give_back(
  dispute switchyard.wallet_transfers, account switchyard.wallet_accounts, amount_micros bigint,
  actor jsonb, event_at timestamptz
)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_id uuid;
begin
  insert into switchyard.wallet_transfers
    (tenant_id, kind, payment_id, reference, corrects_transfer_id, actor, event_at)
  values (dispute.tenant_id, 'correction', dispute.payment_id, dispute.reference, dispute.id,
          give_back.actor, give_back.event_at)
  returning id into v_id;
  perform switchyard.post_entries(v_id,
    array[account.id, switchyard.house_account('clearing', account.currency)],
    array[amount_micros, -amount_micros]);
  perform switchyard.repay_debt(account.id, give_back.actor);
  return v_id;
end;
$$;

-- Applies the notice that a payment was taken back or given back. A refund tells how much was refunded
-- of the payment in all: what is taken is what that adds to what was taken before, so that notices may
-- come twice and in any order.
create or replace function switchyard.reverse_payment(
  event switchyard.wallet_provider_events, actor jsonb
)
returns jsonb
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_top_up switchyard.wallet_transfers := switchyard.find_top_up(event.payment_id, event.currency);
  v_dispute switchyard.wallet_transfers;
  v_account switchyard.wallet_accounts;
  v_credited bigint;
  v_taken bigint;
  v_amount bigint := event.amount_micros;
  v_id uuid;
begin
  if v_top_up.id is null then
    return '{"outcome":"waiting"}';
  end if;
  select a.* into strict v_account
  from switchyard.wallet_entries e
  join switchyard.wallet_accounts a on a.id = e.account_id and a.tenant_id = v_top_up.tenant_id
  where e.transfer_id = v_top_up.id;
  perform switchyard.lock_wallet_accounts(array[v_account.id,
    switchyard.house_account('clearing', v_account.currency),
    switchyard.open_receivable(v_account.tenant_id, v_account.currency)]);
  select * into strict v_account from switchyard.wallet_accounts where id = v_account.id;

  select * into v_dispute from switchyard.wallet_transfers t
  where t.kind = 'dispute' and t.tenant_id = v_top_up.tenant_id and t.reference = event.reference;
  if event.action = 'reinstate' then
    if v_dispute.id is null then
      return '{"outcome":"waiting"}';
    elsif exists (
      select from switchyard.wallet_transfers t
      where t.kind = 'correction' and t.corrects_transfer_id = v_dispute.id)
    then
      return '{"outcome":"replayed"}';
    end if;
    select e.amount_micros into strict v_amount from switchyard.wallet_entries e
    where e.transfer_id = v_dispute.id
      and e.account_id = switchyard.house_account('clearing', v_account.currency);
    v_id := switchyard.give_back(v_dispute, v_account, v_amount, actor, event.occurred_at);
    return jsonb_build_object('outcome', 'completed', 'id', v_id);
  elsif event.action = 'dispute' and v_dispute.id is not null then
    return '{"outcome":"replayed"}';
  end if;

  -- Of the clearing account's entries: below zero what came in, above what was taken back.
  select coalesce(-sum(e.amount_micros) filter (where t.kind = 'top_up'), 0),
    coalesce(sum(e.amount_micros) filter (where t.kind = 'refund'), 0)
  into v_credited, v_taken
  from switchyard.wallet_transfers t
  join switchyard.wallet_entries e on e.transfer_id = t.id
    and e.account_id = switchyard.house_account('clearing', v_account.currency)
  where t.tenant_id = v_top_up.tenant_id and t.payment_id = v_top_up.payment_id;
  if v_amount > v_credited then
    return jsonb_build_object('outcome', 'exceeds_payment', 'credited_micros', v_credited::text);
  elsif event.action = 'refund' then
    v_amount := v_amount - v_taken;
  end if;
  if v_amount <= 0 then
    return '{"outcome":"replayed"}';
  end if;
  v_id := switchyard.take_back(v_top_up, event.action, event.reference, v_account, v_amount, actor,
    event.occurred_at);
  return jsonb_build_object('outcome', 'completed', 'id', v_id);
end;
$$;

-- Credits the payment to the account that the notice names, whoever's it is.
create or replace function switchyard.credit_notice(
  event switchyard.wallet_provider_events, actor jsonb
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_tenant_id uuid;
begin
  select a.tenant_id into v_tenant_id from switchyard.wallet_accounts a
  where a.id = event.account_id and a.kind = 'cash';
  if v_tenant_id is null then
    return '{"outcome":"unknown_account"}';
  end if;
  return switchyard.credit_payment(v_tenant_id, jsonb_build_object(
    'account_id', event.account_id, 'amount_micros', event.amount_micros::text,
    'currency', event.currency, 'payment_id', event.payment_id, 'event_at', event.occurred_at), actor)
    - 'answer';
end;
$$;

-- Applies what is written of a notice, and keeps what came of it.
create or replace function switchyard.apply_notice(event switchyard.wallet_provider_events)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_actor jsonb := jsonb_build_object('kind', 'provider', 'id', event.provider);
  v_answer jsonb;
begin
  if event.action = 'credit' then
    v_answer := switchyard.credit_notice(event, v_actor);
  else
    v_answer := switchyard.reverse_payment(event, v_actor);
  end if;
  update switchyard.wallet_provider_events e
  set outcome = v_answer ->> 'outcome',
      detail = v_answer - 'outcome'
  where e.provider = event.provider and e.event_id = event.event_id;
  return v_answer ->> 'outcome';
end;
$$;

-- Takes a provider's notice, once for its id, and applies it; then what was waiting for it. Notices of
-- one payment are taken one after the other: else a refund and its payment could miss each other.
-- event: {event_id, action: credit, refund, dispute or reinstate, payment_id, reference?, account_id?,
-- amount_micros, currency, occurred_at}.
create or replace function switchyard_api.apply_provider_event(
  provider text, event jsonb, at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
  v_event switchyard.wallet_provider_events;
  v_waiting switchyard.wallet_provider_events;
  v_outcome text;
begin
  perform pg_advisory_xact_lock(hashtextextended(
    'wallet payment ' || apply_provider_event.provider || ' ' || (event ->> 'payment_id'), 0));
  insert into switchyard.wallet_provider_events (provider, event_id, action, payment_id, reference,
    account_id, amount_micros, currency, occurred_at, received_at, outcome)
  values (apply_provider_event.provider, event ->> 'event_id', event ->> 'action',
    event ->> 'payment_id', event ->> 'reference', (event ->> 'account_id')::uuid,
    switchyard.read_amount_micros(event), event ->> 'currency',
    (event ->> 'occurred_at')::timestamptz, apply_provider_event.at, 'waiting')
  on conflict do nothing
  returning * into v_event;
  if v_event.event_id is null then
    return '{"outcome":"replayed"}';
  end if;

  v_outcome := switchyard.apply_notice(v_event);
  for v_waiting in
    select * from switchyard.wallet_provider_events e
    where v_outcome = 'completed' and e.outcome = 'waiting'
      and e.provider = v_event.provider and e.payment_id = v_event.payment_id
    -- A dispute before what gives it back.
    order by e.action = 'reinstate', e.occurred_at, e.event_id
  loop
    perform switchyard.apply_notice(v_waiting);
  end loop;
  return jsonb_build_object('outcome', v_outcome);
end;
$$;

-- Lists notices that name an account of ours and could not be applied, until somebody has dealt with
-- them: money has moved at the provider, and not here. What waits has an hour for its payment to come.
create or replace function switchyard.find_unapplied_notices(at timestamptz)
returns table (rule text, subject text, tenant_id uuid, detail jsonb)
language sql
stable
set search_path = ''
as $$
  select 'notice_is_applied', e.provider || ' ' || e.event_id, a.tenant_id,
    jsonb_build_object('outcome', e.outcome, 'action', e.action, 'payment_id', e.payment_id,
      'amount_micros', e.amount_micros::text, 'currency', e.currency, 'account_id', e.account_id)
  from switchyard.wallet_provider_events e
  left join switchyard.wallet_accounts a on a.id = e.account_id
  where e.settled_at is null
    and e.outcome not in ('completed', 'replayed')
    and e.account_id is not null
    and (e.outcome <> 'waiting' or e.received_at < find_unapplied_notices.at - interval '1 hour')
    -- Credited by hand since.
    and not (e.action = 'credit' and e.outcome <> 'payment_reused' and exists (
      select from switchyard.find_top_up(e.payment_id, e.currency) t where t.id is not null))
  order by e.received_at
  limit 1000;
$$;

revoke all on switchyard.wallet_provider_events from public, anon, authenticated, service_role;
revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
