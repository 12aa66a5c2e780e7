-- Claiming messages: what is due is taken from the backlog under a lease, one message of a pair at a
-- time. The lease is the message's entry in pgmq, which lives no longer than the call.
-- Locks nothing. Undo: drop the functions below.

-- Finds the lanes that have something due, the urgent ones first and then whoever was claimed from
-- longest ago: however old the backlogs of others are, a newcomer waits for one round of them at most.
-- Paused and held senders, suspended tenants and whoever would only be put off by a limit are passed over
-- without reading one of their messages.
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
    where l.head_due_at <= find_due_lanes.at and l.closed_until <= find_due_lanes.at
      and s.status = 'active' and coalesce(s.held_until, '-infinity') <= find_due_lanes.at
      and t.status = 'active'
    order by l.share = 'urgent' desc, l.served_at, l.head_due_at
    limit most
  );
$$;

-- Lets the heads of lanes follow what is left in their backlog. A lane into which something came since
-- it was read, or which somebody is changing, keeps its head, which is early at worst: a claim waits for
-- no lane, and so for nobody who waits for its messages. They have had their turn.
create or replace function switchyard.follow_heads(lanes switchyard.sender_lanes[], at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_free switchyard.sender_lanes[];
begin
  v_free := array(
    select l from switchyard.sender_lanes l
    where (l.sender_id, l.share) in (select seen.sender_id, seen.share from unnest(lanes) seen)
    for update skip locked);

  -- Apart from the lock: it sees what was committed before that.
  update switchyard.sender_lanes l
  set served_at = follow_heads.at,
    head_due_at = case when l.appended <> seen.appended then l.head_due_at else coalesce((
      select m.due_at from switchyard.messages m
      where m.sender_id = seen.sender_id and m.share = seen.share
        and m.status = 'queued' and m.queue_entry_id is null and not m.waits_turn
      order by m.due_at, m.accepted_no
      limit 1), 'infinity') end
  from unnest(v_free) free
  join unnest(lanes) seen on seen.sender_id = free.sender_id and seen.share = free.share
  where l.sender_id = free.sender_id and l.share = free.share;
end;
$$;

-- Takes what is due in these lanes, an equal part of most from each and of all the first before the
-- second of any, so that nobody's backlog stands before another's, and of each pair the first only: the
-- others wait their turn and cost nothing meanwhile. Of a sender whose hold is over a few are enough to
-- find out whether it may go on. What has expired ends here. The rest is ready, in
-- the order in which it is to go.
create or replace function switchyard.take_due(
  lanes switchyard.sender_lanes[], most integer, at timestamptz, out ready uuid[], out expired uuid[]
)
language plpgsql
set search_path = ''
as $$
declare
  v_due uuid[];
begin
  select
    array_agg(taken.id order by taken.place, taken.nth)
      filter (where taken.expires_at > take_due.at),
    array_agg(taken.id) filter (where taken.expires_at <= take_due.at)
  into v_due, expired
  from (
    select due.id, due.expires_at, lane.nth,
      row_number() over (partition by lane.nth order by due.due_at, due.accepted_no) as place
    from unnest(lanes) with ordinality as lane (
      sender_id, share, next_slot_at, head_due_at, appended, served_at, closed_until, nth)
    join switchyard.senders s on s.id = lane.sender_id
    cross join lateral (
      select m.id, m.expires_at, m.due_at, m.accepted_no from switchyard.messages m
      where m.sender_id = lane.sender_id and m.share = lane.share
        and m.status = 'queued' and m.queue_entry_id is null and not m.waits_turn
        and m.due_at <= take_due.at
      order by m.due_at, m.accepted_no
      limit least(
        ceil(most::numeric / cardinality(lanes)), case when s.held_until is not null then 5 end)
      for no key update skip locked
    ) due
  ) taken;
  perform switchyard.expire_messages(expired, take_due.at) where expired is not null;
  select h.kept, expired || h.ended into v_due, expired
  from switchyard.hold_back(v_due, take_due.at) h;
  if v_due is not null then
    ready := switchyard.take_turns(v_due[:most]);
  end if;
end;
$$;

-- Ends messages whose time is over before anybody called for them.
create or replace function switchyard.expire_messages(message_ids uuid[], at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update switchyard.messages m
  set status = 'expired', ended_at = expire_messages.at
  where m.id = any (message_ids);
  perform switchyard.pass_turn(message_ids);
  perform switchyard.tell_statuses(message_ids, expire_messages.at);
end;
$$;

-- Counts what is due in the backlog, up to most: beyond that the exact number costs more than it says.
-- What nobody may claim now is no load.
create or replace function switchyard.count_due(at timestamptz, most integer)
returns integer
language sql
stable
set search_path = ''
as $$
  select count(*)::integer
  from (
    select from switchyard.sender_lanes l
    join switchyard.senders s on s.id = l.sender_id
    join switchyard.tenants t on t.id = s.tenant_id
    cross join lateral (
      select from switchyard.messages m
      where m.sender_id = l.sender_id and m.share = l.share
        and m.status = 'queued' and m.queue_entry_id is null and not m.waits_turn
        and m.due_at <= count_due.at
      limit most
    ) due
    where l.head_due_at <= count_due.at and l.closed_until <= count_due.at
      and s.status = 'active' and coalesce(s.held_until, '-infinity') <= count_due.at
      and t.status = 'active'
    limit most
  ) counted;
$$;

-- Claims up to batch messages for a lease: no other claim returns them while it lasts, and the attempt
-- is on record before the call is made. Each message comes with the limits that hold for it now, those
-- of its tenant unless its sender has its own, and with the depth of what is still due, counted up to
-- count_depth_to: each is read for it.
-- One claim runs at a time: a second one finds nothing, since what it would take is being taken.
create or replace function switchyard_api.claim_messages(
  batch integer, lease_seconds integer, worker text, at timestamptz default clock_timestamp(),
  count_depth_to integer default 10000
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
  v_lanes switchyard.sender_lanes[];
  v_ready uuid[];
  v_expired uuid[];
  v_entries bigint[];
  v_depth integer;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('switchyard.claim_messages', 0)) then
    return;
  end if;
  v_lanes := switchyard.find_due_lanes(claim_messages.at, batch);
  if cardinality(v_lanes) = 0 then
    return;
  end if;
  select t.ready, t.expired into v_ready, v_expired
  from switchyard.take_due(v_lanes, batch, claim_messages.at) t;
  if v_ready is null then
    perform switchyard.follow_heads(v_lanes, claim_messages.at);
    perform switchyard.follow_charges(v_expired, claim_messages.at) where v_expired is not null;
    return;
  end if;
  v_entries := array(
    select entry.id
    from pgmq.send_batch('wa_outbound', array(
      select jsonb_build_object('id', ready.id)
      from unnest(v_ready) with ordinality as ready (id, nth)
      order by ready.nth), lease_seconds) with ordinality as entry (id, nth)
    order by entry.nth);

  update switchyard.messages m
  set status = 'sending', holds_pair = true, queue_entry_id = placed.entry_id,
    attempt_count = m.attempt_count + 1,
    lease_expires_at = claim_messages.at + make_interval(secs => lease_seconds)
  from unnest(v_ready, v_entries) as placed (id, entry_id)
  where m.id = placed.id;
  insert into switchyard.message_attempts (message_id, attempt, worker, started_at)
  select m.id, m.attempt_count, claim_messages.worker, claim_messages.at
  from switchyard.messages m
  where m.id = any (v_ready);
  perform switchyard.follow_heads(v_lanes, claim_messages.at);
  perform switchyard.follow_charges(v_expired, claim_messages.at) where v_expired is not null;

  -- Not in the query below, where it would be counted again for every row.
  v_depth := switchyard.count_due(claim_messages.at, claim_messages.count_depth_to);
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
  where m.id = any (v_ready)
  order by m.share = 'urgent' desc, m.due_at, m.accepted_no;
end;
$$;

-- Takes back messages of workers that died in the call: unless Meta has reported on one since, its
-- outcome is unknown and it is not sent again blindly. Entries that are no lease of any message go.
create or replace function switchyard.end_lost_leases(at timestamptz, most integer)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_useless bigint[];
  v_entries bigint[];
  v_messages uuid[];
  v_ended uuid[];
  v_unknown uuid[];
  v_forward uuid[];
begin
  select array_agg(entry.id) filter (where entry.message_id is null),
    array_agg(entry.id) filter (where entry.message_id is not null),
    array_agg(entry.message_id) filter (where entry.message_id is not null)
  into v_useless, v_entries, v_messages
  from (
    select q.msg_id as id, m.id as message_id
    from pgmq.q_wa_outbound q
    left join switchyard.messages m on m.queue_entry_id = q.msg_id
      and m.id = case when pg_input_is_valid(q.message ->> 'id', 'uuid')
        then (q.message ->> 'id')::uuid end
    where m.lease_expires_at <= end_lost_leases.at
      or m.id is null and q.vt <= clock_timestamp()
    limit most
  ) entry;
  perform pgmq.delete('wa_outbound', v_useless) where v_useless is not null;
  if v_entries is null then
    return;
  end if;
  -- In the order of settling.
  perform from switchyard.messages m where m.id = any (v_messages) order by m.id for no key update;

  with taken_back as (
    update switchyard.messages m
    set status = case m.status when 'sending' then 'outcome_unknown' else m.status end,
      unknown_until = case m.status when 'sending'
        then end_lost_leases.at + interval '1 minute' end,
      queue_entry_id = null, lease_expires_at = null
    from unnest(v_entries, v_messages) as entry (id, message_id)
    where m.id = entry.message_id and m.queue_entry_id = entry.id
      and m.lease_expires_at <= end_lost_leases.at
    returning m.id, m.attempt_count, m.status
  ), finished as (
    update switchyard.message_attempts a
    set finished_at = end_lost_leases.at,
      outcome = case t.status when 'outcome_unknown' then 'unknown' else 'accepted' end,
      error = case t.status when 'outcome_unknown' then '{"cause": "worker_lost"}'::jsonb end
    from taken_back t
    where a.message_id = t.id and a.attempt = t.attempt_count and a.outcome is null
  )
  select array_agg(id) filter (where status <> 'outcome_unknown'),
    array_agg(id) filter (where status = 'outcome_unknown')
  into v_ended, v_unknown
  from taken_back;
  perform pgmq.delete('wa_outbound', v_entries);
  v_forward := case when v_ended is not null then switchyard.end_turns(v_ended) end
    || case when v_unknown is not null then switchyard.yield_turns(v_unknown) end;
  perform switchyard.lower_heads(v_forward) where v_forward is not null;
  perform switchyard.tell_statuses(v_unknown, end_lost_leases.at) where v_unknown is not null;
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
  select min(greatest(l.head_due_at, l.closed_until, s.held_until))
  from switchyard.sender_lanes l
  join switchyard.senders s on s.id = l.sender_id
  join switchyard.tenants t on t.id = s.tenant_id
  where l.head_due_at < 'infinity' and s.status = 'active' and t.status = 'active';
$$;

-- Says in how many milliseconds that is, for workers, whose clock may be another.
create or replace function switchyard_api.next_due_in_ms(at timestamptz default clock_timestamp())
returns bigint
language sql
stable
security definer
set search_path = ''
as $$
  select ceil(1000 * extract(epoch from switchyard_api.next_due_at() - next_due_in_ms.at))::bigint;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
