-- What tenants and operators do with callback endpoints; every change is in the audit log.
-- Locks nothing. Undo: drop the functions below.

-- Gives a tenant another endpoint; ten are enough for anybody. The secret goes to Vault.
create or replace function switchyard_api.create_callback(
  tenant_id uuid, callback jsonb, secret text, actor jsonb
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_id uuid := switchyard.new_id();
begin
  perform from switchyard.tenants t where t.id = create_callback.tenant_id for no key update;
  if not found then
    return jsonb_build_object('outcome', 'tenant_not_found');
  elsif 10 <= (
    select count(*) from switchyard.callback_endpoints e
    where e.tenant_id = create_callback.tenant_id and e.status <> 'removed')
  then
    return jsonb_build_object('outcome', 'too_many');
  end if;

  insert into switchyard.callback_endpoints (id, tenant_id, url, events, secret_id)
  values (
    v_id,
    create_callback.tenant_id,
    callback ->> 'url',
    array(select jsonb_array_elements_text(callback -> 'events')),
    vault.create_secret(secret, 'switchyard/callback/' || v_id || '/1',
      'Signing secret of a tenant callback')
  );
  perform switchyard.write_audit(create_callback.tenant_id, actor, 'callback.created', v_id::text,
    callback);
  return jsonb_build_object('outcome', 'created', 'id', v_id);
end;
$$;

-- Lists the endpoints of a tenant, with how many deliveries wait for each, counted up to 10,000.
create or replace function switchyard_api.list_callbacks(tenant_id uuid)
returns table (
  id uuid, url text, events jsonb, status text, status_reason text, failing_since timestamptz,
  failures integer, last_failure jsonb, waiting bigint, previous_secret_until timestamptz,
  created_at timestamptz
)
language sql
stable
security definer
set search_path = ''
as $$
  select e.id, e.url, to_jsonb(e.events), e.status, e.status_reason, e.failing_since,
    e.failure_count, e.last_failure, (
      select sum(counted.deliveries)::bigint
      from unnest(array['head', 'waiting', 'new']) as part (state)
      cross join lateral (
        select count(*) as deliveries from (
          select from switchyard.callback_deliveries d
          where d.endpoint_id = e.id and d.state = part.state limit 10000) bounded
      ) counted
    ), e.previous_secret_until, e.created_at
  from switchyard.callback_endpoints e
  where e.tenant_id = list_callbacks.tenant_id and e.status <> 'removed'
  order by e.id;
$$;

-- Changes an endpoint: {url?, events?, status?}. Who is made active, or moved to another address, is
-- tried again at once, with a day for each delivery from now on.
create or replace function switchyard_api.update_callback(
  tenant_id uuid, callback_id uuid, changes jsonb, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_before switchyard.callback_endpoints :=
    switchyard.lock_callback_endpoint(update_callback.tenant_id, callback_id);
  v_starts_anew boolean;
begin
  if v_before.id is null then
    return jsonb_build_object('outcome', 'not_found');
  end if;
  v_starts_anew := coalesce(changes ->> 'url' <> v_before.url, false)
    or coalesce(changes ->> 'status' = 'active' and v_before.status <> 'active', false);

  update switchyard.callback_endpoints e
  set
    url = coalesce(changes ->> 'url', e.url),
    events = case when changes ? 'events'
      then array(select jsonb_array_elements_text(changes -> 'events')) else e.events end,
    status = coalesce(changes ->> 'status', e.status),
    status_reason = case
      when changes ->> 'status' = 'disabled' then 'by_hand'
      when changes ->> 'status' = 'active' then null
      else e.status_reason end,
    enabled_at = case when v_starts_anew then update_callback.at else e.enabled_at end,
    held_until = case when not v_starts_anew then e.held_until end,
    failure_count = case when v_starts_anew then 0 else e.failure_count end,
    failing_since = case when not v_starts_anew then e.failing_since end
  where e.id = callback_id;

  if v_starts_anew then
    update switchyard.callback_deliveries d
    set due_at = update_callback.at
    where d.endpoint_id = callback_id and d.state = 'head' and d.due_at > update_callback.at;
    perform switchyard.ring_doorbell('wa-callbacks');
  end if;
  perform switchyard.write_audit(update_callback.tenant_id, actor, 'callback.updated',
    callback_id::text, changes);
  return jsonb_build_object('outcome', 'updated', 'starts_anew', v_starts_anew);
end;
$$;

-- Takes an endpoint away at once, with its secrets; the tick sweeps what waited for it.
create or replace function switchyard_api.delete_callback(
  tenant_id uuid, callback_id uuid, actor jsonb
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_endpoint switchyard.callback_endpoints :=
    switchyard.lock_callback_endpoint(delete_callback.tenant_id, callback_id);
begin
  if v_endpoint.id is null then
    return jsonb_build_object('outcome', 'not_found');
  end if;

  update switchyard.callback_endpoints e
  set status = 'removed', status_reason = null
  where e.id = callback_id;
  delete from vault.secrets v
  where v.id in (v_endpoint.secret_id, v_endpoint.previous_secret_id);
  perform switchyard.write_audit(delete_callback.tenant_id, actor, 'callback.deleted',
    callback_id::text, jsonb_build_object('url', v_endpoint.url));
  return jsonb_build_object('outcome', 'deleted');
end;
$$;

-- Gives an endpoint another secret; the one before signs beside it for a day. The one before that signs
-- no more from now on.
create or replace function switchyard_api.rotate_callback_secret(
  tenant_id uuid, callback_id uuid, secret text, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_before switchyard.callback_endpoints :=
    switchyard.lock_callback_endpoint(rotate_callback_secret.tenant_id, callback_id);
  v_until timestamptz := at + interval '24 hours';
begin
  if v_before.id is null then
    return jsonb_build_object('outcome', 'not_found');
  end if;

  delete from vault.secrets v where v.id = v_before.previous_secret_id;
  update switchyard.callback_endpoints e
  set previous_secret_id = e.secret_id,
    previous_secret_until = v_until,
    secret_id = vault.create_secret(secret,
      'switchyard/callback/' || e.id || '/' || switchyard.new_id(),
      'Signing secret of a tenant callback')
  where e.id = callback_id;
  perform switchyard.write_audit(rotate_callback_secret.tenant_id, actor, 'callback.secret_rotated',
    callback_id::text, '{}');
  return jsonb_build_object('outcome', 'rotated', 'previous_secret_until', v_until);
end;
$$;

-- Sends an endpoint again what its tenant was told in a time: filter {since, until?, types?}, up to
-- 10,000 events, the oldest first, each under the id that it had; what is still to be delivered to it
-- is not doubled. With dry_run only counts. What is beyond is left for a call with since = next_since.
create or replace function switchyard_api.replay_callbacks(
  tenant_id uuid, callback_id uuid, filter jsonb, dry_run boolean, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_endpoint switchyard.callback_endpoints :=
    switchyard.lock_callback_endpoint(replay_callbacks.tenant_id, callback_id);
  v_found uuid[];
  v_types text[];
  v_next_since timestamptz;
begin
  if v_endpoint.id is null then
    return jsonb_build_object('outcome', 'not_found');
  end if;
  v_types := case when filter ? 'types'
    then array(select jsonb_array_elements_text(filter -> 'types')) else v_endpoint.events end;

  select array_agg(found.id order by found.told_no) filter (where found.nth <= 10000),
    min(found.created_at) filter (where found.nth > 10000)
  into v_found, v_next_since
  from (
    select e.id, e.told_no, e.created_at,
      row_number() over (order by e.created_at, e.told_no) as nth
    from switchyard.callback_events e
    where e.tenant_id = replay_callbacks.tenant_id
      and e.created_at >= (filter ->> 'since')::timestamptz
      and (filter ->> 'until' is null or e.created_at < (filter ->> 'until')::timestamptz)
      and e.type = any (v_types)
      and not exists (
        select from switchyard.callback_deliveries d
        where d.event_id = e.id and d.endpoint_id = callback_id and d.finished_at is null)
    order by e.created_at, e.told_no
    limit 10001
  ) found;

  if not dry_run and v_found is not null then
    insert into switchyard.callback_deliveries (endpoint_id, event_id, order_key, due_at)
    select callback_id, e.id, e.order_key, replay_callbacks.at
    from switchyard.callback_events e
    where e.id = any (v_found)
    order by e.told_no;
    perform switchyard.write_audit(replay_callbacks.tenant_id, actor, 'callback.replayed',
      callback_id::text, filter || jsonb_build_object('events', cardinality(v_found)));
    perform switchyard.ring_doorbell('wa-callbacks');
  end if;
  return jsonb_build_object('outcome', case when dry_run then 'counted' else 'replayed' end,
    'events', coalesce(cardinality(v_found), 0), 'next_since', v_next_since);
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
