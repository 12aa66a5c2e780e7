-- Money for messages that are sent once more: their holds were given back when they were given up.
-- Locks nothing. Undo: drop the functions.

-- What must be set aside for messages that are sent once more, at today's prices; what nobody pays for,
-- costs nothing or is still held needs none. Null: no prices are known any more, those of then hold.
create or replace function switchyard.price_again(message_ids uuid[], at timestamptz)
returns table (message_id uuid, tenant_id uuid, account_id uuid, amount_micros bigint)
language sql
stable
set search_path = ''
as $$
  select m.id, m.tenant_id, (m.charge ->> 'account_id')::uuid, price.micros
  from switchyard.messages m
  cross join lateral (
    select coalesce((
      select r.price_micros from switchyard.rate_at(m.charge ->> 'currency',
        m.charge ->> 'market', m.charge ->> 'category', price_again.at) r
      ), (m.charge ->> 'rate_micros')::bigint) as micros
  ) price
  where m.id = any (message_ids) and m.charge is not null and price.micros > 0
    and not exists (
      select from switchyard.wallet_holds h where h.message_id = m.id and h.status = 'open');
$$;

-- Names those of these messages whose money would not be covered, if they were sent again in this order.
create or replace function switchyard.find_uncovered(message_ids uuid[], at timestamptz)
returns setof uuid
language sql
stable
set search_path = ''
as $$
  with queue as (
    select a.id as account_id,
      array_agg(p.message_id order by again.place) as ids,
      array_agg(p.amount_micros order by again.place) as amounts,
      max(case when switchyard.refuse_debtor(a.tenant_id, a.currency) is null
        then least(switchyard.available_micros(a),
          a.day_limit_micros - switchyard.spent_today(a, find_uncovered.at))
        else 0 end) as available_micros
    from switchyard.price_again(message_ids, find_uncovered.at) p
    join unnest(message_ids) with ordinality as again (id, place) on again.id = p.message_id
    join switchyard.wallet_accounts a on a.id = p.account_id
    group by a.id
  )
  select turn.id
  from queue
  cross join lateral unnest(queue.ids, queue.amounts,
    switchyard.spend_in_turn(queue.amounts, queue.available_micros))
    as turn (id, amount_micros, spent_before)
  where turn.spent_before + turn.amount_micros > queue.available_micros;
$$;

-- Sets the money for messages aside once more, in this order, and returns those that are not covered.
-- The messages and their lanes are locked already; tenants are taken in the order of their accounts.
create or replace function switchyard.hold_again(message_ids uuid[], at timestamptz)
returns uuid[]
language plpgsql
set search_path = ''
as $$
declare
  v_tenant record;
  v_uncovered uuid[] := '{}';
begin
  for v_tenant in
    select m.tenant_id, jsonb_agg(jsonb_build_object(
        'index', again.place, 'account_id', m.charge -> 'account_id',
        'currency', m.charge -> 'currency', 'amount_micros', price.amount_micros,
        'message_id', m.id,
        'expires_at', greatest(m.expires_at, hold_again.at + interval '24 hours')
          + interval '37 days',
        'detail', m.charge - '{account_id,currency}'::text[])) as holds
    from unnest(message_ids) with ordinality as again (id, place)
    join switchyard.messages m on m.id = again.id
    join switchyard.price_again(message_ids, hold_again.at) price on price.message_id = m.id
    group by m.tenant_id
    order by min(m.charge ->> 'account_id')
  loop
    v_uncovered := v_uncovered || array(
      select message_ids[p.index]
      from switchyard.place_holds(
        v_tenant.tenant_id, v_tenant.holds, '{"kind":"redrive"}', hold_again.at) p
      where p.answer ->> 'outcome' <> 'completed');
  end loop;
  return v_uncovered;
end;
$$;
revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
