-- Callbacks on their way: the lines that keep their order, who may go next, and who may not now.
-- Locks settings for a moment, to add columns. Undo: drop the functions and the columns.

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

-- Locks the lines, and with them the endpoint of a tenant that is to change; null where it has no such
-- endpoint, or no longer.
create or replace function switchyard.lock_callback_endpoint(tenant_id uuid, callback_id uuid)
returns switchyard.callback_endpoints
language plpgsql
set search_path = ''
as $$
declare
  v_endpoint switchyard.callback_endpoints;
begin
  perform switchyard.lock_callback_lines();
  select * into v_endpoint from switchyard.callback_endpoints e
  where e.id = lock_callback_endpoint.callback_id
    and e.tenant_id = lock_callback_endpoint.tenant_id and e.status <> 'removed'
  for no key update;
  return v_endpoint;
end;
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
