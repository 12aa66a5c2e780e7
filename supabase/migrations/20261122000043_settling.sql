-- Settling messages: what came of a call, what Meta reported about it, and what to do when nobody knows.
-- Locks nothing. Undo: drop the functions below.

-- Ends messages as dead, with a letter that says why; their turn is still to be passed.
create or replace function switchyard.give_up_messages(
  message_ids uuid[], cause text, detail jsonb, at timestamptz
)
returns void
language sql
set search_path = ''
as $$
  insert into switchyard.dead_letters (tenant_id, message_id, cause, detail, created_at)
  select m.tenant_id, m.id, give_up_messages.cause, coalesce(give_up_messages.detail, '{}'),
    give_up_messages.at
  from switchyard.messages m
  where m.id = any (message_ids);

  update switchyard.messages m
  set status = 'dead', queue_entry_id = null, lease_expires_at = null, unknown_until = null,
    ended_at = give_up_messages.at, failure = coalesce(give_up_messages.detail, m.failure)
  where m.id = any (message_ids);
$$;

-- Puts messages away as dead and lets the next of each pair come forward.
create or replace function switchyard.bury_messages(
  message_ids uuid[], cause text, detail jsonb, at timestamptz
)
returns void
language sql
set search_path = ''
as $$
  select switchyard.give_up_messages(message_ids, cause, detail, bury_messages.at);
  select switchyard.pass_turn(message_ids);
$$;

-- Lets the status of messages follow what Meta has reported of them: the highest rank wins, in whatever
-- order the reports came, and no message moves back. A message that Meta has seen leaves the queue.
create or replace function switchyard.follow_statuses(message_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_passed uuid[];
  v_moved uuid[];
  v_ranks integer[];
begin
  with reported as (
    select distinct on (t.message_id) t.message_id, t.wamid, t.errors,
      -- A voice note that was played was read.
      case t.status when 'played' then 'read' else t.status end as status,
      first_value(t.pricing) over (
        partition by t.message_id
        order by t.pricing is null, switchyard.status_rank(t.status) desc, t.id) as pricing
    from switchyard.message_statuses t
    where t.message_id = any (message_ids)
    order by t.message_id, switchyard.status_rank(t.status) desc, t.id
  ), moved as (
    update switchyard.messages m
    set
      status = case when switchyard.status_rank(r.status) > switchyard.status_rank(m.status)
        then r.status else m.status end,
      failure = case when switchyard.status_rank(r.status) > switchyard.status_rank(m.status)
        then r.errors -> 0 else m.failure end,
      wamid = coalesce(m.wamid, r.wamid),
      price = coalesce(r.pricing, m.price),
      unknown_until = null
    from reported r
    join switchyard.messages was on was.id = r.message_id
    where m.id = r.message_id
    returning m.id, m.queue_entry_id, m.holds_pair, m.waits_turn, was.status as old_status, m.status
  )
  -- While a worker has it, the turn ends when that worker settles.
  select array_agg(id) filter (where (holds_pair or waits_turn) and queue_entry_id is null),
    array_agg(id) filter (where status <> old_status),
    array_agg(switchyard.status_rank(old_status)) filter (where status <> old_status)
  into v_passed, v_moved, v_ranks
  from moved;
  perform switchyard.pass_turn(v_passed) where v_passed is not null;
  perform switchyard.tell_reports(v_moved, v_ranks) where v_moved is not null;
end;
$$;

-- Gives statuses that came before the answer of the call, and so before we knew the wamid, to their
-- message.
create or replace function switchyard.match_statuses(message_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_matched uuid[];
begin
  with matched as (
    update switchyard.message_statuses t
    set message_id = m.id
    from switchyard.messages m
    where m.id = any (message_ids) and m.wamid is not null
      and t.wamid = m.wamid and t.message_id is null and t.sender_id = m.sender_id
    returning m.id
  )
  select array_agg(distinct id) into v_matched from matched;
  perform switchyard.follow_statuses(v_matched) where v_matched is not null;
end;
$$;

-- Ends messages that Meta has refused for good, those with the same error together; their turn is still
-- to be passed.
create or replace function switchyard.give_up_rejected(
  outcomes jsonb, message_ids uuid[], at timestamptz
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_rejected record;
begin
  for v_rejected in
    select array_agg(o.id) as ids, o.error
    from jsonb_to_recordset(outcomes) as o (id uuid, error jsonb)
    where o.id = any (message_ids)
    group by o.error
  loop
    perform switchyard.give_up_messages(v_rejected.ids,
      coalesce(v_rejected.error ->> 'cause', 'rejected'), v_rejected.error, give_up_rejected.at);
  end loop;
end;
$$;

-- Pauses the senders whose credential was refused, each for the newest version that was.
create or replace function switchyard.pause_refused(
  outcomes jsonb, message_ids uuid[], at timestamptz
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform switchyard.raise_attention(array[refused.sender_id], refused.cause, refused.error,
    pause_refused.at, array[refused.version])
  from (
    select distinct on (m.sender_id) m.sender_id, o.error, o.refused_version as version,
      coalesce(o.error ->> 'cause', 'credential_refused') as cause
    from jsonb_to_recordset(outcomes) as o (id uuid, error jsonb, refused_version integer)
    join switchyard.messages m on m.id = o.id
    where o.refused_version is not null and o.id = any (message_ids)
    order by m.sender_id, o.refused_version desc
  ) refused;
end;
$$;

-- Moves settled messages to where their outcome leads, in one update: each costs new entries in every
-- index. A status that Meta reported before this answer was written stands. Locks are taken in one
-- order, so that settles do not deadlock: messages, then lanes, all at once, then senders.
create or replace function switchyard.record_outcomes(
  outcomes jsonb, settled_ids uuid[], at timestamptz
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_queued uuid[];
  v_rejected uuid[];
  v_refused uuid[];
  v_unknown uuid[];
  v_ended uuid[];
  v_too_fast uuid[];
  v_proven uuid[];
  v_forward uuid[];
begin
  -- The list says which statuses are final, of rank 2 and more: a call would cost as much as the update.
  with moved as (
    update switchyard.messages m
    set
      status = case
        when m.status not in ('queued', 'sending', 'outcome_unknown') then m.status
        when o.outcome = 'accepted' then 'sent'
        when o.outcome = 'unknown' then 'outcome_unknown'
        when o.outcome in ('retry', 'deferred') then 'queued'
        else m.status
      end,
      holds_pair = m.holds_pair and o.outcome <> 'accepted'
        and m.status in ('queued', 'sending', 'outcome_unknown'),
      queue_entry_id = null,
      lease_expires_at = null,
      wamid = coalesce(m.wamid, o.wamid),
      failure_count = m.failure_count + case when o.outcome = 'retry' then 1 else 0 end,
      failure = case
        when m.status not in ('queued', 'sending', 'outcome_unknown') then m.failure
        when o.outcome <> 'accepted' then coalesce(o.error, m.failure)
      end,
      waiting_for = case when o.outcome = 'deferred' then o.waiting_for end,
      deferral_count = case when o.outcome = 'deferred' and o.waiting_for like 'limit:%'
        then m.deferral_count + 1 else 0 end,
      due_at = coalesce(o.due_at + o.skew, m.due_at),
      unknown_until = case
        when o.outcome = 'unknown' and m.status in ('queued', 'sending', 'outcome_unknown')
        then o.unknown_until + o.skew end
    from (
      -- What a worker names is so long after its own finished_at: its clock may be wrong.
      select told.*,
        coalesce(record_outcomes.at - told.finished_at, interval '0') as skew
      from jsonb_to_recordset(outcomes) as told (
        id uuid, outcome text, wamid text, error jsonb, waiting_for text, due_at timestamptz,
        unknown_until timestamptz, throttled boolean, refused_version integer,
        finished_at timestamptz)
    ) o
    where m.id = o.id and o.id = any (settled_ids)
    returning m.id, m.sender_id, m.status, o.outcome, o.throttled, o.refused_version
  )
  select
    array_agg(id) filter (where status = 'queued'),
    array_agg(id) filter (where outcome = 'rejected' and status in ('sending', 'outcome_unknown')),
    array_agg(id) filter (where refused_version is not null),
    array_agg(id) filter (where status = 'outcome_unknown'),
    array_agg(id) filter (where status not in ('queued', 'sending', 'outcome_unknown')),
    array_agg(distinct sender_id) filter (where throttled),
    array_agg(distinct sender_id) filter (where outcome = 'accepted')
  into v_queued, v_rejected, v_refused, v_unknown, v_ended, v_too_fast, v_proven
  from moved;

  perform switchyard.give_up_rejected(outcomes, v_rejected, record_outcomes.at)
  where v_rejected is not null;
  perform switchyard.tell_statuses(v_ended || v_unknown || v_rejected, record_outcomes.at);
  perform switchyard.match_statuses(settled_ids);
  v_ended := v_ended || v_rejected;
  v_forward := v_queued
    || case when v_ended is not null then switchyard.end_turns(v_ended) end
    || case when v_unknown || v_queued is not null
      then switchyard.yield_turns(v_unknown || v_queued) end;
  perform switchyard.lower_heads(v_forward) where v_forward is not null;
  perform switchyard.close_lanes(v_queued) where v_queued is not null;
  perform switchyard.prove_senders(v_proven, record_outcomes.at) where v_proven is not null;
  perform switchyard.slow_down_senders(v_too_fast, record_outcomes.at) where v_too_fast is not null;
  perform switchyard.pause_refused(outcomes, v_refused, record_outcomes.at)
  where v_refused is not null;
end;
$$;

-- Writes back what came of claimed messages. Only the attempt that was given out is settled, in the
-- statement that checks it: a worker that comes late changes nothing, except that it may still say what
-- became of an attempt which was taken for lost.
-- Outcomes: accepted {wamid}, retry {due_at, throttled?, refused_version?}, rejected,
-- unknown {unknown_until}, and deferred {due_at, waiting_for} for what was not called for.
create or replace function switchyard_api.settle_messages(
  outcomes jsonb, at timestamptz default clock_timestamp()
)
returns table (id uuid, settled boolean)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_entries bigint[];
begin
  perform from switchyard.messages m
  where m.id in (select (o ->> 'id')::uuid from jsonb_array_elements(outcomes) o)
  order by m.id
  for no key update;

  with outcome as materialized (
    select o.*
    from jsonb_to_recordset(outcomes) as o (
      id uuid, attempt integer, outcome text, wamid text, error jsonb, finished_at timestamptz)
    -- From here to the messages by their key, whatever the planner thinks of so young a table.
    cross join lateral (
      select from switchyard.messages m
      where m.id = o.id and m.attempt_count = o.attempt
      offset 0
    ) current
  ), finished as (
    update switchyard.message_attempts a
    set outcome = o.outcome, finished_at = coalesce(o.finished_at, settle_messages.at),
      error = o.error, wamid = o.wamid
    from outcome o
    where a.message_id = o.id and a.attempt = o.attempt
      and (a.outcome is null or a.outcome = 'unknown')
      and o.outcome <> 'deferred'
    returning a.message_id
  ), withdrawn as (
    delete from switchyard.message_attempts a
    using outcome o
    where a.message_id = o.id and a.attempt = o.attempt and a.outcome is null
      and o.outcome = 'deferred'
    returning a.message_id
  )
  select array_agg(message_id) into v_ids
  from (select * from finished union all select * from withdrawn) done;

  v_entries := array(
    select m.queue_entry_id from switchyard.messages m
    where m.id = any (v_ids) and m.queue_entry_id is not null);
  perform switchyard.record_outcomes(outcomes, v_ids, settle_messages.at) where v_ids is not null;
  perform pgmq.delete('wa_outbound', v_entries) where cardinality(v_entries) > 0;
  perform switchyard.follow_charges(v_ids, settle_messages.at) where v_ids is not null;

  return query
  select (o ->> 'id')::uuid, (o ->> 'id')::uuid = any (coalesce(v_ids, '{}'))
  from jsonb_array_elements(outcomes) o;
end;
$$;

-- Decides what becomes of messages whose outcome stayed unknown: no status came within the grace. An
-- urgent message is never sent again blindly, nor is a bulk message worth a double; a normal one is
-- sent again. The choice that the caller made for the message wins.
create or replace function switchyard.resolve_unknown_messages(at timestamptz, most integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_due uuid[];
  v_dead uuid[];
begin
  v_due := array(
    select m.id from switchyard.messages m
    where m.status = 'outcome_unknown' and m.unknown_until <= resolve_unknown_messages.at
      -- A status of its sender that came in time and is not applied yet may be the one that settles it.
      and not exists (
        select from switchyard.inbound_events e
        where e.sender_id = m.sender_id and e.state = 'pending' and e.kind = 'status'
          and e.received_at <= m.unknown_until)
    order by m.unknown_until
    limit most
    for update skip locked
  );
  v_dead := array(
    select m.id from switchyard.messages m
    where m.id = any (v_due)
      and coalesce(m.on_unknown, case when m.lane = 'normal' then 'resend' else 'dead_letter' end)
        = 'dead_letter'
  );
  perform switchyard.bury_messages(v_dead, 'outcome_unknown', null, resolve_unknown_messages.at)
  where cardinality(v_dead) > 0;
  perform switchyard.tell_statuses(v_dead, resolve_unknown_messages.at)
  where cardinality(v_dead) > 0;

  update switchyard.messages m
  set status = 'queued', due_at = resolve_unknown_messages.at, unknown_until = null
  where m.id = any (v_due) and m.id <> all (v_dead);
  perform switchyard.lower_heads(v_due) where cardinality(v_due) > 0;
  return cardinality(v_due);
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
