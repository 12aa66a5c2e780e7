-- Who may call for a tenant, as an operator or an owner sees it, and how that ends: API keys are revoked,
-- members removed. Locks nothing. Undo: drop the functions below.

-- Lists a tenant's API keys, those in use before the revoked ones; the keys themselves nobody has.
create or replace function switchyard_api.list_api_keys(wanted_tenant_id uuid)
returns table (
  id uuid, prefix text, name text, role text, created_at timestamptz, last_used_at timestamptz,
  revoked_at timestamptz
)
language sql
stable
security definer
set search_path = ''
as $$
  select k.id, k.key_prefix, k.name, k.role, k.created_at, k.last_used_at, k.revoked_at
  from switchyard.api_keys k
  where k.tenant_id = list_api_keys.wanted_tenant_id
  order by k.revoked_at is not null, k.created_at desc, k.id
  limit 1000;
$$;

-- Ends an API key: no request that comes after the commit is let in by it. It stays listed.
create or replace function switchyard_api.revoke_api_key(
  tenant_id uuid, key_id uuid, actor jsonb, at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_key switchyard.api_keys;
begin
  update switchyard.api_keys k
  set revoked_at = revoke_api_key.at
  where k.id = revoke_api_key.key_id and k.tenant_id = revoke_api_key.tenant_id
    and k.revoked_at is null
  returning * into v_key;
  if v_key.id is null then
    return jsonb_build_object('outcome', 'not_found');
  end if;

  perform switchyard.write_audit(v_key.tenant_id, actor, 'api_key.revoked', v_key.id::text,
    jsonb_build_object('name', v_key.name, 'role', v_key.role));
  return jsonb_build_object('outcome', 'revoked');
end;
$$;

-- Lists the people of a tenant, those who came first before the others.
create or replace function switchyard_api.list_members(wanted_tenant_id uuid)
returns table (user_id uuid, role text, created_at timestamptz)
language sql
stable
security definer
set search_path = ''
as $$
  select m.user_id, m.role, m.created_at
  from switchyard.tenant_members m
  where m.tenant_id = list_members.wanted_tenant_id
  order by m.created_at, m.user_id
  limit 1000;
$$;

-- Takes a person out of a tenant, unless nobody would own it any more.
create or replace function switchyard_api.remove_member(tenant_id uuid, user_id uuid, actor jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_role text;
begin
  perform from switchyard.tenants t where t.id = remove_member.tenant_id for no key update;
  if switchyard.is_last_owner(remove_member.tenant_id, remove_member.user_id) then
    return jsonb_build_object('outcome', 'last_owner');
  end if;

  delete from switchyard.tenant_members m
  where m.tenant_id = remove_member.tenant_id and m.user_id = remove_member.user_id
  returning m.role into v_role;
  if v_role is null then
    return jsonb_build_object('outcome', 'not_found');
  end if;

  perform switchyard.write_audit(remove_member.tenant_id, actor, 'member.removed',
    remove_member.user_id::text, jsonb_build_object('role', v_role));
  return jsonb_build_object('outcome', 'removed');
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
