-- What must be true between messages and money: what was delivered is charged, nothing else is, and a
-- message that is under way is held for. Found and told by check_wallet_invariants(), never repaired.
-- Locks nothing. Undo: drop the functions.

-- Lists charges, recorded since then, that the ledger or Meta's reports do not bear out.
create or replace function switchyard.find_broken_charges(since timestamptz, at timestamptz)
returns table (rule text, subject text, tenant_id uuid, detail jsonb)
language sql
stable
set search_path = ''
as $$
  with charge as materialized (
    select c.*, a.tenant_id, c.message_id || ' ' || c.wamid || '/' || c.recipient as name
    from switchyard.message_charges c
    join switchyard.wallet_accounts a on a.id = c.account_id
    where c.created_at >= since or c.updated_at >= since
  ),
  told as (
    select c.name, sum(e.amount_micros) as amount_micros
    from charge c
    join switchyard.wallet_transfers t
      on t.id = c.transfer_id or t.corrects_transfer_id = c.transfer_id
    join switchyard.wallet_entries e on e.transfer_id = t.id
    join switchyard.wallet_accounts house on house.id = e.account_id and house.tenant_id is null
    group by c.name
  )
  select 'charge_is_told_by_transfers', c.name, c.tenant_id,
    jsonb_build_object('charged_micros', c.amount_micros::text,
      'told_micros', coalesce(told.amount_micros, 0)::text)
  from charge c
  left join told on told.name = c.name
  where c.amount_micros <> coalesce(told.amount_micros, 0)
  union all
  select 'what_is_charged_was_delivered', c.name, c.tenant_id,
    jsonb_build_object('charged_micros', c.amount_micros::text)
  from charge c
  where not exists (
    select from switchyard.message_statuses s
    where s.message_id = c.message_id and s.wamid = c.wamid
      and s.status in ('delivered', 'read', 'played'))
  union all
  select 'capture_has_its_charge', t.id::text, t.tenant_id,
    jsonb_build_object('message_id', h.message_id, 'reference', t.reference)
  from switchyard.wallet_transfers t
  join switchyard.wallet_holds h on h.id = t.hold_id and h.message_id is not null
  where t.kind = 'capture' and t.created_at >= since
    and not exists (select from switchyard.message_charges c where c.transfer_id = t.id);
$$;

-- Lists messages that are not charged as they should be, and estimates that Meta never put right within
-- a week. Reads every message that was ever paid for.
create or replace function switchyard.find_uncharged_messages(at timestamptz)
returns table (rule text, subject text, tenant_id uuid, detail jsonb)
language sql
stable
set search_path = ''
as $$
  select 'delivered_message_is_charged', m.id::text, m.tenant_id,
    jsonb_build_object('status', m.status)
  from switchyard.messages m
  where m.charge is not null and m.status in ('delivered', 'read')
    and not exists (select from switchyard.message_charges c where c.message_id = m.id)
  union all
  select 'message_under_way_is_held_for', m.id::text, m.tenant_id,
    jsonb_build_object('status', m.status, 'rate_micros', m.charge -> 'rate_micros')
  from switchyard.messages m
  where m.charge is not null and (m.charge ->> 'rate_micros')::bigint > 0
    and m.status in ('queued', 'sending', 'outcome_unknown', 'sent')
    and not exists (
      select from switchyard.wallet_holds h
      where h.message_id = m.id and (h.status = 'open' or h.expires_at <= find_uncharged_messages.at))
  union all
  select 'open_hold_has_a_message_under_way', h.id::text, a.tenant_id,
    jsonb_build_object('message_id', h.message_id, 'status', m.status)
  from switchyard.wallet_holds h
  join switchyard.wallet_accounts a on a.id = h.account_id
  left join switchyard.messages m on m.id = h.message_id
  where h.message_id is not null and h.status = 'open'
    and (m.id is null or m.status not in ('queued', 'sending', 'outcome_unknown', 'sent'))
  union all
  select 'estimate_is_settled_in_a_week', c.message_id || ' ' || c.wamid || '/' || c.recipient,
    a.tenant_id, jsonb_build_object('charged_micros', c.amount_micros::text,
      'category', c.category, 'delivered_at', c.delivered_at)
  from switchyard.message_charges c
  join switchyard.wallet_accounts a on a.id = c.account_id
  where c.is_estimated and c.created_at < find_uncharged_messages.at - interval '7 days';
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
