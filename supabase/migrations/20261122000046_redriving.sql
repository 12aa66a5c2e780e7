-- Redriving: what died is taken up again, once, at a chosen pace and under the limits of its sender as
-- any other message. Locks nothing. Undo: drop the functions below.

-- Says when a redrive may place its first message: now, or where the last one by this filter ended.
create or replace function switchyard.redrive_starts_at(
  wanted_tenant_id uuid, filter jsonb, at timestamptz
)
returns timestamptz
language sql
stable
set search_path = ''
as $$
  select greatest(redrive_starts_at.at, (
    select r.next_due_at from switchyard.redrives r
    where r.tenant_id is not distinct from redrive_starts_at.wanted_tenant_id
      and r.filter = redrive_starts_at.filter
    order by r.created_at desc
    limit 1));
$$;

-- Tells what a redrive would take up, by tenant and cause, and what it would hold back and why, without
-- changing anything. Looks at up to 100,000 letters, the oldest first. A message that would expire
-- before its turn at this rate counts as expired.
create or replace function switchyard_api.preview_redrive(
  wanted_tenant_id uuid, filter jsonb, rate_per_second numeric,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (with start as (
    select switchyard.redrive_starts_at(
      preview_redrive.wanted_tenant_id, preview_redrive.filter, preview_redrive.at) as at
  ), found as (
    select d.*, row_number() over (
      partition by d.held_back, d.message_id is null order by d.created_at, d.id) - 1 as nth
    from start
    cross join lateral switchyard.find_dead_letters(
      preview_redrive.wanted_tenant_id, preview_redrive.filter, start.at, 'oldest_first', false,
      100001) d
  ), timed as (
    select f.*, start.at + f.nth * make_interval(secs => 1.0 / rate_per_second) as due_at
    from found f
    cross join start
    where f.nth < 100000
  ), aged as (
    select t.*, case
      when t.held_back is null and t.expires_at <= t.due_at
        and preview_redrive.filter ->> 'expired' is distinct from 'true' then 'expired'
      else t.held_back end as reason
    from timed t
  ), uncovered as (
    select u.id from switchyard.find_uncovered(array(
      select a.message_id from aged a
      where a.reason is null and a.message_id is not null
      order by a.due_at), preview_redrive.at) as u (id)
  ), judged as (
    select a.*, case
      when a.reason is null and a.message_id in (select u.id from uncovered u)
        then 'insufficient_funds'
      else a.reason end as verdict
    from aged a
  ), going as (
    select * from judged where verdict is null
  )
  select jsonb_build_object(
    'messages', (select count(*) from going where message_id is not null),
    'events', (select count(*) from going where message_id is null),
    'is_complete', (select count(*) from found) <= 100000,
    'oldest_at', (select min(created_at) from going),
    'newest_at', (select max(created_at) from going),
    'starts_at', (select min(due_at) from going where message_id is not null),
    'ends_at', (select max(due_at) from going where message_id is not null),
    'causes', coalesce((
      select jsonb_agg(to_jsonb(by_cause) order by by_cause.count desc, by_cause.cause)
      from (
        select tenant_id, cause, count(*) as count,
          min(created_at) as oldest_at, max(created_at) as newest_at
        from going
        group by tenant_id, cause
      ) by_cause), '[]'),
    'held_back', coalesce((
      select jsonb_object_agg(by_reason.verdict, by_reason.count)
      from (
        select verdict, count(*) as count from judged where verdict is not null group by verdict
      ) by_reason), '{}')
  ));
end;
$$;

-- Locks those of the letters that are still open and that nobody else is redriving.
create or replace function switchyard.lock_dead_letters(letter_ids uuid[])
returns uuid[]
language plpgsql
set search_path = ''
as $$
begin
  return array(
    select d.id from switchyard.dead_letters d
    where d.id = any (letter_ids) and d.redriven_at is null
    order by d.id
    for no key update skip locked
  );
end;
$$;

-- Puts the messages of locked letters back into the backlog, one after the other at the rate, in the
-- order in which they died; what its tenant's wallet does not cover stays. What Meta has reported
-- meanwhile stays where it is: that is looked up once the messages are locked, so that no report that
-- came before is overlooked. Attempts stay on record; failures are counted anew, and the letter keeps
-- the old count.
create or replace function switchyard.redrive_messages(
  letter_ids uuid[], redrive_id uuid, starts_at timestamptz, step interval, at timestamptz
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_renews_expired boolean := (
    select r.filter ->> 'expired' is not distinct from 'true'
    from switchyard.redrives r where r.id = redrive_messages.redrive_id);
  v_locked uuid[];
  v_messages uuid[];
  v_due_at timestamptz[];
  v_uncovered uuid[];
begin
  v_locked := array(
    select m.id from switchyard.messages m
    where m.id = any (array(
      select d.message_id from switchyard.dead_letters d where d.id = any (letter_ids)))
    order by m.id
    for no key update skip locked
  );

  select array_agg(turn.id order by turn.due_at), array_agg(turn.due_at order by turn.due_at)
  into v_messages, v_due_at
  from (
    select m.id, m.expires_at, redrive_messages.starts_at + step * (
      row_number() over (order by min(d.created_at), m.accepted_no) - 1) as due_at
    from switchyard.dead_letters d
    join switchyard.messages m on m.id = d.message_id
    where d.id = any (letter_ids) and m.id = any (v_locked) and m.status = 'dead'
      and not exists (select from switchyard.message_statuses t where t.message_id = m.id)
    group by m.id
  ) turn
  where v_renews_expired or turn.expires_at > turn.due_at;
  if v_messages is null then
    return;
  end if;

  perform switchyard.lock_lanes(v_messages);
  v_uncovered := switchyard.hold_again(v_messages, redrive_messages.at);
  select array_agg(turn.id), array_agg(turn.due_at) into v_messages, v_due_at
  from unnest(v_messages, v_due_at) as turn (id, due_at)
  where turn.id <> all (v_uncovered);
  if v_messages is null then
    return;
  end if;

  update switchyard.dead_letters d
  set redriven_at = redrive_messages.at, redrive_id = redrive_messages.redrive_id,
    failure_count = m.failure_count
  from switchyard.messages m
  where d.message_id = any (v_messages) and d.redriven_at is null and m.id = d.message_id;

  update switchyard.messages m
  set
    status = 'queued',
    due_at = turn.due_at,
    expires_at = case when m.expires_at <= turn.due_at
      then turn.due_at + interval '24 hours' else m.expires_at end,
    failure_count = 0,
    ended_at = null
  from unnest(v_messages, v_due_at) as turn (id, due_at)
  where m.id = turn.id;

  perform switchyard.lower_heads(v_messages);
  perform switchyard.ring_doorbell('wa-sender');
end;
$$;

-- Puts the events of locked letters back into the queue. They cost Meta nothing and are not paced.
create or replace function switchyard.redrive_events(
  letter_ids uuid[], redrive_id uuid, at timestamptz
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_events bigint[];
begin
  with pending as (
    update switchyard.inbound_events e
    set state = 'pending', reason = null, processed_at = null
    where e.state = 'dead' and e.id = any (array(
      select d.inbound_event_id from switchyard.dead_letters d where d.id = any (letter_ids)))
    returning e.id
  )
  select array_agg(id order by id) into v_events from pending;
  if v_events is null then
    return;
  end if;

  update switchyard.dead_letters d
  set redriven_at = redrive_events.at, redrive_id = redrive_events.redrive_id
  where d.inbound_event_id = any (v_events) and d.redriven_at is null;

  perform pgmq.send_batch('wa_inbound', array(
    select jsonb_build_object('id', event.id) from unnest(v_events) as event (id)));
  perform switchyard.ring_doorbell('wa-inbound');
end;
$$;

-- Writes a redrive into the audit log of each tenant whose letters it took up.
create or replace function switchyard.audit_redrive(redrive_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform switchyard.write_audit(taken.tenant_id, r.actor, 'dead_letters.redriven', r.id::text,
    jsonb_build_object('filter', r.filter, 'rate_per_second', r.rate_per_second,
      'messages', taken.messages, 'events', taken.events))
  from switchyard.redrives r
  cross join lateral (
    select d.tenant_id, count(distinct d.message_id) as messages,
      count(distinct d.inbound_event_id) as events
    from switchyard.dead_letters d
    where d.redrive_id = r.id
    group by d.tenant_id
  ) taken
  where r.id = audit_redrive.redrive_id;
end;
$$;

-- Sums up a redrive by tenant and cause.
create or replace function switchyard.describe_redrive(redrive_id uuid)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'redrive_id', case when count(*) > 0 then describe_redrive.redrive_id end,
    'messages', coalesce(sum(messages), 0),
    'events', coalesce(sum(events), 0),
    'causes', coalesce(jsonb_agg(jsonb_build_object(
      'tenant_id', tenant_id, 'cause', cause, 'count', messages + events,
      'oldest_at', oldest_at, 'newest_at', newest_at) order by messages + events desc, cause), '[]')
  )
  from (
    select d.tenant_id, d.cause, count(distinct d.message_id) as messages,
      count(distinct d.inbound_event_id) as events,
      min(d.created_at) as oldest_at, max(d.created_at) as newest_at
    from switchyard.dead_letters d
    where d.redrive_id = describe_redrive.redrive_id
    group by d.tenant_id, d.cause
  ) by_cause;
$$;

-- Takes up to 10,000 open letters up again, the oldest first, and says how many are left for the next
-- call, counted up to 10,000. A letter goes once, on however many connections: whoever locks it first
-- has it. Calls with the same filter go one after the other and keep one pace between them. What
-- find_dead_letters() holds back stays, and so does what would expire before its turn at this rate and
-- what its tenant's wallet does not cover: that is counted as uncovered, and not among what is left.
create or replace function switchyard_api.redrive_dead_letters(
  wanted_tenant_id uuid, filter jsonb, rate_per_second numeric, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_id uuid := switchyard.new_id();
  v_step interval := make_interval(secs => 1.0 / rate_per_second);
  v_starts_at timestamptz;
  v_next_due_at timestamptz;
  v_letters uuid[];
  v_left bigint;
  v_uncovered bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended(
    format('switchyard.redrive:%s:%s', wanted_tenant_id, filter), 0));
  v_starts_at := switchyard.redrive_starts_at(wanted_tenant_id, filter, redrive_dead_letters.at);
  v_letters := switchyard.lock_dead_letters(array(
    select f.id from switchyard.find_dead_letters(
      wanted_tenant_id, filter, v_starts_at, 'oldest_first', true, 10000) f));
  v_next_due_at := v_starts_at + v_step * (
    select count(d.message_id) from switchyard.dead_letters d where d.id = any (v_letters));

  if cardinality(v_letters) > 0 then
    insert into switchyard.redrives (
      id, tenant_id, filter, rate_per_second, actor, next_due_at, created_at
    )
    values (v_id, wanted_tenant_id, filter, rate_per_second, actor, v_next_due_at,
      redrive_dead_letters.at);
    perform switchyard.redrive_messages(v_letters, v_id, v_starts_at, v_step, redrive_dead_letters.at);
    perform switchyard.redrive_events(v_letters, v_id, redrive_dead_letters.at);
    perform switchyard.audit_redrive(v_id);
  end if;

  select count(*) into v_uncovered
  from switchyard.dead_letters d
  where d.id = any (v_letters) and d.redriven_at is null and d.message_id in (
    select p.message_id
    from switchyard.price_again(array(
      select l.message_id from switchyard.dead_letters l where l.id = any (v_letters)),
      redrive_dead_letters.at) p);
  select count(*) - v_uncovered into v_left
  from switchyard.find_dead_letters(
    wanted_tenant_id, filter, v_next_due_at, 'oldest_first', true, 10001);
  return switchyard.describe_redrive(v_id) || jsonb_build_object(
    'starts_at', v_starts_at,
    'ends_at', v_next_due_at,
    'uncovered', v_uncovered,
    'left', least(v_left, 10000),
    'left_is_complete', v_left <= 10000);
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
