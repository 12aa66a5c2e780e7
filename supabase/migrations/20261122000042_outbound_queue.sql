-- The queue of what is due: promoted from the backlog, claimed under a lease, one message of a pair at
-- a time. A pgmq entry is the lease of its message and lives no longer than the call.
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

-- Ends the turn of messages that are settled for good, and lets the next of each pair come forward.
create or replace function switchyard.pass_turn(message_ids uuid[])
returns void
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
        order by w.due_at, w.accepted_no
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
  perform switchyard.lower_heads(v_next) where v_next is not null;
end;
$$;

-- Lets the first urgent message that waits behind one whose outcome is unknown go on: it does not wait
-- for a status that may never come.
create or replace function switchyard.yield_turns(message_ids uuid[])
returns void
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
        and w.waits_turn and w.share = 'urgent'
      order by w.due_at, w.accepted_no
      limit 1)
    from switchyard.messages h
    where h.id = any (message_ids) and h.status = 'outcome_unknown' and h.holds_pair
  );
  v_next := array_remove(v_next, null);
  if cardinality(v_next) = 0 then
    return;
  end if;

  update switchyard.messages h
  set holds_pair = false
  from switchyard.messages n
  where h.id = any (message_ids) and h.status = 'outcome_unknown' and h.holds_pair
    and n.id = any (v_next) and n.sender_id = h.sender_id and n.recipient = h.recipient;
  update switchyard.messages n
  set waits_turn = false, holds_pair = true
  where n.id = any (v_next);
  perform switchyard.lower_heads(v_next);
end;
$$;

-- Marks those of the due messages that another message of their pair is before, and returns the rest in
-- the order in which they are due. An urgent message does not wait for one whose outcome is unknown:
-- that one gives up its turn. The lock on the holders of a pair lets no turn get lost: a settle that is
-- under way is waited for and its result seen, a later one sees who waits.
create or replace function switchyard.take_turns(due_ids uuid[])
returns uuid[]
language plpgsql
set search_path = ''
as $$
declare
  v_ready uuid[];
begin
  perform from switchyard.messages h
  where h.holds_pair and h.id <> all (due_ids)
    and (h.sender_id, h.recipient) in (
      select m.sender_id, m.recipient from switchyard.messages m where m.id = any (due_ids))
  order by h.id
  for no key update;

  update switchyard.messages h
  set holds_pair = false
  where h.holds_pair and h.status = 'outcome_unknown'
    and (h.sender_id, h.recipient) in (
      select m.sender_id, m.recipient from switchyard.messages m
      where m.id = any (due_ids) and m.share = 'urgent');

  with ranked as (
    select m.id, m.holds_pair, m.share, m.due_at, m.accepted_no,
      row_number() over (
        partition by m.sender_id, m.recipient
        order by m.holds_pair desc, m.due_at, m.accepted_no) as turn,
      exists (
        select from switchyard.messages h
        where h.sender_id = m.sender_id and h.recipient = m.recipient and h.holds_pair
          and h.id <> m.id) as is_behind
    from switchyard.messages m
    where m.id = any (due_ids)
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

-- Finds the lanes that have something due, the urgent ones first and then whoever has waited longest.
-- Paused and held senders and suspended tenants are passed over without reading one of their messages.
create or replace function switchyard.find_due_lanes(at timestamptz, most integer)
returns switchyard.sender_lanes[]
language sql
stable
set search_path = ''
as $$
  select array(
    select l from switchyard.sender_lanes l
    join switchyard.senders s on s.id = l.sender_id
    join switchyard.tenants t on t.id = s.tenant_id
    where l.head_due_at <= find_due_lanes.at
      and s.status = 'active' and coalesce(s.held_until, '-infinity') <= find_due_lanes.at
      and t.status = 'active'
    order by l.share = 'urgent' desc, l.head_due_at
    limit most
  );
$$;

-- Lets the heads of lanes follow what is left in their backlog. A lane into which something came since
-- it was read keeps its head, which is early at worst.
create or replace function switchyard.follow_heads(lanes switchyard.sender_lanes[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform from switchyard.sender_lanes l
  where (l.sender_id, l.share) in (select seen.sender_id, seen.share from unnest(lanes) seen)
  order by l.sender_id, l.share
  for update;

  update switchyard.sender_lanes l
  set head_due_at = coalesce((
    select m.due_at from switchyard.messages m
    where m.sender_id = seen.sender_id and m.share = seen.share
      and m.status = 'queued' and m.queue_entry_id is null and not m.waits_turn
    order by m.due_at, m.accepted_no
    limit 1), 'infinity')
  from unnest(lanes) seen
  where l.sender_id = seen.sender_id and l.share = seen.share and l.appended = seen.appended;
end;
$$;

-- Puts messages into the queue, in this order; they hold their pair until they are settled.
create or replace function switchyard.queue_messages(message_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_entries bigint[];
begin
  v_entries := array(
    select entry.id
    from pgmq.send_batch('wa_outbound', array(
      select jsonb_build_object('id', ready.id)
      from unnest(message_ids) with ordinality as ready (id, nth)
      order by ready.nth)) with ordinality as entry (id, nth)
    order by entry.nth
  );
  update switchyard.messages m
  set queue_entry_id = placed.entry_id, holds_pair = true
  from unnest(message_ids, v_entries) as placed (id, entry_id)
  where m.id = placed.id;
end;
$$;

-- Moves what is due from the backlog to the queue, an equal part of most from each lane, so that nobody's
-- backlog stands before another's, and of each pair the first only: the others wait their turn and cost
-- nothing meanwhile. One promotion runs at a time: a second one finds nothing to do, since what it would
-- move is being moved.
create or replace function switchyard.promote_messages(at timestamptz, most integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_lanes switchyard.sender_lanes[];
  v_ready uuid[];
begin
  if not pg_try_advisory_xact_lock(hashtextextended('switchyard.promote_messages', 0)) then
    return 0;
  end if;
  v_lanes := switchyard.find_due_lanes(promote_messages.at, most);
  if cardinality(v_lanes) = 0 then
    return 0;
  end if;

  v_ready := switchyard.take_turns(array(
    select due.id
    from unnest(v_lanes) lane
    cross join lateral (
      select m.id from switchyard.messages m
      where m.sender_id = lane.sender_id and m.share = lane.share
        and m.status = 'queued' and m.queue_entry_id is null and not m.waits_turn
        and m.due_at <= promote_messages.at
      order by m.due_at, m.accepted_no
      limit ceil(most::numeric / cardinality(v_lanes))
      for update skip locked
    ) due
  ));
  perform switchyard.queue_messages(v_ready) where v_ready is not null;
  perform switchyard.follow_heads(v_lanes);
  return coalesce(cardinality(v_ready), 0);
end;
$$;

-- Sorts out queue entries that cannot be claimed: of a worker that died in the call (unless Meta has
-- reported on the message since, its outcome is unknown and it is not sent again blindly), expired,
-- held back with their sender or tenant, or of no use.
create or replace function switchyard.clear_entries(
  entry_ids bigint[], message_ids uuid[], at timestamptz
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_ended uuid[];
  v_put_back uuid[];
begin
  with cleared as (
    update switchyard.messages m
    set
      status = case
        when m.status = 'sending' then 'outcome_unknown'
        when m.status = 'queued' and m.expires_at <= clear_entries.at then 'expired'
        else m.status
      end,
      due_at = case m.status when 'queued' then clear_entries.at + interval '1 minute' else m.due_at end,
      unknown_until = case m.status when 'sending' then clear_entries.at + interval '1 minute' end,
      ended_at = case when m.status = 'queued' and m.expires_at <= clear_entries.at
        then clear_entries.at end,
      queue_entry_id = null,
      lease_expires_at = null
    from unnest(entry_ids, message_ids) as entry (id, message_id)
    where m.id = entry.message_id and m.queue_entry_id = entry.id
    returning m.id, m.attempt_count, m.status
  ), finished as (
    update switchyard.message_attempts a
    set finished_at = clear_entries.at,
      outcome = case c.status when 'outcome_unknown' then 'unknown' else 'accepted' end,
      error = case c.status when 'outcome_unknown' then '{"cause": "worker_lost"}'::jsonb end
    from cleared c
    where a.message_id = c.id and a.attempt = c.attempt_count and a.outcome is null
      and c.status <> 'queued'
  )
  select array_agg(id) filter (where switchyard.status_rank(status) > 1),
    array_agg(id) filter (where status = 'queued')
  into v_ended, v_put_back
  from cleared;
  perform switchyard.pass_turn(v_ended) where v_ended is not null;
  perform switchyard.yield_turns(message_ids);
  perform switchyard.lower_heads(v_put_back) where v_put_back is not null;

  perform pgmq.delete('wa_outbound', entry_ids);
end;
$$;

-- Counts what is due in the backlog, up to most: beyond that the exact number costs more than it says.
create or replace function switchyard.count_due(at timestamptz, most integer)
returns integer
language sql
stable
set search_path = ''
as $$
  select count(*)::integer
  from (
    select from switchyard.sender_lanes l
    cross join lateral (
      select from switchyard.messages m
      where m.sender_id = l.sender_id and m.share = l.share
        and m.status = 'queued' and m.queue_entry_id is null and not m.waits_turn
        and m.due_at <= count_due.at
      limit most
    ) due
    where l.head_due_at <= count_due.at
    limit most
  ) counted;
$$;

-- Claims up to batch messages for a lease: no other claim returns them while it lasts, and the attempt
-- is on record before the call is made. What has expired ends here. Each message comes with the limits
-- that hold for it now, those of its tenant unless its sender has its own, and with the depth of what is
-- still due, up to 10,000.
create or replace function switchyard_api.claim_messages(
  batch integer, lease_seconds integer, worker text, at timestamptz default clock_timestamp()
)
returns table (
  id uuid, attempt integer, tenant_id uuid, sender_id uuid, phone_number_id text,
  business_account_id text, credential_version integer, recipient text, type text, content jsonb,
  context jsonb, lane text, failure_count integer, deferral_count integer, due_at timestamptz, expires_at timestamptz,
  limit_messages integer, limit_window_seconds integer, limit_is_of_sender boolean,
  per_second numeric, cache_generation bigint, depth integer
)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_entries bigint[];
  v_messages uuid[];
  v_claimed uuid[];
  v_depth integer;
begin
  perform switchyard.promote_messages(claim_messages.at, batch);

  select array_agg(taken.msg_id), array_agg((taken.message ->> 'id')::uuid)
  into v_entries, v_messages
  from pgmq.read('wa_outbound', lease_seconds, batch) taken;
  if v_entries is null then
    return;
  end if;

  with claimed as (
    update switchyard.messages m
    set status = 'sending', attempt_count = m.attempt_count + 1,
      lease_expires_at = claim_messages.at + make_interval(secs => lease_seconds)
    from unnest(v_entries, v_messages) as entry (id, message_id), switchyard.senders s,
      switchyard.tenants t
    where m.id = entry.message_id and m.queue_entry_id = entry.id and m.status = 'queued'
      and m.expires_at > claim_messages.at
      and s.id = m.sender_id and s.status = 'active'
      and t.id = m.tenant_id and t.status = 'active'
    returning m.id, m.attempt_count
  ), recorded as (
    insert into switchyard.message_attempts (message_id, attempt, worker, started_at)
    select claimed.id, claimed.attempt_count, claim_messages.worker, claim_messages.at from claimed
    returning message_id
  )
  select array_agg(message_id) into v_claimed from recorded;

  perform switchyard.clear_entries(left_over.entries, left_over.messages, claim_messages.at)
  from (
    select array_agg(entry.id) as entries, array_agg(entry.message_id) as messages
    from unnest(v_entries, v_messages) as entry (id, message_id)
    where entry.message_id <> all (coalesce(v_claimed, '{}'))
  ) left_over
  where left_over.entries is not null;

  -- Not in the query below, where it would be counted again for every row.
  v_depth := switchyard.count_due(claim_messages.at, 10000);
  return query
  select m.id, m.attempt_count, m.tenant_id, m.sender_id, s.phone_number_id, s.business_account_id,
    s.credential_version, m.recipient, m.type, m.content, m.context, m.lane, m.failure_count,
    m.deferral_count, m.due_at, m.expires_at,
    coalesce(s.limit_messages, t.limit_messages),
    coalesce(s.limit_window_seconds, t.limit_window_seconds),
    s.limit_messages is not null,
    coalesce(s.slowed_per_second, s.throughput_per_second),
    settings.cache_generation, v_depth
  from switchyard.messages m
  join switchyard.senders s on s.id = m.sender_id
  join switchyard.tenants t on t.id = m.tenant_id
  cross join switchyard.settings
  where m.id = any (v_claimed)
  order by m.share = 'urgent' desc, m.due_at, m.accepted_no;
end;
$$;

-- Says when the next message of the backlog may go; null when nothing waits that may.
create or replace function switchyard_api.next_due_at()
returns timestamptz
language sql
stable
security definer
set search_path = ''
as $$
  select min(greatest(l.head_due_at, s.held_until))
  from switchyard.sender_lanes l
  join switchyard.senders s on s.id = l.sender_id
  join switchyard.tenants t on t.id = s.tenant_id
  where l.head_due_at < 'infinity' and s.status = 'active' and t.status = 'active';
$$;

-- Holds senders back: until then nothing of them is read. A longer hold wins, and null ends it.
create or replace function switchyard_api.hold_senders(sender_ids jsonb, until timestamptz)
returns void
language sql
security definer
set search_path = ''
as $$
  update switchyard.senders s
  set held_until = case when hold_senders.until is not null
    then greatest(s.held_until, hold_senders.until) end
  where s.id in (select value::uuid from jsonb_array_elements_text(sender_ids));
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
  set status = 'cancelled', queue_entry_id = null, ended_at = cancel_message.at
  where m.id = cancel_message.message_id;
  perform pgmq.delete('wa_outbound', array[v_message.queue_entry_id])
  where v_message.queue_entry_id is not null;
  perform switchyard.pass_turn(array[cancel_message.message_id]);
  return jsonb_build_object('outcome', 'cancelled', 'status', 'cancelled');
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
