-- Accepting messages: idempotency key, slot and row in one transaction.
-- Locks nothing. Undo: drop the functions below.

-- Gives every message of a sender and share its slot: one conditional update of the lane (generic cell
-- rate algorithm), so that no two messages share a moment and a burst of an eighth of a second is let
-- through at once. The urgent share is a fifth of the sender's rate, the other share is the rest.
create or replace function switchyard.reserve_slots(
  sender_id uuid, share text, per_second numeric, slots integer, at timestamptz
)
returns table (first_slot_at timestamptz, slot_interval interval)
language sql
set search_path = ''
as $$
  with rate as (
    select make_interval(secs => 1.0 / (per_second
      * case reserve_slots.share when 'urgent' then 0.2 else 0.8 end)) as step
  )
  update switchyard.sender_lanes l
  set
    next_slot_at = greatest(l.next_slot_at, reserve_slots.at - interval '125 milliseconds')
      + slots * rate.step,
    head_due_at = least(l.head_due_at, greatest(l.next_slot_at, reserve_slots.at)),
    appended = l.appended + 1
  from rate
  where l.sender_id = reserve_slots.sender_id and l.share = reserve_slots.share
  returning l.next_slot_at - slots * rate.step, rate.step;
$$;

-- Locks the lanes of messages, always in one order; of those that return at a moment of a limit also the
-- lane of the newcomers, whom it concerns.
create or replace function switchyard.lock_lanes(message_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform from switchyard.sender_lanes l
  where (l.sender_id, l.share) in (
    select m.sender_id, m.share from switchyard.messages m where m.id = any (message_ids)
    union
    select m.sender_id, 'other' from switchyard.messages m
    where m.id = any (message_ids) and m.share = 'returning')
  order by l.sender_id, l.share
  for update;
end;
$$;

-- Tells the lanes that messages came into their backlog in another way than through a slot.
create or replace function switchyard.lower_heads(message_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform switchyard.lock_lanes(message_ids);
  update switchyard.sender_lanes l
  set head_due_at = least(l.head_due_at, came.due_at), appended = l.appended + 1
  from (
    select m.sender_id, m.share, min(m.due_at) as due_at
    from switchyard.messages m
    where m.id = any (message_ids) and m.status = 'queued' and m.queue_entry_id is null
      and not m.waits_turn
    group by m.sender_id, m.share
  ) came
  where l.sender_id = came.sender_id and l.share = came.share;
end;
$$;

-- Closes the lanes of newcomers until the last of these messages returns that a limit of the tenant or
-- the sender has put off: the limit gives newcomers moments after it, so that to read one before is to
-- read it for nothing. The lanes are locked by lower_heads() before.
create or replace function switchyard.close_lanes(message_ids uuid[])
returns void
language sql
set search_path = ''
as $$
  update switchyard.sender_lanes l
  set closed_until = back.last_at
  from (
    select m.sender_id, max(m.due_at) as last_at
    from switchyard.messages m
    where m.id = any (message_ids) and m.share = 'returning'
      and m.waiting_for in ('limit:tenant', 'limit:sender')
    group by m.sender_id
  ) back
  where l.sender_id = back.sender_id and l.share = 'other' and l.closed_until < back.last_at;
$$;

-- Writes accepted messages with their slots. A message asked for later than its slot takes no slot: it
-- is due when it was asked for, and the limits at send time hold for it.
create or replace function switchyard.insert_messages(tenant_id uuid, items jsonb, at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_ids uuid[];
  v_scheduled uuid[];
begin
  -- Where some take a slot and others do not, lanes are locked twice: all at once before.
  perform from switchyard.sender_lanes l
  where (l.sender_id, l.share) in (
    select (i ->> 'sender_id')::uuid, case i ->> 'lane' when 'urgent' then 'urgent' else 'other' end
    from jsonb_array_elements(items) i)
    and exists (
      select from jsonb_array_elements(items) i
      where (i ->> 'send_at')::timestamptz > insert_messages.at)
  order by l.sender_id, l.share
  for update;

  with item as (
    select i.*,
      case when i.lane = 'urgent' then 'urgent' else 'other' end as share,
      i.send_at is not null and i.send_at > insert_messages.at as is_scheduled
    from jsonb_to_recordset(items) as i (
      index integer, id uuid, sender_id uuid, per_second numeric, "to" text, type text,
      content jsonb, context jsonb, lane text, send_at timestamptz, expires_at timestamptz,
      client_ref text, on_unknown text, charge jsonb)
  ), place as (
    select item.*, row_number() over (
      partition by item.sender_id, item.share, item.is_scheduled order by item.index) - 1 as nth
    from item
  ), demand as (
    select sender_id, share, per_second, count(*)::integer as slots
    from item
    where not is_scheduled
    group by sender_id, share, per_second
    order by sender_id, share
  ), reserved as (
    select d.sender_id, d.share, r.first_slot_at, r.slot_interval
    from demand d
    cross join lateral switchyard.reserve_slots(
      d.sender_id, d.share, d.per_second, d.slots, insert_messages.at) r
  ), planned as (
    select p.*, case when p.is_scheduled then p.send_at
      else greatest(r.first_slot_at + p.nth * r.slot_interval, insert_messages.at) end as planned_at
    from place p
    left join reserved r on r.sender_id = p.sender_id and r.share = p.share
  ), inserted as (
    insert into switchyard.messages (
      id, tenant_id, sender_id, recipient, type, content, context, lane, on_unknown, client_ref,
      planned_send_at, due_at, expires_at, created_at, charge
    )
    select id, insert_messages.tenant_id, sender_id, "to", type, content, context,
      coalesce(lane, 'normal'), on_unknown, client_ref, planned_at, planned_at,
      coalesce(expires_at, planned_at + interval '24 hours'), insert_messages.at, charge
    from planned
    order by index
  )
  select array_agg(id), array_agg(id) filter (where is_scheduled) into v_ids, v_scheduled from planned;
  perform switchyard.lower_heads(v_scheduled) where v_scheduled is not null;
  perform switchyard.log_message_changes(v_ids);
end;
$$;

-- Accepts messages of one tenant, all in the transaction of the caller: idempotency keys, slots and
-- rows commit together or not at all. An item of an unknown sender, or to a customer whose service
-- window is closed, is refused and takes no key; one that the tenant's wallet does not cover is refused
-- and keeps its key; an item whose key was used before answers with the first message or refusal, or
-- names the fields that differ.
-- Keys and lanes are locked in one order, so that batches never deadlock.
create or replace function switchyard.accept_messages(tenant_id uuid, items jsonb, at timestamptz)
returns table (index integer, outcome text, id uuid, planned_send_at timestamptz, detail jsonb)
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_items jsonb;
  v_closed jsonb;
  v_fresh jsonb;
  v_refused jsonb := '{}';
begin
  select jsonb_agg(item || jsonb_build_object(
    'id', switchyard.new_id(), 'sender_id', s.id,
    'per_second', coalesce(s.slowed_per_second, s.throughput_per_second)))
  into v_items
  from jsonb_array_elements(items) item
  left join switchyard.senders s
    on s.phone_number_id = item ->> 'from'
    and s.tenant_id = accept_messages.tenant_id
    and s.status <> 'removed';
  select coalesce(jsonb_object_agg(c.index, c.closed_at), '{}') into v_closed
  from switchyard.closed_windows(accept_messages.tenant_id, v_items, accept_messages.at) c;

  insert into switchyard.idempotency_keys (
    tenant_id, scope, key, fingerprint, field_digests, resource_id, created_at
  )
  select accept_messages.tenant_id, 'messages', i.idempotency_key, i.fingerprint,
    coalesce(i.field_digests, '{}'), i.id, accept_messages.at
  from jsonb_to_recordset(v_items) as i (
    index integer, id uuid, sender_id uuid, idempotency_key text, fingerprint text,
    field_digests jsonb)
  where i.idempotency_key is not null and i.sender_id is not null and not v_closed ? i.index::text
  order by i.idempotency_key
  on conflict do nothing;

  select jsonb_agg(item) into v_fresh
  from jsonb_array_elements(v_items) item
  left join switchyard.idempotency_keys k
    on k.tenant_id = accept_messages.tenant_id
    and k.scope = 'messages'
    and k.key = item ->> 'idempotency_key'
  where item ->> 'sender_id' is not null and not v_closed ? (item ->> 'index')
    and (item ->> 'idempotency_key' is null or k.resource_id = (item ->> 'id')::uuid);
  if v_fresh is not null then
    select h.covered, h.refusals into v_fresh, v_refused
    from switchyard.hold_for_messages(accept_messages.tenant_id, v_fresh, accept_messages.at) h;
  end if;
  perform switchyard.insert_messages(accept_messages.tenant_id, v_fresh, accept_messages.at)
  where v_fresh is not null;

  return query
  select i.index,
    case
      when i.sender_id is null then 'unknown_sender'
      when v_refused ? i.index::text then v_refused -> i.index::text ->> 'outcome'
      when k.response is not null and k.fingerprint = i.fingerprint then k.response ->> 'outcome'
      when k.key is null and v_closed ? i.index::text then 'window_closed'
      when k.key is null or k.resource_id = i.id then 'accepted'
      when k.fingerprint = i.fingerprint then 'replayed'
      else 'key_reused'
    end,
    m.id,
    m.planned_send_at,
    case
      when k.fingerprint <> i.fingerprint then jsonb_build_object(
        'fields', switchyard.differing_fields(k.field_digests, i.field_digests))
      when k.key is null and v_closed ? i.index::text then jsonb_build_object(
        'closed_at', v_closed -> i.index::text)
      when v_refused ? i.index::text then (v_refused -> i.index::text) - 'outcome'
      when k.response is not null then k.response - 'outcome'
      when held.id is not null then jsonb_build_object('hold', jsonb_build_object('id', held.id,
        'currency', m.charge -> 'currency', 'amount_micros', held.amount_micros::text,
        'category', m.charge -> 'category', 'market', m.charge -> 'market'))
    end
  from jsonb_to_recordset(v_items) as i (
    index integer, id uuid, sender_id uuid, idempotency_key text, fingerprint text,
    field_digests jsonb)
  left join switchyard.idempotency_keys k
    on k.tenant_id = accept_messages.tenant_id
    and k.scope = 'messages'
    and k.key = i.idempotency_key
  left join switchyard.messages m on m.id = coalesce(k.resource_id, i.id)
  -- What was held when it was accepted, whatever was held again later.
  left join lateral (
    select h.id, h.amount_micros from switchyard.wallet_holds h
    where m.charge is not null and h.message_id = m.id
    order by h.created_at, h.id
    limit 1
  ) held on true
  order by i.index;
end;
$$;

-- Accepts messages and rings for a worker.
create or replace function switchyard_api.enqueue_messages(
  tenant_id uuid, messages jsonb, at timestamptz default clock_timestamp()
)
returns table (index integer, outcome text, id uuid, planned_send_at timestamptz, detail jsonb)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  select * from switchyard.accept_messages(
    enqueue_messages.tenant_id, enqueue_messages.messages, enqueue_messages.at);
  perform switchyard.ring_doorbell('wa-sender');
end;
$$;

-- Accepts one message inside the transaction of the caller: it goes out only if that commits. The
-- message has the shape of POST /wa-messages; what is wrong with it is raised, not returned.
create or replace function switchyard.send_message(
  tenant_id uuid, message jsonb, idempotency_key text
)
returns uuid
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_type text := message ->> 'type';
  v_answer record;
begin
  if v_type is null or message -> v_type is null then
    raise exception 'Cannot send message: the field named by "type" is missing'
      using errcode = '22023', hint = 'Give {"from", "to", "type": "text", "text": {"body": "…"}}.';
  end if;

  select * into v_answer
  from switchyard_api.enqueue_messages(send_message.tenant_id, jsonb_build_array(
    message - v_type || jsonb_build_object(
      'index', 0,
      'to', case when message ->> 'to' ~ '^[A-Z]{2}\.' then message ->> 'to'
        else '+' || regexp_replace(message ->> 'to', '[^0-9]', '', 'g') end,
      'content', message -> v_type,
      'idempotency_key', send_message.idempotency_key,
      'fingerprint', encode(sha256(convert_to(message::text, 'utf8')), 'hex'),
      'field_digests', (
        select jsonb_object_agg(key, encode(sha256(convert_to(value::text, 'utf8')), 'hex'))
        from jsonb_each(message)))));

  if v_answer.outcome = 'unknown_sender' then
    raise exception 'Cannot send message: the tenant has no sender %', message ->> 'from'
      using errcode = '22023', hint = 'Use the phone_number_id of a sender of the tenant.';
  elsif v_answer.outcome = 'window_closed' then
    raise exception 'Cannot send message: the customer service window is closed'
      using errcode = '22023', detail = v_answer.detail::text,
        hint = 'Send a template, or wait until the customer writes.';
  elsif v_answer.outcome = 'key_reused' then
    raise exception 'Cannot send message: the idempotency key was used for another message'
      using errcode = '22023', detail = v_answer.detail::text;
  elsif v_answer.outcome not in ('accepted', 'replayed') then
    raise exception 'Cannot send message: %', case v_answer.outcome
        when 'insufficient_funds' then 'the wallet does not hold enough'
        when 'debt_outstanding' then 'the tenant owes money'
        when 'spending_limit_reached' then 'the account has spent what it may in a day'
        when 'no_rate' then 'no rate card has a price for it'
        else v_answer.outcome end
      using errcode = '22023', detail = v_answer.detail::text;
  end if;
  return v_answer.id;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
grant execute on function switchyard.send_message(uuid, jsonb, text) to service_role;
