-- Tenants at run time: they are listed, renamed, suspended and let go on, and get another limit.
-- Locks nothing. Undo: drop the functions below.

-- Tells what a change would tell of: each field that differs, with both values; null where none does.
create or replace function switchyard.differences(before jsonb, after jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select jsonb_object_agg(b.key, jsonb_build_object('from', b.value, 'to', a.value))
  from jsonb_each(before) b
  join jsonb_each(after) a on a.key = b.key
  where a.value <> b.value;
$$;

-- Lays out a tenant as its operator sees it.
create or replace function switchyard.tell_tenant(tenant switchyard.tenants)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'id', tenant.id,
    'slug', tenant.slug,
    'name', tenant.name,
    'status', tenant.status,
    'limit', jsonb_build_object(
      'messages', tenant.limit_messages, 'window_seconds', tenant.limit_window_seconds),
    'created_at', tenant.created_at,
    'senders', (
      select count(*) from switchyard.senders s
      where s.tenant_id = tenant.id and s.status <> 'removed'));
$$;

-- Reads a page of up to 200 tenants by slug; the cursor is the last slug of the page before. With search,
-- those that have it in their slug or name.
create or replace function switchyard_api.list_tenants(
  search text, after_slug text, page_limit integer
)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with page as (
    select * from switchyard.tenants t
    where t.slug > coalesce(list_tenants.after_slug, '')
      and (list_tenants.search is null
        or position(lower(list_tenants.search) in lower(t.slug || ' ' || t.name)) > 0)
    order by t.slug
    limit least(greatest(list_tenants.page_limit, 1), 200) + 1
  ), shown as (
    select * from page order by slug limit least(greatest(list_tenants.page_limit, 1), 200)
  )
  select jsonb_build_object(
    'tenants', coalesce((
      select jsonb_agg(switchyard.tell_tenant(s) order by s.slug) from shown s), '[]'),
    'next_cursor', case when (select count(*) from page) > (select count(*) from shown)
      then (select max(slug) from shown) end);
$$;

-- Reads one tenant; null where there is none.
create or replace function switchyard_api.read_tenant(wanted_tenant_id uuid)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select switchyard.tell_tenant(t) from switchyard.tenants t
  where t.id = read_tenant.wanted_tenant_id;
$$;

-- Changes the fields of a tenant that are named: {name?, status?, limit?}. Claims read the row, so that
-- all of it holds from the next claim on; a trigger wakes the backlog of a tenant that is active again.
-- What is so already is changed by nobody, and audited once.
create or replace function switchyard_api.change_tenant(
  tenant_id uuid, changes jsonb, actor jsonb, at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_before jsonb;
  v_after jsonb;
begin
  select switchyard.tell_tenant(t) into v_before from switchyard.tenants t
  where t.id = change_tenant.tenant_id
  for no key update;
  if v_before is null then
    return jsonb_build_object('outcome', 'tenant_not_found');
  end if;
  v_after := v_before || changes;
  if v_after = v_before then
    return jsonb_build_object('outcome', 'unchanged', 'tenant', v_before);
  end if;

  update switchyard.tenants t
  set name = v_after ->> 'name',
    status = v_after ->> 'status',
    limit_messages = (v_after -> 'limit' ->> 'messages')::integer,
    limit_window_seconds = (v_after -> 'limit' ->> 'window_seconds')::integer
  where t.id = change_tenant.tenant_id;
  perform switchyard.call_back_after_raise(array(
    select s.id from switchyard.senders s
    where s.tenant_id = change_tenant.tenant_id and s.status <> 'removed'
      and s.limit_messages is null), change_tenant.at)
  where switchyard.is_raised(v_before -> 'limit', v_after -> 'limit');
  perform switchyard.write_audit(change_tenant.tenant_id, actor, 'tenant.changed',
    change_tenant.tenant_id::text, switchyard.differences(v_before, v_after));
  return jsonb_build_object('outcome', 'changed', 'tenant', v_after);
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
