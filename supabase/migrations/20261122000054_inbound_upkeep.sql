-- Upkeep of what came in: events that lost their place in the queue get it back, senders get what came
-- before them, and what is old goes. Locks settings for a moment, to add columns, and inbound_events
-- against writes for the time of an index scan. Undo: unschedule the job, drop the functions, the index
-- and the columns.

alter table switchyard.settings
  -- Meta sends again for seven days, and only what is still there is known to have come before.
  add column if not exists events_kept_days integer not null default 30,
  add column if not exists quarantine_kept_days integer not null default 90,
  drop constraint if exists events_outlive_the_retries_of_meta,
  add constraint events_outlive_the_retries_of_meta
    check (events_kept_days >= 8 and quarantine_kept_days >= 8);

create index if not exists inbound_events_processed
  on switchyard.inbound_events (processed_at)
  where state in ('applied', 'replayed');

-- Queues pending events again that have no entry in the queue, the oldest first: nothing that was
-- stored stays unapplied. The first minutes belong to whoever stored them.
create or replace function switchyard.requeue_stranded_events(
  at timestamptz, grace interval, most integer
)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_stranded bigint[];
begin
  v_stranded := array(
    select e.id
    from (
      select e.id, e.received_at from switchyard.inbound_events e
      where e.state = 'pending' and e.received_at <= requeue_stranded_events.at - grace
      order by e.received_at
      limit most
    ) e
    where not exists (
      select from pgmq.q_wa_inbound q where (q.message ->> 'id')::bigint = e.id)
    order by e.received_at, e.id);
  perform switchyard.queue_events(v_stranded);
  return cardinality(v_stranded);
end;
$$;

-- Deletes a bounded number of old events: applied ones after the days that settings give, quarantined
-- ones after theirs. Dead ones stay as long as their letter. Statuses and what customers wrote stay
-- with their messages and conversations.
create or replace function switchyard.prune_inbound_events(at timestamptz, most integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_deleted integer;
  v_kept interval;
  v_quarantine_kept interval;
begin
  select make_interval(days => events_kept_days), make_interval(days => quarantine_kept_days)
  into v_kept, v_quarantine_kept
  from switchyard.settings;

  delete from switchyard.inbound_events d
  where d.id = any (array(
      select e.id from switchyard.inbound_events e
      where e.state in ('applied', 'replayed')
        and e.processed_at <= prune_inbound_events.at - v_kept
      order by e.processed_at
      limit most)
    || array(
      select oldest.id from (
        select e.id, e.received_at from switchyard.inbound_events e
        where e.state = 'quarantined'
        order by e.id
        limit most
      ) oldest
      where oldest.received_at <= prune_inbound_events.at - v_quarantine_kept));
  get diagnostics v_deleted = row_count;
  return v_deleted;
end;
$$;

-- One tick; a second one at the same time does nothing.
create or replace function switchyard.inbound_tick(at timestamptz default clock_timestamp())
returns void
language plpgsql
set search_path = ''
as $$
begin
  if not pg_try_advisory_xact_lock(hashtextextended('switchyard.inbound_tick', 0)) then
    return;
  end if;
  perform switchyard.requeue_stranded_events(inbound_tick.at, interval '5 minutes', 1000);
  perform switchyard.adopt_events_of(s, 1000)
  from switchyard.senders s
  where s.created_at > inbound_tick.at - interval '1 day' and s.status <> 'removed';
  perform switchyard.prune_inbound_events(inbound_tick.at, 20000);
  perform switchyard.account_tick(inbound_tick.at);
  perform switchyard.prune_changes(inbound_tick.at, 5000);
  perform switchyard.media_tick(inbound_tick.at);
end;
$$;

select cron.schedule('switchyard-inbound-tick', '10 seconds', 'select switchyard.inbound_tick()');

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
