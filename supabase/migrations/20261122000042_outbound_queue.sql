-- The queue of what is being sent, the turns of the messages of a pair, and what holds senders back.
-- Locks nothing. Undo: drop the functions below, then select pgmq.drop_queue('wa_outbound').

select pgmq.create('wa_outbound')
where not exists (select from pgmq.meta where queue_name = 'wa_outbound');

alter table pgmq.q_wa_outbound set (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 50,
  autovacuum_vacuum_cost_delay = 2
);
alter table pgmq.q_wa_outbound enable row level security;
alter table pgmq.a_wa_outbound enable row level security;

-- Ends the turn of messages that are settled for good, lets the next of each pair come forward and
-- returns those: the heads of their lanes are to be lowered. The next is an urgent one, else the one that
-- was to go first, however often it was put off since.
create or replace function switchyard.end_turns(message_ids uuid[])
returns uuid[]
language plpgsql
set search_path = ''
as $$
declare
  v_next uuid[];
begin
  update switchyard.messages m
  set holds_pair = false, waits_turn = false
  where m.id = any (message_ids) and (m.holds_pair or m.waits_turn);

  with next as (
    update switchyard.messages n
    set waits_turn = false, holds_pair = true
    where n.id = any (array(
      select (
        select w.id from switchyard.messages w
        where w.sender_id = pair.sender_id and w.recipient = pair.recipient and w.waits_turn
        order by (w.lane = 'urgent') desc, w.planned_send_at, w.accepted_no
        limit 1)
      from (
        select distinct m.sender_id, m.recipient
        from switchyard.messages m where m.id = any (message_ids)
      ) pair
      where not exists (
        select from switchyard.messages h
        where h.sender_id = pair.sender_id and h.recipient = pair.recipient and h.holds_pair)
    ))
    returning n.id
  )
  select array_agg(id) into v_next from next;
  return v_next;
end;
$$;

-- Ends the turn of messages, and tells the lanes of those that come after them.
create or replace function switchyard.pass_turn(message_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_next uuid[] := switchyard.end_turns(message_ids);
begin
  perform switchyard.lower_heads(v_next) where v_next is not null;
end;
$$;

-- Says which messages that hold the turn of their pair give it up to an urgent one: whose outcome is
-- unknown, since a status may never come, and what a limit, a breaker or a pause has put back into the
-- backlog, which waits its turn instead. What is under way is waited for.
create or replace function switchyard.gives_way(message switchyard.messages)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select message.holds_pair and (message.status = 'outcome_unknown'
    or message.status = 'queued' and message.queue_entry_id is null and message.lane <> 'urgent')
$$;

-- Lets the first urgent message that waits behind one that gives way go on, and returns it. The head of
-- its lane is to be lowered.
create or replace function switchyard.yield_turns(message_ids uuid[])
returns uuid[]
language plpgsql
set search_path = ''
as $$
declare
  v_next uuid[];
begin
  v_next := array(
    select (
      select w.id from switchyard.messages w
      where w.sender_id = h.sender_id and w.recipient = h.recipient
        and w.waits_turn and w.lane = 'urgent'
      order by w.planned_send_at, w.accepted_no
      limit 1)
    from switchyard.messages h
    where h.id = any (message_ids) and switchyard.gives_way(h)
  );
  v_next := array_remove(v_next, null);
  if cardinality(v_next) = 0 then
    return null;
  end if;

  update switchyard.messages h
  set holds_pair = false, waits_turn = h.status = 'queued'
  from switchyard.messages n
  where h.id = any (message_ids) and switchyard.gives_way(h)
    and n.id = any (v_next) and n.sender_id = h.sender_id and n.recipient = h.recipient;
  update switchyard.messages n
  set waits_turn = false, holds_pair = true
  where n.id = any (v_next);
  return v_next;
end;
$$;

-- Marks those of the due messages that another message of their pair is before, and returns the rest in
-- the order in which they are due, an urgent one before all of its pair that are not under way. The lock
-- on the holders of a pair lets no turn get lost: a settle that is under way is waited for and its result
-- seen, a later one sees who waits.
create or replace function switchyard.take_turns(due_ids uuid[])
returns uuid[]
language plpgsql
set search_path = ''
as $$
declare
  v_holders uuid[];
  v_ready uuid[];
begin
  -- By the index of pairs, whatever the planner thinks of a table that changes by the second.
  v_holders := array(
    select holder.id
    from switchyard.messages m
    cross join lateral (
      select h.id from switchyard.messages h
      where h.sender_id = m.sender_id and h.recipient = m.recipient and h.holds_pair
      offset 0
    ) holder
    where m.id = any (due_ids) and holder.id <> m.id
  );
  if cardinality(v_holders) > 0 then
    perform from switchyard.messages h
    where h.id = any (v_holders) and h.id <> all (due_ids) and h.holds_pair
    order by h.id
    for no key update;

    update switchyard.messages h
    set holds_pair = false, waits_turn = h.status = 'queued'
    where h.id = any (v_holders) and switchyard.gives_way(h)
      and (h.sender_id, h.recipient) in (
        select m.sender_id, m.recipient from switchyard.messages m
        where m.id = any (due_ids) and m.share = 'urgent');
  end if;

  with ranked as (
    select m.id, m.holds_pair, m.share, m.due_at, m.accepted_no,
      row_number() over (
        partition by m.sender_id, m.recipient
        order by m.holds_pair desc, m.share = 'urgent' desc, m.due_at, m.accepted_no) as turn,
      exists (
        select from switchyard.messages h
        where h.sender_id = m.sender_id and h.recipient = m.recipient and h.holds_pair
          and h.id <> m.id) as is_behind
    from switchyard.messages m
    where m.id = any (due_ids) and not m.waits_turn
  ), behind as (
    update switchyard.messages m
    set waits_turn = true
    from ranked r
    where m.id = r.id and not r.holds_pair and (r.is_behind or r.turn > 1)
    returning m.id
  )
  select array_agg(r.id order by r.share = 'urgent' desc, r.due_at, r.accepted_no) into v_ready
  from ranked r
  where r.id not in (select behind.id from behind);
  return v_ready;
end;
$$;

-- Holds senders back: for so long nothing of them is read, and then few at a time until one message was
-- accepted. A longer hold wins, and null ends it. The time is counted on the clock of the database,
-- whatever that of the worker says.
create or replace function switchyard_api.hold_senders(
  sender_ids jsonb, for_ms bigint, at timestamptz default clock_timestamp()
)
returns void
language sql
security definer
set search_path = ''
as $$
  update switchyard.senders s
  set held_until = case when for_ms is not null
    then greatest(s.held_until, hold_senders.at + for_ms * interval '1 millisecond') end
  where s.id in (select value::uuid from jsonb_array_elements_text(sender_ids));
$$;

-- Lets senders whose hold is over and whose messages are accepted again go on as if nothing had been.
create or replace function switchyard.prove_senders(sender_ids uuid[], at timestamptz)
returns void
language sql
set search_path = ''
as $$
  update switchyard.senders s
  set held_until = null
  where s.id = any (sender_ids) and s.held_until <= prove_senders.at;
$$;

-- Halves the rate of senders that Meta calls too fast, once for all the answers of a few seconds.
create or replace function switchyard.slow_down_senders(sender_ids uuid[], at timestamptz)
returns void
language sql
set search_path = ''
as $$
  update switchyard.senders s
  set slowed_per_second = greatest(1, coalesce(s.slowed_per_second, s.throughput_per_second) / 2.0),
    slowed_at = slow_down_senders.at
  where s.id = any (sender_ids)
    and coalesce(s.slowed_at, '-infinity') < slow_down_senders.at - interval '5 seconds';
$$;

-- Raises the rate of slowed senders by a twentieth of their full rate every ten seconds without
-- complaint, until it is full again.
create or replace function switchyard.speed_up_senders(at timestamptz)
returns void
language sql
set search_path = ''
as $$
  update switchyard.senders s
  set slowed_per_second = case
      when s.slowed_per_second + s.throughput_per_second * 0.05 < s.throughput_per_second
      then s.slowed_per_second + s.throughput_per_second * 0.05 end,
    slowed_at = speed_up_senders.at
  where s.slowed_per_second is not null and s.slowed_at <= speed_up_senders.at - interval '10 seconds';
$$;

-- Withdraws a message that no worker has claimed yet.
create or replace function switchyard_api.cancel_message(
  tenant_id uuid, message_id uuid, at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_message switchyard.messages;
begin
  select * into v_message from switchyard.messages m
  where m.id = cancel_message.message_id and m.tenant_id = cancel_message.tenant_id
  for update;
  if v_message.id is null then
    return jsonb_build_object('outcome', 'not_found');
  elsif v_message.status <> 'queued' then
    return jsonb_build_object('outcome', 'not_queued', 'status', v_message.status);
  end if;

  update switchyard.messages m
  set status = 'cancelled', ended_at = cancel_message.at
  where m.id = cancel_message.message_id;
  perform switchyard.pass_turn(array[cancel_message.message_id]);
  perform switchyard.follow_charges(array[cancel_message.message_id], cancel_message.at);
  perform switchyard.tell_statuses(array[cancel_message.message_id], cancel_message.at);
  return jsonb_build_object('outcome', 'cancelled', 'status', 'cancelled');
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
