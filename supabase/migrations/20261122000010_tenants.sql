-- Who uses Switchyard: tenants, the people of a tenant, its API keys, and the log of every change that
-- an operator made. Locks nothing on a first install. Undo: drop the tables and functions below.

create table if not exists switchyard.tenants (
  id uuid primary key default switchyard.new_id(),
  slug text not null,
  name text not null,
  status text not null default 'active',
  limit_messages integer not null default 80,
  limit_window_seconds integer not null default 60,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint tenant_slug_is_unique unique (slug),
  constraint slug_is_a_dns_label check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  constraint name_has_1_to_200_characters check (char_length(name) between 1 and 200),
  constraint status_is_known check (status in ('active', 'suspended')),
  constraint limit_is_positive check (limit_messages > 0 and limit_window_seconds > 0)
);

create table if not exists switchyard.tenant_members (
  tenant_id uuid not null references switchyard.tenants (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, user_id),
  constraint role_is_known check (role in ('owner', 'admin', 'finance', 'operator', 'viewer'))
);
create index if not exists tenant_members_user_id on switchyard.tenant_members (user_id);

-- Only the SHA-256 of a key is kept: who reads this table cannot call anything with it.
create table if not exists switchyard.api_keys (
  id uuid primary key default switchyard.new_id(),
  tenant_id uuid not null references switchyard.tenants (id) on delete cascade,
  name text not null,
  role text not null,
  key_hash text not null,
  key_prefix text not null,
  -- Within five minutes: not every call writes.
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint key_hash_is_unique unique (key_hash),
  constraint key_hash_is_sha256_hex check (key_hash ~ '^[0-9a-f]{64}$'),
  constraint name_has_1_to_200_characters check (char_length(name) between 1 and 200),
  constraint role_is_known check (role in ('owner', 'admin', 'finance', 'operator', 'viewer'))
);
create index if not exists api_keys_tenant_id on switchyard.api_keys (tenant_id);

create table if not exists switchyard.audit_log (
  id bigint generated always as identity primary key,
  tenant_id uuid references switchyard.tenants (id) on delete set null,
  actor jsonb not null,
  action text not null,
  target text not null,
  detail jsonb not null default '{}',
  at timestamptz not null default now()
);
create index if not exists audit_log_tenant_id on switchyard.audit_log (tenant_id, id desc);

create or replace trigger tenants_updated_at before update on switchyard.tenants
  for each row execute function switchyard.touch_updated_at();
create or replace trigger tenant_members_updated_at before update on switchyard.tenant_members
  for each row execute function switchyard.touch_updated_at();
create or replace trigger api_keys_updated_at before update on switchyard.api_keys
  for each row execute function switchyard.touch_updated_at();

alter table switchyard.tenants enable row level security;
alter table switchyard.tenant_members enable row level security;
alter table switchyard.api_keys enable row level security;
alter table switchyard.audit_log enable row level security;

-- Appends one line to the audit log, in the transaction of the change it tells of.
create or replace function switchyard.write_audit(
  tenant_id uuid, actor jsonb, action text, target text, detail jsonb
)
returns void
language sql
set search_path = ''
as $$
  insert into switchyard.audit_log (tenant_id, actor, action, target, detail)
  values (write_audit.tenant_id, write_audit.actor, write_audit.action, write_audit.target,
          coalesce(write_audit.detail, '{}'));
$$;

-- Makes a tenant; a slug belongs to the tenant that took it first.
create or replace function switchyard_api.create_tenant(slug text, name text, actor jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_id uuid;
begin
  insert into switchyard.tenants (slug, name)
  values (create_tenant.slug, create_tenant.name)
  on conflict on constraint tenant_slug_is_unique do nothing
  returning id into v_id;

  if v_id is null then
    return jsonb_build_object('outcome', 'slug_taken');
  end if;

  perform switchyard.write_audit(v_id, actor, 'tenant.created', v_id::text,
    jsonb_build_object('slug', create_tenant.slug));
  return jsonb_build_object('outcome', 'created', 'id', v_id);
end;
$$;

-- Says whether a tenant exists, for callers who may act for any tenant.
create or replace function switchyard_api.resolve_tenant(wanted_tenant_id uuid)
returns table (tenant_id uuid, tenant_status text)
language sql
stable
security definer
set search_path = ''
as $$
  select t.id, t.status from switchyard.tenants t where t.id = resolve_tenant.wanted_tenant_id;
$$;

-- Says whose API key this is, and notes every few minutes that it is in use; no row for a key that is
-- unknown or revoked. A database that takes no writes still answers.
create or replace function switchyard_api.resolve_api_key(key_hash text)
returns table (tenant_id uuid, role text, tenant_status text, key_id uuid)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_used_at timestamptz;
begin
  select k.tenant_id, k.role, t.status, k.id, k.last_used_at
  into tenant_id, role, tenant_status, key_id, v_used_at
  from switchyard.api_keys k
  join switchyard.tenants t on t.id = k.tenant_id
  where k.key_hash = resolve_api_key.key_hash
    and k.revoked_at is null;
  if not found then
    return;
  end if;

  if coalesce(v_used_at, '-infinity') < clock_timestamp() - interval '5 minutes'
    and not current_setting('transaction_read_only')::boolean
  then
    -- Whoever is noting it already does so for all.
    update switchyard.api_keys k
    set last_used_at = clock_timestamp()
    where k.id = (select u.id from switchyard.api_keys u where u.id = key_id for update skip locked);
  end if;
  return next;
end;
$$;

-- Says what a signed-in user may do in a tenant; no row for a user who is not one of its people.
create or replace function switchyard_api.resolve_member(wanted_tenant_id uuid, wanted_user_id uuid)
returns table (tenant_id uuid, role text, tenant_status text)
language sql
stable
security definer
set search_path = ''
as $$
  select m.tenant_id, m.role, t.status
  from switchyard.tenant_members m
  join switchyard.tenants t on t.id = m.tenant_id
  where m.tenant_id = resolve_member.wanted_tenant_id
    and m.user_id = resolve_member.wanted_user_id;
$$;

-- Keeps the hash of a new API key of a tenant.
create or replace function switchyard_api.create_api_key(
  tenant_id uuid, name text, role text, key_hash text, key_prefix text, actor jsonb
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_id uuid;
begin
  if not exists (select from switchyard.tenants t where t.id = create_api_key.tenant_id) then
    return jsonb_build_object('outcome', 'tenant_not_found');
  end if;

  insert into switchyard.api_keys (tenant_id, name, role, key_hash, key_prefix)
  values (create_api_key.tenant_id, create_api_key.name, create_api_key.role,
          create_api_key.key_hash, create_api_key.key_prefix)
  returning id into v_id;

  perform switchyard.write_audit(create_api_key.tenant_id, actor, 'api_key.created', v_id::text,
    jsonb_build_object('name', create_api_key.name, 'role', create_api_key.role));
  return jsonb_build_object('outcome', 'created', 'id', v_id);
end;
$$;

-- Says whether the tenant would have no owner without this one. Whoever changes members locks the tenant
-- before, so that two owners do not end each other at once.
create or replace function switchyard.is_last_owner(tenant_id uuid, user_id uuid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
      select from switchyard.tenant_members m
      where m.tenant_id = is_last_owner.tenant_id and m.user_id = is_last_owner.user_id
        and m.role = 'owner')
    and not exists (
      select from switchyard.tenant_members m
      where m.tenant_id = is_last_owner.tenant_id and m.user_id <> is_last_owner.user_id
        and m.role = 'owner');
$$;

-- Gives a user a role in a tenant, or another role than before; the last owner stays one.
create or replace function switchyard_api.set_member(
  tenant_id uuid, user_id uuid, role text, actor jsonb
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform from switchyard.tenants t where t.id = set_member.tenant_id for no key update;
  if not found then
    return jsonb_build_object('outcome', 'tenant_not_found');
  end if;
  if not exists (select from auth.users u where u.id = set_member.user_id) then
    return jsonb_build_object('outcome', 'user_not_found');
  end if;
  if set_member.role <> 'owner'
    and switchyard.is_last_owner(set_member.tenant_id, set_member.user_id)
  then
    return jsonb_build_object('outcome', 'last_owner');
  end if;

  insert into switchyard.tenant_members (tenant_id, user_id, role)
  values (set_member.tenant_id, set_member.user_id, set_member.role)
  on conflict on constraint tenant_members_pkey do update set role = excluded.role;

  perform switchyard.write_audit(set_member.tenant_id, actor, 'member.set',
    set_member.user_id::text, jsonb_build_object('role', set_member.role));
  return jsonb_build_object('outcome', 'set');
end;
$$;

-- Reads the audit log from the newest line back; wanted_tenant_id null reads that of all tenants.
create or replace function switchyard_api.list_audit(
  wanted_tenant_id uuid, before_id bigint, page_limit integer
)
returns table (
  id bigint, tenant_id uuid, actor jsonb, action text, target text, detail jsonb, at timestamptz
)
language sql
stable
security definer
set search_path = ''
as $$
  select a.id, a.tenant_id, a.actor, a.action, a.target, a.detail, a.at
  from switchyard.audit_log a
  where (list_audit.wanted_tenant_id is null or a.tenant_id = list_audit.wanted_tenant_id)
    and (list_audit.before_id is null or a.id < list_audit.before_id)
  order by a.id desc
  limit least(greatest(list_audit.page_limit, 1), 200);
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
