-- What wakes the functions: the doorbell at once, cron every few seconds, and the snapshot that says
-- how it all is. Locks nothing. Undo: unschedule the jobs, drop the functions below.

-- Calls a function through pg_net once the transaction commits; once a transaction, however many
-- messages it accepts. The function answers at once and works on, so that a doorbell never holds up
-- another (pg_net waits for the slowest of its batch). Losing a ring costs seconds: cron rings too.
-- Without the two Vault secrets (docs/deploy.md) nothing rings and health says so.
create or replace function switchyard.ring_doorbell(function_name text)
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_mark text := 'switchyard.rung_' || regexp_replace(function_name, '\W', '_', 'g');
  v_url text;
  v_key text;
begin
  if current_setting(v_mark, true) = pg_current_xact_id()::text then
    return;
  end if;
  perform set_config(v_mark, pg_current_xact_id()::text, true);

  select max(s.decrypted_secret) filter (where s.name = 'switchyard_project_url'),
    max(s.decrypted_secret) filter (where s.name = 'switchyard_secret_key')
  into v_url, v_key
  from vault.decrypted_secrets s
  where s.name in ('switchyard_project_url', 'switchyard_secret_key');
  if v_url is null or v_key is null then
    return;
  end if;

  perform net.http_post(
    url := v_url || '/functions/v1/' || function_name,
    body := '{}'::jsonb,
    headers := jsonb_build_object(
      'apikey', v_key, 'content-type', 'application/json', 'prefer', 'respond-async'),
    timeout_milliseconds := 2000
  );
end;
$$;

-- Lets a function that has spent what it may hand the rest of its work on.
create or replace function switchyard_api.ring_doorbell(function_name text)
returns void
language sql
security definer
set search_path = ''
as $$
  select switchyard.ring_doorbell(ring_doorbell.function_name)
  where ring_doorbell.function_name in (
    'wa-sender', 'wa-inbound', 'wa-callbacks', 'wa-conversations/media');
$$;

-- One tick: says that cron lives, takes back what died with its worker, decides what stayed unknown, and
-- rings where work is due.
create or replace function switchyard.tick(at timestamptz default clock_timestamp())
returns void
language plpgsql
set search_path = ''
as $$
begin
  update switchyard.settings set ticked_at = tick.at;
  perform switchyard.end_lost_leases(tick.at, 1000);
  perform switchyard.resolve_unknown_messages(tick.at, 1000);
  perform switchyard.bury_messages_of_removed(tick.at, 1000);
  perform switchyard.call_back_the_rest(tick.at);
  perform switchyard.release_after_resets(tick.at);
  perform switchyard.speed_up_senders(tick.at);
  -- Of all that were given up in this tick, whoever did it: money is locked last.
  perform switchyard.follow_charges(array(
    select d.message_id from switchyard.dead_letters d
    where d.created_at = tick.at and d.redriven_at is null and d.message_id is not null), tick.at);

  if switchyard_api.next_due_at() <= tick.at then
    perform switchyard.ring_doorbell('wa-sender');
  end if;
  if exists (select from pgmq.q_wa_inbound q where q.vt <= tick.at) then
    perform switchyard.ring_doorbell('wa-inbound');
  end if;
end;
$$;

-- Forgets what nobody reads any more: cron keeps every run for ever by itself.
create or replace function switchyard.prune(at timestamptz default clock_timestamp())
returns void
language sql
set search_path = ''
as $$
  delete from cron.job_run_details d where d.end_time < prune.at - interval '1 day';
$$;

select cron.schedule('switchyard-tick', '5 seconds', 'select switchyard.tick()');
select cron.schedule('switchyard-prune', '17 3 * * *', 'select switchyard.prune()');

-- Counts what is wrong with the books, up to 10,000; the table comes with a later migration.
create or replace function switchyard.count_wallet_findings()
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select count(*) from (
      select from switchyard.wallet_findings w where w.gone_at is null limit 10000) w);
end;
$$;

-- Counts files of customers that could not be kept, up to 10,000; their table comes with a later
-- migration.
create or replace function switchyard.count_failed_media()
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select count(*) from (
      select from switchyard.media_files m
      where m.state in ('gone', 'failed') limit 10000) m);
end;
$$;

-- Tells how the installation is, in one round trip. Depths are counted up to 10,000 only: beyond that
-- the exact number costs more than it says.
create or replace function switchyard_api.health_snapshot(at timestamptz default clock_timestamp())
returns jsonb
language sql
stable
security definer
set search_path = ''
set statement_timeout = '2s'
as $$
  select jsonb_build_object(
    'outbound', (
      select jsonb_build_object('depth', count(*),
        'oldest_age_seconds', coalesce(extract(epoch from health_snapshot.at - min(due_at)), 0))
      from (
        select due.due_at
        from switchyard.sender_lanes l
        cross join lateral (
          select m.due_at from switchyard.messages m
          where m.sender_id = l.sender_id and m.share = l.share
            and m.status = 'queued' and m.queue_entry_id is null and not m.waits_turn
            and m.due_at <= health_snapshot.at
          order by m.due_at, m.accepted_no limit 10000
        ) due
        where l.head_due_at <= health_snapshot.at
        limit 10000
      ) due),
    'outbound_in_flight', (
      select count(*) from (select from pgmq.q_wa_outbound limit 10000) entry),
    'inbound', (
      select jsonb_build_object('depth', count(*),
        'oldest_age_seconds', coalesce(extract(epoch from health_snapshot.at - min(received_at)), 0))
      from (
        select e.received_at from switchyard.inbound_events e
        where e.state = 'pending' and e.received_at <= health_snapshot.at
        order by e.received_at limit 10000
      ) pending),
    'outcome_unknown', (
      select count(*) from (
        select from switchyard.messages m where m.status = 'outcome_unknown' limit 10000) m),
    'dead_letters', (
      select count(*) from (
        select from switchyard.dead_letters d where d.redriven_at is null limit 10000) d),
    'quarantined', (
      select count(*) from (
        select from switchyard.inbound_events e where e.state = 'quarantined' limit 10000) e),
    -- For a day, or until it is replayed: somebody is to see it, not to be reminded for three months.
    -- Meta's dashboard test is nobody's to look at.
    'quarantined_lately', (
      select count(*) from (
        select e.received_at, e.reason from switchyard.inbound_events e
        where e.state = 'quarantined'
        order by e.id desc limit 10000
      ) newest
      where newest.received_at > health_snapshot.at - interval '1 day'
        and newest.reason is distinct from 'dashboard_test'),
    'media_failed', switchyard.count_failed_media(),
    'wallet_findings', switchyard.count_wallet_findings(),
    'senders', (
      select jsonb_build_object('active', count(*) filter (where s.status = 'active'),
        'paused', count(*) filter (where s.status = 'paused'),
        'needing_attention', (
          select count(distinct a.sender_id) from switchyard.sender_attention a
          where a.cleared_at is null))
      from switchyard.senders s where s.status <> 'removed'),
    'callbacks', switchyard.callbacks_snapshot(health_snapshot.at),
    'cron', (
      select jsonb_build_object('ticked_at', ticked_at,
        'age_seconds', extract(epoch from health_snapshot.at - ticked_at))
      from switchyard.settings),
    'idempotency', switchyard.tell_idempotency_counts(),
    'secrets', (
      select jsonb_build_object(
        'switchyard_project_url', coalesce(bool_or(s.name = 'switchyard_project_url'), false),
        'switchyard_secret_key', coalesce(bool_or(s.name = 'switchyard_secret_key'), false))
      from vault.secrets s)
  );
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;

notify pgrst, 'reload schema';
