-- A sender is a WhatsApp phone number with the credential to use it. The token itself lies in Vault;
-- the row says which version is the current one, and every claim carries that version, so that a
-- rotated token is used at the next claim without any message to the caches.
-- Locks nothing. Undo: drop the tables and functions below and the Vault secrets switchyard/sender/%.

create table if not exists switchyard.senders (
  id uuid primary key default switchyard.new_id(),
  tenant_id uuid not null references switchyard.tenants (id) on delete restrict,
  phone_number_id text not null,
  business_account_id text not null,
  display_phone_number text not null,
  -- Meta splits a business account into these two from 2026-09-23 on; both stay empty until it does.
  messaging_account_id text,
  waac_id text,
  -- Null once it is removed.
  credential_id uuid,
  credential_version integer not null default 1,
  status text not null default 'active',
  throughput_per_second integer not null default 80,
  -- Below the throughput after Meta said that it was too much; raised again by the tick.
  slowed_per_second numeric,
  slowed_at timestamptz,
  -- Until then nothing of it is read: what would stop its messages is known.
  held_until timestamptz,
  limit_messages integer,
  limit_window_seconds integer,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint phone_number_id_is_digits check (phone_number_id ~ '^[0-9]{1,32}$'),
  constraint business_account_id_is_digits check (business_account_id ~ '^[0-9]{1,32}$'),
  constraint status_is_known check (status in ('active', 'paused', 'removed')),
  constraint throughput_is_1_to_1000_per_second check (throughput_per_second between 1 and 1000),
  constraint limit_has_messages_and_window check (
    (limit_messages is null) = (limit_window_seconds is null)
  ),
  constraint limit_is_positive check (limit_messages > 0 and limit_window_seconds > 0)
);
-- A number that was removed may be registered again; the old row keeps its history.
create unique index if not exists one_sender_has_a_number
  on switchyard.senders (phone_number_id) where status <> 'removed';
create index if not exists senders_removed on switchyard.senders (phone_number_id, created_at)
  where status = 'removed';
create index if not exists senders_tenant_id on switchyard.senders (tenant_id);
create index if not exists senders_business_account_id on switchyard.senders (business_account_id);

-- The backlog of a sender in three lanes: the two shares of its rate, urgent and other, and what of the
-- other a limit has given a later moment. next_slot_at says when its next message may go and moves forward
-- with every acceptance; head_due_at says when the first message of its backlog is due, or earlier, so
-- that looking for work costs nothing for those who have none or are held back. appended counts what
-- came into the backlog: who recomputes the head sees by it that somebody was quicker. served_at says
-- when it was claimed from last: where not all can be at once, they take turns. closed_until says when
-- the last of those comes who return at a moment of a limit: newcomers go after them and are not read
-- before that.
create table if not exists switchyard.sender_lanes (
  sender_id uuid not null references switchyard.senders (id) on delete cascade,
  share text not null,
  next_slot_at timestamptz not null default '-infinity',
  head_due_at timestamptz not null default 'infinity',
  appended bigint not null default 0,
  served_at timestamptz not null default '-infinity',
  closed_until timestamptz not null default '-infinity',
  primary key (sender_id, share),
  constraint share_is_known check (share in ('urgent', 'other', 'returning'))
) with (fillfactor = 50);
create index if not exists sender_lanes_head on switchyard.sender_lanes (head_due_at);

create or replace trigger senders_updated_at before update on switchyard.senders
  for each row execute function switchyard.touch_updated_at();

alter table switchyard.senders enable row level security;
alter table switchyard.sender_lanes enable row level security;

-- Lays out the limit of a sender's own; null where it has none.
create or replace function switchyard.limit_of(sender switchyard.senders)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select case when sender.limit_messages is not null then jsonb_build_object(
    'messages', sender.limit_messages, 'window_seconds', sender.limit_window_seconds) end;
$$;

-- Says whether two senders are the same number, which was removed and registered again.
create or replace function switchyard.have_one_number(one uuid, other uuid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from switchyard.senders a
    join switchyard.senders b on b.phone_number_id = a.phone_number_id
    where a.id = one and b.id = other);
$$;

-- Makes whoever registers, changes or removes a number wait for the one before, and then see what came of it.
create or replace function switchyard.lock_number(phone_number_id text)
returns void
language sql
set search_path = ''
as $$
  select pg_advisory_xact_lock(hashtextextended('switchyard.sender:' || phone_number_id, 0));
$$;

-- Gives a tenant a phone number; a number belongs to one tenant only.
create or replace function switchyard_api.add_sender(tenant_id uuid, sender jsonb, actor jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_id uuid := switchyard.new_id();
  v_phone_number_id text := sender ->> 'phone_number_id';
begin
  if not exists (select from switchyard.tenants t where t.id = add_sender.tenant_id) then
    return jsonb_build_object('outcome', 'tenant_not_found');
  end if;

  perform switchyard.lock_number(v_phone_number_id);
  if exists (
    select from switchyard.senders s
    where s.phone_number_id = v_phone_number_id and s.status <> 'removed')
  then
    return jsonb_build_object('outcome', 'phone_number_id_taken');
  end if;

  insert into switchyard.senders (
    id, tenant_id, phone_number_id, business_account_id, display_phone_number,
    credential_id, throughput_per_second, limit_messages, limit_window_seconds
  )
  values (
    v_id,
    add_sender.tenant_id,
    v_phone_number_id,
    sender ->> 'business_account_id',
    sender ->> 'display_phone_number',
    vault.create_secret(sender ->> 'access_token', 'switchyard/sender/' || v_phone_number_id,
      'Access token of a WhatsApp sender'),
    coalesce((sender ->> 'throughput_per_second')::integer, 80),
    (sender -> 'limit' ->> 'messages')::integer,
    (sender -> 'limit' ->> 'window_seconds')::integer
  );
  insert into switchyard.sender_lanes (sender_id, share)
  select v_id, share from unnest(array['urgent', 'other', 'returning']) share;

  perform switchyard.write_audit(add_sender.tenant_id, actor, 'sender.added', v_phone_number_id, '{}');
  return jsonb_build_object('outcome', 'created', 'id', v_id);
end;
$$;

-- Replaces a sender's token. The version moves in the same transaction: no claim after the commit
-- carries the old one. What waited for a token is due at once.
create or replace function switchyard_api.rotate_credential(
  tenant_id uuid, phone_number_id text, access_token text, actor jsonb
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_sender switchyard.senders;
begin
  perform switchyard.release_messages(
    array['credential:not_found', 'credential:unavailable', 'credential:refused'],
    array(
      select s.id from switchyard.senders s
      where s.tenant_id = rotate_credential.tenant_id
        and s.phone_number_id = rotate_credential.phone_number_id),
    5000, clock_timestamp());
  update switchyard.senders s
  set credential_version = s.credential_version + 1, held_until = null
  where s.tenant_id = rotate_credential.tenant_id
    and s.phone_number_id = rotate_credential.phone_number_id
    and s.status <> 'removed'
  returning * into v_sender;
  if v_sender.id is null then
    return jsonb_build_object('outcome', 'sender_not_found');
  end if;

  perform vault.update_secret(v_sender.credential_id, rotate_credential.access_token);
  perform switchyard.clear_attention(v_sender.id, clock_timestamp());
  perform switchyard.write_audit(rotate_credential.tenant_id, actor, 'credential.rotated',
    rotate_credential.phone_number_id, jsonb_build_object('version', v_sender.credential_version));
  return jsonb_build_object('outcome', 'rotated', 'credential_version', v_sender.credential_version);
end;
$$;

-- Makes every cache fetch one sender's credential again, by giving the same token a new version.
create or replace function switchyard_api.invalidate_credential(phone_number_id text, actor jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_sender switchyard.senders;
begin
  update switchyard.senders s
  set credential_version = s.credential_version + 1
  where s.phone_number_id = invalidate_credential.phone_number_id and s.status <> 'removed'
  returning * into v_sender;
  if v_sender.id is null then
    return jsonb_build_object('outcome', 'sender_not_found');
  end if;

  perform switchyard.write_audit(v_sender.tenant_id, actor, 'cache.invalidated',
    invalidate_credential.phone_number_id,
    jsonb_build_object('version', v_sender.credential_version));
  return jsonb_build_object('outcome', 'invalidated');
end;
$$;

-- Reads the current tokens of the given senders, each with the version it belongs to: no row for a
-- sender that is gone and no token of a suspended tenant, so that nothing is cached for either.
create or replace function switchyard_api.read_credentials(sender_ids jsonb)
returns table (sender_id uuid, credential_version integer, access_token text)
language sql
stable
security definer
set search_path = ''
as $$
  select s.id, s.credential_version, case when t.status = 'active' then v.decrypted_secret end
  from switchyard.senders s
  join switchyard.tenants t on t.id = s.tenant_id
  join vault.decrypted_secrets v on v.id = s.credential_id
  where s.id in (select value::uuid from jsonb_array_elements_text(read_credentials.sender_ids))
    and s.status <> 'removed';
$$;

-- Names the senders whose tokens a new worker will want: those whose messages are due next. With the
-- generation of the caches, as a claim tells it.
create or replace function switchyard_api.senders_to_preload(most integer)
returns table (
  sender_id uuid, phone_number_id text, credential_version integer, cache_generation bigint
)
language sql
stable
security definer
set search_path = ''
as $$
  select s.id, s.phone_number_id, s.credential_version, settings.cache_generation
  from switchyard.senders s
  cross join switchyard.settings
  where s.id = any (array(
    select l.sender_id
    from switchyard.sender_lanes l
    join switchyard.senders n on n.id = l.sender_id
    join switchyard.tenants t on t.id = n.tenant_id
    where l.head_due_at < 'infinity' and n.status = 'active' and t.status = 'active'
    order by l.head_due_at
    limit senders_to_preload.most));
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
