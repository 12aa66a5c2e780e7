-- Charging messages: the books follow what is due for messages, in the transaction that learned of it.
-- Nothing is counted twice and no order matters, since the whole is looked at each time and only the
-- difference is moved. Locks nothing. Undo: drop the functions.

-- Moves the difference between what was charged and what is due, beside all holds: what the account
-- does not have is owed. The accounts are locked already.
create or replace function switchyard.correct_charge(
  account_id uuid, difference_micros bigint, correction jsonb, actor jsonb
)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_account switchyard.wallet_accounts;
  v_owed bigint;
  v_id uuid;
begin
  select * into strict v_account from switchyard.wallet_accounts a
  where a.id = correct_charge.account_id;
  v_owed := greatest(0, difference_micros - switchyard.available_micros(v_account));
  insert into switchyard.wallet_transfers
    (tenant_id, kind, corrects_transfer_id, detail, actor, event_at)
  values (v_account.tenant_id, 'correction', (correction ->> 'transfer_id')::uuid,
          correction -> 'detail', correct_charge.actor, (correction ->> 'event_at')::timestamptz)
  returning id into v_id;
  perform switchyard.post_entries(v_id, array_agg(leg.account_id), array_agg(leg.amount_micros))
  from (values
    (v_account.id, v_owed - difference_micros),
    (switchyard.receivable_account(v_account.tenant_id, v_account.currency), -v_owed),
    (switchyard.house_account('revenue', v_account.currency), difference_micros)
  ) as leg (account_id, amount_micros)
  where leg.amount_micros <> 0;
  perform switchyard.repay_debt(v_account.id, actor) where difference_micros < 0;
  return v_id;
end;
$$;

-- Charges one delivery: from the message's hold what it can give, the open one first, and beside it what
-- is missing or too much. Holds and accounts are locked already.
create or replace function switchyard.charge_delivery(open_charge jsonb, at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_charge record;
  v_hold switchyard.wallet_holds;
  v_detail jsonb;
  v_rest bigint;
  v_part bigint;
  v_transfer uuid;
  v_correction uuid;
begin
  select * into strict v_charge from jsonb_to_record(open_charge) as c (
    message_id uuid, wamid text, recipient text, charge jsonb, delivered_at timestamptz,
    amount_micros bigint, category text, pricing_type text, is_estimated boolean,
    charged_micros bigint, transfer_id uuid);
  v_detail := jsonb_strip_nulls(jsonb_build_object('message_id', v_charge.message_id,
    'category', v_charge.category, 'pricing_type', v_charge.pricing_type,
    'market', v_charge.charge -> 'market', 'is_estimated', v_charge.is_estimated));
  v_rest := v_charge.amount_micros - coalesce(v_charge.charged_micros, 0);
  v_transfer := v_charge.transfer_id;

  if v_rest > 0 and v_transfer is null then
    select * into v_hold from switchyard.wallet_holds h
    where h.message_id = v_charge.message_id
    order by h.status = 'open' desc, h.created_at desc, h.id desc
    limit 1;
    v_part := least(v_rest, v_hold.amount_micros - v_hold.captured_micros);
    if v_part > 0 then
      select (captured.answer ->> 'transfer_id')::uuid into strict v_transfer
      from switchyard.resolve_hold(jsonb_build_object(
        'hold_id', v_hold.id, 'action', 'capture', 'amount_micros', v_part, 'even_late', true,
        'reference', v_charge.wamid || '/' || v_charge.recipient,
        'event_at', v_charge.delivered_at, 'detail', v_detail),
        '{"kind":"message"}', charge_delivery.at) as captured (answer);
      v_rest := v_rest - v_part;
    end if;
  end if;
  if v_rest <> 0 then
    v_correction := switchyard.correct_charge(
      (v_charge.charge ->> 'account_id')::uuid, v_rest, jsonb_build_object(
        'transfer_id', v_transfer, 'detail', v_detail, 'event_at', v_charge.delivered_at),
      '{"kind":"message"}');
    v_transfer := coalesce(v_transfer, v_correction);
  end if;

  insert into switchyard.message_charges as c (
    message_id, wamid, recipient, account_id, transfer_id, amount_micros, pricing_type, category,
    is_estimated, delivered_at, created_at
  )
  values (v_charge.message_id, v_charge.wamid, v_charge.recipient,
    (v_charge.charge ->> 'account_id')::uuid, v_transfer, v_charge.amount_micros,
    v_charge.pricing_type, v_charge.category, v_charge.is_estimated, v_charge.delivered_at,
    charge_delivery.at)
  on conflict (message_id, wamid, recipient) do update
  set transfer_id = excluded.transfer_id, amount_micros = excluded.amount_micros,
    pricing_type = excluded.pricing_type, category = excluded.category,
    is_estimated = excluded.is_estimated, delivered_at = excluded.delivered_at;
end;
$$;

-- Charges at once what is charged mostly: first charges that the message's open hold covers, one of each
-- hold. Each is a transfer with its two entries as capture_hold() makes it, in a few statements for all.
-- Returns the rest. Holds and accounts are locked already.
create or replace function switchyard.charge_deliveries(open_charges jsonb, at timestamptz)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_covered jsonb;
begin
  select jsonb_agg(to_jsonb(d) || jsonb_build_object('transfer_id', switchyard.new_id())
    order by d.place)
  into v_covered
  from (
    select distinct on (h.id) o.place, o.message_id, o.wamid, o.recipient, o.delivered_at,
      o.amount_micros, o.category, o.pricing_type, o.is_estimated, o.charge -> 'market' as market,
      h.id as hold_id, h.account_id, (o.charge ->> 'currency') as currency
    from rows from (jsonb_to_recordset(open_charges) as (
      message_id uuid, wamid text, recipient text, charge jsonb, delivered_at timestamptz,
      amount_micros bigint, category text, pricing_type text, is_estimated boolean,
      charged_micros bigint)) with ordinality as o (
      message_id, wamid, recipient, charge, delivered_at, amount_micros, category, pricing_type,
      is_estimated, charged_micros, place)
    join switchyard.wallet_holds h on h.message_id = o.message_id and h.status = 'open'
    where o.charged_micros is null and o.amount_micros > 0
      and o.amount_micros <= h.amount_micros - h.captured_micros
      and h.account_id = (o.charge ->> 'account_id')::uuid
    order by h.id, o.place
  ) d;
  if v_covered is null then
    return open_charges;
  end if;

  insert into switchyard.wallet_transfers
    (id, tenant_id, kind, hold_id, reference, detail, actor, event_at)
  select d.transfer_id, a.tenant_id, 'capture', d.hold_id, d.wamid || '/' || d.recipient,
    jsonb_strip_nulls(jsonb_build_object('message_id', d.message_id, 'category', d.category,
      'pricing_type', d.pricing_type, 'market', d.market, 'is_estimated', d.is_estimated)),
    '{"kind":"message"}', d.delivered_at
  from jsonb_to_recordset(v_covered) as d (
    message_id uuid, wamid text, recipient text, delivered_at timestamptz, category text,
    pricing_type text, is_estimated boolean, market jsonb, hold_id uuid, account_id uuid,
    transfer_id uuid)
  join switchyard.wallet_accounts a on a.id = d.account_id;

  update switchyard.wallet_holds h
  set captured_micros = h.captured_micros + d.amount_micros,
      status = case when h.captured_micros + d.amount_micros = h.amount_micros
        then 'captured' else h.status end,
      resolved_at = case when h.captured_micros + d.amount_micros = h.amount_micros
        then charge_deliveries.at end
  from jsonb_to_recordset(v_covered) as d (hold_id uuid, amount_micros bigint)
  where h.id = d.hold_id;

  with leg as materialized (
    select side.account_id, side.amount_micros, side.captured_micros, d.transfer_id,
      d.delivered_at,
      row_number() over w as nth,
      sum(side.amount_micros) over w as running_micros
    from rows from (jsonb_to_recordset(v_covered) as (
      transfer_id uuid, account_id uuid, currency text, amount_micros bigint,
      delivered_at timestamptz)) with ordinality as d (
      transfer_id, account_id, currency, amount_micros, delivered_at, place)
    join switchyard.wallet_accounts house on house.tenant_id is null and house.kind = 'revenue'
      and house.currency = d.currency
    cross join lateral (values
      (d.account_id, -d.amount_micros, d.amount_micros), (house.id, d.amount_micros, 0)
    ) as side (account_id, amount_micros, captured_micros)
    window w as (partition by side.account_id order by d.place)
  ),
  moved as (
    update switchyard.wallet_accounts a
    set posted_micros = a.posted_micros + t.amount_micros,
        held_micros = a.held_micros - t.captured_micros,
        last_sequence = a.last_sequence + t.entries
    from (
      select account_id, sum(amount_micros)::bigint as amount_micros,
        sum(captured_micros)::bigint as captured_micros, count(*) as entries
      from leg
      group by account_id
    ) t
    where a.id = t.account_id
    returning a.id, a.last_sequence - t.entries as sequence_before,
      a.posted_micros - t.amount_micros as balance_before, clock_timestamp() as posted_at
  )
  insert into switchyard.wallet_entries
    (account_id, sequence, transfer_id, amount_micros, balance_micros, event_at, created_at)
  select leg.account_id, m.sequence_before + leg.nth, leg.transfer_id, leg.amount_micros,
    m.balance_before + leg.running_micros, leg.delivered_at, greatest(m.posted_at, p.created_at)
  from leg
  join moved m on m.id = leg.account_id
  left join switchyard.wallet_entries p
    on p.account_id = m.id and p.sequence = m.sequence_before;

  insert into switchyard.message_charges (
    message_id, wamid, recipient, account_id, transfer_id, amount_micros, pricing_type, category,
    is_estimated, delivered_at, created_at
  )
  select d.message_id, d.wamid, d.recipient, d.account_id, d.transfer_id, d.amount_micros,
    d.pricing_type, d.category, d.is_estimated, d.delivered_at, charge_deliveries.at
  from jsonb_to_recordset(v_covered) as d (
    message_id uuid, wamid text, recipient text, account_id uuid, transfer_id uuid,
    amount_micros bigint, pricing_type text, category text, is_estimated boolean,
    delivered_at timestamptz);

  return (
    select jsonb_agg(o.open_charge order by o.place)
    from jsonb_array_elements(open_charges) with ordinality as o (open_charge, place)
    where not exists (
      select from jsonb_to_recordset(v_covered) as d (place bigint) where d.place = o.place));
end;
$$;

-- Gives back what holds still hold, and to the limit of the day on which they were placed. They and
-- their accounts are locked already.
create or replace function switchyard.release_holds(hold_ids uuid[], at timestamptz)
returns void
language sql
set search_path = ''
as $$
  with released as (
    update switchyard.wallet_holds h
    set status = 'released',
        released_micros = h.amount_micros - h.captured_micros,
        resolved_at = release_holds.at
    where h.id = any (hold_ids) and h.status = 'open'
    returning h.account_id, h.released_micros, (h.created_at at time zone 'UTC')::date as placed_on
  )
  update switchyard.wallet_accounts a
  set held_micros = a.held_micros - back.total,
      spent_micros = greatest(a.spent_micros - coalesce((
        select sum(r.released_micros)::bigint from released r
        where r.account_id = a.id and r.placed_on = a.spent_on), 0), 0)
  from (
    select account_id, sum(released_micros)::bigint as total from released group by account_id
  ) back
  where a.id = back.account_id;
$$;

-- Lets the books follow what became of messages: each delivery is charged once, at what Meta says it
-- costs, whatever was charged before is corrected to it, and what a message that has come to an end
-- still holds is given back. Messages that nobody pays for cost one look. The messages are locked by who
-- calls, and so are lanes, which come before holds, and holds before accounts: to be called once in a
-- transaction, at its end.
create or replace function switchyard.follow_charges(message_ids uuid[], at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_billed uuid[] := array(
    select m.id from switchyard.messages m
    where m.id = any (message_ids) and m.charge is not null);
  v_open jsonb;
  v_ended uuid[];
begin
  if cardinality(v_billed) = 0 then
    return;
  end if;
  select jsonb_agg(to_jsonb(o) order by o.delivered_at, o.message_id, o.wamid, o.recipient)
  into v_open
  from switchyard.find_open_charges(v_billed) o;
  v_ended := array(
    select h.id from switchyard.wallet_holds h
    join switchyard.messages m on m.id = h.message_id
    where h.message_id = any (v_billed) and h.status = 'open'
      and m.status in ('delivered', 'read', 'failed', 'expired', 'cancelled', 'dead'));
  if v_open is null and cardinality(v_ended) = 0 then
    return;
  end if;

  perform from switchyard.wallet_holds h
  where h.id = any (v_ended) or h.message_id in (
    select o.message_id from jsonb_to_recordset(v_open) as o (message_id uuid))
  order by h.id
  for no key update;
  perform switchyard.lock_wallet_accounts(array(
    select h.account_id from switchyard.wallet_holds h where h.id = any (v_ended)
    union
    select touched.id
    from (
      select distinct a.id, a.tenant_id, a.currency
      from jsonb_to_recordset(v_open) as o (charge jsonb)
      join switchyard.wallet_accounts a on a.id = (o.charge ->> 'account_id')::uuid
    ) payer
    cross join lateral unnest(array[
      payer.id, switchyard.house_account('revenue', payer.currency),
      switchyard.open_receivable(payer.tenant_id, payer.currency)]) as touched (id)));

  if v_open is not null then
    v_open := switchyard.charge_deliveries(v_open, follow_charges.at);
  end if;
  perform switchyard.charge_delivery(o.open_charge, follow_charges.at)
  from jsonb_array_elements(v_open) with ordinality as o (open_charge, place)
  where v_open is not null;
  perform switchyard.release_holds(v_ended, follow_charges.at);
end;
$$;
revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
