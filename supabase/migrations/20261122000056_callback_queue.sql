-- Delivering callbacks: claims, what came of them, retries for a day, and the pause of who fails that
-- long. Locks settings for a moment, to add columns. Undo: unschedule the job, drop the functions and
-- the columns.

alter table switchyard.settings
  add column if not exists callbacks_kept_days integer not null default 7,
  add column if not exists callback_retry_hours integer not null default 24,
  drop constraint if exists callbacks_outlive_their_retries,
  add constraint callbacks_outlive_their_retries
    check (callback_retry_hours >= 1 and callbacks_kept_days * 24 >= 2 * callback_retry_hours);

-- Lets one at a time move heads, until the end of the transaction: so no line with something in it is
-- ever without a head, and no endpoint has more calls under way than it may. Each holds it for a batch.
create or replace function switchyard.lock_callback_lines()
returns void
language sql
set search_path = ''
as $$
  select pg_advisory_xact_lock(hashtextextended('switchyard.callback_lines', 0));
$$;

-- Puts new deliveries into their lines, in the order in which they were told: the first of a line that
-- has no head becomes it, the others wait. Called under the lock of the lines.
create or replace function switchyard.line_up_callbacks(most integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_new bigint[];
begin
  v_new := array(
    select d.id from switchyard.callback_deliveries d
    where d.state = 'new'
    order by d.id
    limit most);
  if cardinality(v_new) = 0 then
    return 0;
  end if;

  update switchyard.callback_deliveries d
  set state = case when placed.turn = 1 and not exists (
      select from switchyard.callback_deliveries h
      where h.endpoint_id = placed.endpoint_id and h.order_key = placed.order_key
        and h.state = 'head')
    then 'head' else 'waiting' end
  from (
    select n.id, n.endpoint_id, n.order_key,
      row_number() over (partition by n.endpoint_id, n.order_key order by n.id) as turn
    from switchyard.callback_deliveries n
    where n.id = any (v_new)
  ) placed
  where d.id = placed.id;
  return cardinality(v_new);
end;
$$;

-- Lets the next of each line go whose head is over. Called under the lock of the lines.
create or replace function switchyard.pass_callback_turns(endpoint_ids uuid[], order_keys text[])
returns void
language sql
set search_path = ''
as $$
  update switchyard.callback_deliveries d
  set state = 'head'
  from (
    select first.id
    from (select distinct * from unnest(endpoint_ids, order_keys)) as line (endpoint_id, order_key)
    cross join lateral (
      select w.id from switchyard.callback_deliveries w
      where w.endpoint_id = line.endpoint_id and w.order_key = line.order_key
        and w.state = 'waiting'
      order by w.id
      limit 1
    ) first
    where not exists (
      select from switchyard.callback_deliveries h
      where h.endpoint_id = line.endpoint_id and h.order_key = line.order_key
        and h.state = 'head')
  ) next
  where d.id = next.id;
$$;

-- Finds the endpoints for which something is due and that may be called now. Walks from endpoint to
-- endpoint and not along their deliveries: who has a million of them waiting costs what one does.
create or replace function switchyard.find_due_callback_endpoints(at timestamptz)
returns uuid[]
language sql
stable
set search_path = ''
as $$
  with recursive concerned as (
    (select d.endpoint_id from switchyard.callback_deliveries d
      where d.state = 'head' order by d.endpoint_id limit 1)
    union all
    select (
      select d.endpoint_id from switchyard.callback_deliveries d
      where d.state = 'head' and d.endpoint_id > h.endpoint_id
      order by d.endpoint_id limit 1)
    from concerned h
    where h.endpoint_id is not null
  )
  select array(
    select e.id
    from concerned h
    join switchyard.callback_endpoints e on e.id = h.endpoint_id
    join switchyard.tenants t on t.id = e.tenant_id
    where e.status = 'active' and t.status = 'active'
      and coalesce(e.held_until, '-infinity') <= find_due_callback_endpoints.at
      and exists (
        select from switchyard.callback_deliveries d
        where d.endpoint_id = e.id and d.state = 'head'
          and d.due_at <= find_due_callback_endpoints.at
          and coalesce(d.lease_expires_at, '-infinity') <= find_due_callback_endpoints.at));
$$;

-- Claims up to batch heads for a lease, at most per_endpoint of one endpoint under way on all workers,
-- the endpoints taking turns. Each comes with the address and the secrets that sign for it now, the
-- current one first. A lease that ran out is claimed again: the receiver knows it by its event id.
create or replace function switchyard_api.claim_callbacks(
  batch integer, lease_seconds integer, per_endpoint integer,
  at timestamptz default clock_timestamp()
)
returns table (
  id bigint, attempt integer, endpoint_id uuid, tenant_id uuid, url text, secrets jsonb,
  event_id uuid, type text, payload jsonb, event_at timestamptz, order_key text,
  failure_count integer
)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_due uuid[];
  v_taken bigint[];
begin
  perform switchyard.lock_callback_lines();
  perform switchyard.line_up_callbacks(5000);
  v_due := switchyard.find_due_callback_endpoints(claim_callbacks.at);
  v_taken := array(
    select head.id
    from unnest(v_due) as endpoint (id)
    cross join lateral (
      select count(*) as calls from switchyard.callback_deliveries d
      where d.endpoint_id = endpoint.id and d.lease_expires_at > claim_callbacks.at
    ) under_way
    cross join lateral (
      select d.id, row_number() over (order by d.due_at, d.id) as turn
      from switchyard.callback_deliveries d
      where d.id = any (array(
        select h.id from switchyard.callback_deliveries h
        where h.endpoint_id = endpoint.id and h.state = 'head'
          and h.due_at <= claim_callbacks.at
          and coalesce(h.lease_expires_at, '-infinity') <= claim_callbacks.at
        order by h.due_at, h.id
        limit greatest(per_endpoint - under_way.calls, 0)))
    ) head
    order by head.turn, head.id
    limit batch);
  if cardinality(v_taken) = 0 then
    return;
  end if;

  return query
  with claimed as (
    update switchyard.callback_deliveries d
    set attempt_count = d.attempt_count + 1,
      lease_expires_at = claim_callbacks.at + make_interval(secs => lease_seconds)
    where d.id = any (v_taken)
    returning d.*
  ), endpoint as (
    select e.id, e.tenant_id, e.url, (
      select jsonb_agg(v.decrypted_secret order by v.id = e.secret_id desc)
      from vault.decrypted_secrets v
      where v.id = e.secret_id
        or (v.id = e.previous_secret_id and e.previous_secret_until > claim_callbacks.at)
    ) as secrets
    from switchyard.callback_endpoints e
    where e.id in (select c.endpoint_id from claimed c)
  )
  select c.id, c.attempt_count, c.endpoint_id, endpoint.tenant_id, endpoint.url, endpoint.secrets,
    c.event_id, event.type, event.payload, event.created_at, c.order_key, c.failure_count
  from claimed c
  join endpoint on endpoint.id = c.endpoint_id
  join switchyard.callback_events event on event.id = c.event_id
  order by c.due_at, c.id;
end;
$$;

-- Holds endpoints back: until then nothing is sent to them.
create or replace function switchyard_api.hold_callbacks(endpoint_ids jsonb, until timestamptz)
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform switchyard.lock_callback_lines();
  update switchyard.callback_endpoints e
  set held_until = greatest(e.held_until, hold_callbacks.until)
  where e.id in (select value::uuid from jsonb_array_elements_text(endpoint_ids));
end;
$$;

-- Lets endpoints remember how it goes with them: any success ends a row of failures. Whom nothing has
-- reached for as long as one delivery is tried is paused, and who says 410 is disabled: either is
-- written into the audit log, and what waits stays.
create or replace function switchyard.follow_callback_endpoints(outcomes jsonb, at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_stopped uuid[];
begin
  with seen as (
    select d.endpoint_id,
      count(*) filter (where o.outcome in ('failed', 'gone')) as failures,
      bool_or(o.outcome = 'delivered') as is_reached,
      bool_or(o.outcome = 'gone') as is_gone,
      (array_agg(o.failure order by o.id desc) filter (where o.failure is not null))[1] as failure
    from jsonb_to_recordset(outcomes) as o (id bigint, outcome text, failure jsonb)
    join switchyard.callback_deliveries d on d.id = o.id
    where o.outcome <> 'deferred'
    group by d.endpoint_id
  ), judged as (
    select e.id, e.status, s.is_reached, s.failures, s.failure, s.is_gone,
      not s.is_reached and e.failing_since <= follow_callback_endpoints.at
        - make_interval(hours => settings.callback_retry_hours) as is_lost
    from seen s
    join switchyard.callback_endpoints e on e.id = s.endpoint_id
    cross join switchyard.settings
    where not s.is_reached or s.is_gone or e.failure_count > 0
  ), followed as (
    update switchyard.callback_endpoints e
    set
      failure_count = case when j.is_reached then 0 else e.failure_count + j.failures end,
      failing_since = case when not j.is_reached
        then coalesce(e.failing_since, follow_callback_endpoints.at) end,
      last_failure = coalesce(
        j.failure || jsonb_build_object('at', follow_callback_endpoints.at), e.last_failure),
      status = case
        when j.status <> 'active' then e.status
        when j.is_gone then 'disabled'
        when j.is_lost then 'paused'
        else e.status end,
      status_reason = case
        when j.status <> 'active' then e.status_reason
        when j.is_gone then 'gone'
        when j.is_lost then 'failing'
        else e.status_reason end
    from judged j
    where e.id = j.id
    returning e.id, j.status = 'active' and e.status <> 'active' as is_stopped
  )
  select array_agg(id) filter (where is_stopped) into v_stopped from followed;

  perform switchyard.write_audit(e.tenant_id, '{"kind": "switchyard"}', 'callback.' || e.status,
    e.id::text, jsonb_build_object('reason', e.status_reason, 'failing_since', e.failing_since,
      'failures', e.failure_count, 'last_failure', e.last_failure))
  from switchyard.callback_endpoints e
  where e.id = any (v_stopped);
end;
$$;

-- Writes back what came of claimed deliveries, only of the attempt that was given out: a worker that
-- comes late changes nothing. Outcomes: delivered; failed {due_at, failure}; gone {due_at, failure};
-- deferred {due_at} for what was not called for. What failed goes again at due_at, for a day from its
-- first failure or from when its endpoint was enabled; after that it is given up, unless nothing gets
-- through to the endpoint, which is paused then and keeps all that waits. Results: delivered, retried,
-- dropped, deferred, superseded, and paused for what waits now for its endpoint to be enabled.
create or replace function switchyard_api.settle_callbacks(
  outcomes jsonb, at timestamptz default clock_timestamp()
)
returns table (id bigint, result text)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_ours jsonb;
begin
  perform switchyard.lock_callback_lines();
  select jsonb_agg(o) into v_ours
  from jsonb_array_elements(outcomes) o
  join switchyard.callback_deliveries d on d.id = (o ->> 'id')::bigint
  where d.attempt_count = (o ->> 'attempt')::integer and d.lease_expires_at is not null;
  v_ours := coalesce(v_ours, '[]');
  perform switchyard.follow_callback_endpoints(v_ours, settle_callbacks.at);

  return query
  with ours as (
    select o.*, coalesce(d.first_failed_at, settle_callbacks.at) as failed_at,
      greatest(coalesce(d.first_failed_at, settle_callbacks.at), e.enabled_at)
        + make_interval(hours => settings.callback_retry_hours) as retry_until,
      e.status <> 'active' as is_stopped
    from jsonb_to_recordset(v_ours) as o (
      id bigint, outcome text, due_at timestamptz, failure jsonb)
    join switchyard.callback_deliveries d on d.id = o.id
    join switchyard.callback_endpoints e on e.id = d.endpoint_id
    cross join switchyard.settings
  ), judged as (
    select o.*, case
      when o.outcome in ('delivered', 'deferred') then o.outcome
      when o.is_stopped then 'paused'
      when settle_callbacks.at >= o.retry_until then 'dropped'
      else 'retried' end as result
    from ours o
  ), settled as (
    update switchyard.callback_deliveries d
    set
      state = case j.result when 'delivered' then 'delivered' when 'dropped' then 'given_up'
        else 'head' end,
      finished_at = case when j.result in ('delivered', 'dropped') then settle_callbacks.at end,
      lease_expires_at = null,
      due_at = case
        when j.result = 'retried' then least(j.due_at, j.retry_until)
        when j.result in ('paused', 'deferred') then j.due_at
        else d.due_at end,
      failure_count = d.failure_count + case when j.outcome in ('failed', 'gone') then 1 else 0 end,
      first_failed_at = case when j.outcome in ('failed', 'gone')
        then j.failed_at else d.first_failed_at end,
      last_failure = coalesce(j.failure, d.last_failure)
    from judged j
    where d.id = j.id
    returning d.id, j.result
  )
  select (o ->> 'id')::bigint, coalesce(settled.result, 'superseded')
  from jsonb_array_elements(outcomes) o
  left join settled on settled.id = (o ->> 'id')::bigint;

  perform switchyard.pass_callback_turns(array_agg(d.endpoint_id), array_agg(d.order_key))
  from switchyard.callback_deliveries d
  where d.id in (select (o ->> 'id')::bigint from jsonb_array_elements(v_ours) o)
    and d.finished_at is not null
  having count(*) > 0;
end;
$$;

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

-- Tells how callbacks are: what is due and not under way, counted up to 10,000, since when, and which
-- endpoints need somebody.
create or replace function switchyard.callbacks_snapshot(at timestamptz)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with waiting as (
    select head.due_at
    from unnest(switchyard.find_due_callback_endpoints(callbacks_snapshot.at)) as endpoint (id)
    cross join lateral (
      select d.due_at from switchyard.callback_deliveries d
      where d.endpoint_id = endpoint.id and d.state = 'head'
        and d.due_at <= callbacks_snapshot.at
        and coalesce(d.lease_expires_at, '-infinity') <= callbacks_snapshot.at
      order by d.due_at
      limit 10000
    ) head
    union all
    (select d.due_at from switchyard.callback_deliveries d
      where d.state = 'new' order by d.id limit 10000)
  )
  select jsonb_build_object(
    'depth', (select least(count(*), 10000) from waiting),
    'oldest_age_seconds', coalesce(
      (select extract(epoch from callbacks_snapshot.at - min(due_at)) from waiting), 0),
    -- Told and not even looked at: how long nobody has delivered anything.
    'unread_age_seconds', coalesce((
      select extract(epoch from callbacks_snapshot.at - d.due_at)
      from switchyard.callback_deliveries d where d.state = 'new' order by d.id limit 1), 0),
    'endpoints', count(*),
    'paused_endpoints', count(*) filter (where e.status = 'paused'),
    'disabled_endpoints', count(*) filter (where e.status = 'disabled'),
    'failing_endpoints', count(*) filter (where e.status = 'active'
      and e.failing_since <= callbacks_snapshot.at - interval '15 minutes'))
  from switchyard.callback_endpoints e
  where e.status <> 'removed';
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
