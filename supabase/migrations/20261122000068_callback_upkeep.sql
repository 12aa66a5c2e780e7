-- Upkeep of callbacks: what is due is rung for, what is old and what belongs to removed endpoints goes.
-- Locks nothing. Undo: unschedule the job and drop the functions below.

-- Deletes a bounded number of events that are older than settings say, with whatever was not delivered
-- of them, and what is left of removed endpoints.
create or replace function switchyard.prune_callbacks(at timestamptz, most integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_old uuid[];
  v_endpoints uuid[];
  v_keys text[];
begin
  perform switchyard.lock_callback_lines();
  v_old := array(
    select e.id from switchyard.callback_events e
    where e.created_at <= prune_callbacks.at - (
      select make_interval(days => callbacks_kept_days) from switchyard.settings)
    order by e.created_at
    limit most);
  with deleted as (
    delete from switchyard.callback_deliveries d where d.event_id = any (v_old)
    returning d.endpoint_id, d.order_key, d.state
  )
  select array_agg(endpoint_id), array_agg(order_key) into v_endpoints, v_keys
  from deleted where state = 'head';
  delete from switchyard.callback_events e where e.id = any (v_old);
  perform switchyard.pass_callback_turns(v_endpoints, v_keys) where v_endpoints is not null;

  delete from switchyard.callback_deliveries d
  where d.id = any (array(
    select left_over.id
    from switchyard.callback_endpoints e
    cross join lateral (
      select l.id from switchyard.callback_deliveries l where l.endpoint_id = e.id limit most
    ) left_over
    where e.status = 'removed'
    limit most));
  delete from switchyard.callback_endpoints e
  where e.status = 'removed'
    and not exists (select from switchyard.callback_deliveries d where d.endpoint_id = e.id);
  return cardinality(v_old);
end;
$$;

-- Forgets the secrets that were replaced a day ago.
create or replace function switchyard.forget_callback_secrets(at timestamptz)
returns void
language sql
set search_path = ''
as $$
  delete from vault.secrets v
  where v.id in (
    select e.previous_secret_id from switchyard.callback_endpoints e
    where e.previous_secret_until <= forget_callback_secrets.at);
  update switchyard.callback_endpoints e
  set previous_secret_id = null, previous_secret_until = null
  where e.previous_secret_until <= forget_callback_secrets.at;
$$;

-- One tick: rings where something is due or was told, and sweeps.
create or replace function switchyard.callbacks_tick(at timestamptz default clock_timestamp())
returns void
language plpgsql
set search_path = ''
as $$
begin
  if not pg_try_advisory_xact_lock(hashtextextended('switchyard.callbacks_tick', 0)) then
    return;
  end if;
  if exists (select from switchyard.callback_deliveries d where d.state = 'new')
    or cardinality(switchyard.find_due_callback_endpoints(callbacks_tick.at)) > 0
  then
    perform switchyard.ring_doorbell('wa-callbacks');
  end if;
  perform switchyard.forget_callback_secrets(callbacks_tick.at);
  perform switchyard.prune_callbacks(callbacks_tick.at, 2000);
end;
$$;

select cron.schedule('switchyard-callbacks-tick', '5 seconds', 'select switchyard.callbacks_tick()');

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
