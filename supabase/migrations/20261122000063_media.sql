-- Files of customers' messages: finding them, and keeping those that a tenant wants kept: which they
-- are, how far each is, and when it goes again. The files themselves are in the bucket wa-media of
-- Supabase Storage.
-- Locks conversation_events for a moment, to add a trigger. Undo: drop the trigger, the functions and
-- the tables below, then empty and delete the bucket.

create table if not exists switchyard.tenant_media (
  tenant_id uuid primary key references switchyard.tenants (id) on delete cascade,
  keep text not null,
  -- Null keeps them until somebody says otherwise.
  days integer,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint keep_is_known check (keep in ('none', 'all')),
  constraint days_are_sane check (days between 1 and 3650)
);

create table if not exists switchyard.media_files (
  id bigint generated always as identity primary key,
  tenant_id uuid not null references switchyard.tenants (id) on delete restrict,
  sender_id uuid not null references switchyard.senders (id) on delete restrict,
  -- Null once the message is gone: the file then goes too.
  conversation_event_id bigint
    references switchyard.conversation_events (id) on delete set null,
  media_id text not null,
  type text not null,
  mime_type text,
  -- As the webhook told it, until the file is stored; then in hex.
  sha256 text,
  size_bytes bigint,
  path text not null,
  state text not null default 'pending',
  -- Counts who took it: only the last one may say what came of it.
  attempt_count integer not null default 0,
  -- When somebody may take it; while somebody has it, the end of the lease.
  due_at timestamptz not null,
  reason text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint file_of_message_is_unique unique (conversation_event_id),
  constraint path_is_unique unique (path),
  constraint state_is_known check (state in ('pending', 'stored', 'gone', 'failed', 'expired'))
);
create index if not exists media_files_due on switchyard.media_files (due_at)
  where state in ('pending', 'expired');
create index if not exists media_files_failed on switchyard.media_files (id)
  where state in ('gone', 'failed');
create index if not exists media_files_in_age on switchyard.media_files (tenant_id, created_at);
create index if not exists media_files_without_message on switchyard.media_files (id)
  where conversation_event_id is null and state <> 'expired';
create index if not exists media_files_sender_id on switchyard.media_files (sender_id);

create or replace trigger tenant_media_updated_at before update on switchyard.tenant_media
  for each row execute function switchyard.touch_updated_at();
create or replace trigger media_files_updated_at before update on switchyard.media_files
  for each row execute function switchyard.touch_updated_at();

alter table switchyard.tenant_media enable row level security;
alter table switchyard.media_files enable row level security;

-- Private: nobody reads the bucket but through functions. Where there is no Storage, as in Postgres
-- alone, there is nothing to make.
do $$
begin
  if to_regclass('storage.buckets') is not null then
    insert into storage.buckets (id, name, public) values ('wa-media', 'wa-media', false)
    on conflict do nothing;
  end if;
end;
$$;

-- Notes the files of messages that came in for tenants who keep them, in the transaction that writes
-- the messages down. Where nobody keeps anything it costs one look at an empty table.
create or replace function switchyard.note_media_files()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if not exists (select from switchyard.tenant_media t where t.keep = 'all') then
    return null;
  end if;
  insert into switchyard.media_files (
    tenant_id, sender_id, conversation_event_id, media_id, type, mime_type, sha256, path, due_at
  )
  select w.tenant_id, c.sender_id, w.id, w.content -> w.type ->> 'id', w.type,
    w.content -> w.type ->> 'mime_type', w.content -> w.type ->> 'sha256',
    w.tenant_id || '/' || w.conversation_id || '/' || w.id, clock_timestamp()
  from written w
  join switchyard.tenant_media t on t.tenant_id = w.tenant_id and t.keep = 'all'
  join switchyard.conversations c on c.id = w.conversation_id
  where w.direction = 'inbound'
    and w.type in ('image', 'video', 'audio', 'document', 'sticker')
    and w.content -> w.type ->> 'id' is not null
  order by w.id;
  if found then
    perform switchyard.ring_doorbell('wa-conversations/media');
  end if;
  return null;
end;
$$;

create or replace trigger conversation_events_note_media
  after insert on switchyard.conversation_events
  referencing new table as written
  for each statement execute function switchyard.note_media_files();

-- Says whether the files of a tenant's customers are kept, and for how many days. It holds for what comes
-- from now on; the days also for what is kept already.
create or replace function switchyard_api.set_media(
  tenant_id uuid, keep text, days integer, actor jsonb
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
begin
  if not exists (select from switchyard.tenants t where t.id = set_media.tenant_id) then
    return jsonb_build_object('outcome', 'tenant_not_found');
  end if;
  insert into switchyard.tenant_media (tenant_id, keep, days)
  values (set_media.tenant_id, set_media.keep, set_media.days)
  on conflict on constraint tenant_media_pkey
    do update set keep = excluded.keep, days = excluded.days;
  perform switchyard.write_audit(set_media.tenant_id, actor, 'media.set', set_media.tenant_id::text,
    jsonb_build_object('keep', set_media.keep, 'days', set_media.days));
  return jsonb_build_object('outcome', 'set');
end;
$$;

-- Claims up to batch files that are to be fetched from Meta or deleted in Storage, for a lease. One
-- that was taken twenty times and never stored is given up.
create or replace function switchyard_api.claim_media(
  batch integer, lease_seconds integer, at timestamptz default clock_timestamp()
)
returns table (
  id bigint, attempt integer, action text, sender_id uuid, phone_number_id text, media_id text,
  type text, mime_type text, sha256 text, path text
)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  with due as (
    select m.id from switchyard.media_files m
    where m.state in ('pending', 'expired') and m.due_at <= claim_media.at
    order by m.due_at
    limit batch
    for update skip locked
  ), claimed as (
    update switchyard.media_files m
    set attempt_count = m.attempt_count + 1,
      due_at = claim_media.at + make_interval(secs => lease_seconds),
      state = case when m.state = 'pending' and m.attempt_count >= 20 then 'failed' else m.state end,
      reason = case when m.state = 'pending' and m.attempt_count >= 20
        then coalesce(m.reason, 'abandoned') else m.reason end
    where m.id = any (array(select due.id from due))
    returning m.*
  )
  select c.id, c.attempt_count, case c.state when 'expired' then 'delete' else 'fetch' end,
    c.sender_id, s.phone_number_id, c.media_id, c.type, c.mime_type, c.sha256, c.path
  from claimed c
  join switchyard.senders s on s.id = c.sender_id
  where c.state <> 'failed'
  order by c.id;
end;
$$;

-- Writes down what came of claimed files, only of the attempt that was given out. Outcomes: stored
-- {size_bytes, sha256, mime_type}; gone and failed {reason}; retry {delay_seconds, reason}; deleted,
-- which ends the row, of a file that was to be deleted. Says which counted.
create or replace function switchyard_api.settle_media(
  outcomes jsonb, at timestamptz default clock_timestamp()
)
returns table (id bigint, settled boolean)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_settled bigint[];
  v_deleted bigint[];
begin
  with outcome as (
    select * from jsonb_to_recordset(outcomes) as o (
      id bigint, attempt integer, outcome text, size_bytes bigint, sha256 text, mime_type text,
      delay_seconds integer, reason text)
  ), settled as (
    update switchyard.media_files m
    set state = case when o.outcome = 'retry' then m.state else o.outcome end,
      due_at = case when o.outcome = 'retry'
        then settle_media.at + make_interval(secs => o.delay_seconds) else settle_media.at end,
      -- A second settling of this attempt then changes nothing.
      attempt_count = m.attempt_count + (o.outcome <> 'retry')::integer,
      reason = o.reason,
      size_bytes = coalesce(o.size_bytes, m.size_bytes),
      sha256 = coalesce(o.sha256, m.sha256),
      mime_type = coalesce(o.mime_type, m.mime_type)
    from outcome o
    where m.id = o.id and m.attempt_count = o.attempt
      and (m.state = 'pending' and o.outcome in ('stored', 'gone', 'failed', 'retry')
        or m.state = 'expired' and o.outcome = 'retry')
    returning m.id
  )
  select array_agg(settled.id) into v_settled from settled;
  with outcome as (
    select * from jsonb_to_recordset(outcomes) as o (id bigint, attempt integer, outcome text)
  ), deleted as (
    delete from switchyard.media_files m
    using outcome o
    where m.id = o.id and m.attempt_count = o.attempt and m.state = 'expired'
      and o.outcome = 'deleted'
    returning m.id
  )
  select array_agg(deleted.id) into v_deleted from deleted;

  return query
  select (o ->> 'id')::bigint,
    (o ->> 'id')::bigint = any (coalesce(v_settled, '{}') || coalesce(v_deleted, '{}'))
  from jsonb_array_elements(outcomes) o;
end;
$$;

-- Marks a bounded number of files that are to be deleted: their tenant's days are over, or their message
-- is gone. Whoever fetches one at the moment may finish first: the file is deleted after the lease.
create or replace function switchyard.expire_media(at timestamptz, most integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_expired integer;
begin
  update switchyard.media_files m
  set state = 'expired', due_at = greatest(m.due_at, expire_media.at), reason = null,
    attempt_count = m.attempt_count + 1
  where m.id = any (array(
      select old.id
      from switchyard.tenant_media t
      cross join lateral (
        select f.id from switchyard.media_files f
        where f.tenant_id = t.tenant_id and f.state <> 'expired'
          and f.created_at <= expire_media.at - make_interval(days => t.days)
        order by f.created_at
        limit most
      ) old
      where t.days is not null
      limit most)
    || array(
      select f.id from switchyard.media_files f
      where f.conversation_event_id is null and f.state <> 'expired'
      order by f.id
      limit most));
  get diagnostics v_expired = row_count;
  return v_expired;
end;
$$;

-- One tick: marks what is old and rings where something is due.
create or replace function switchyard.media_tick(at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform switchyard.expire_media(media_tick.at, 1000);
  if exists (
    select from switchyard.media_files m
    where m.state in ('pending', 'expired') and m.due_at <= media_tick.at)
  then
    perform switchyard.ring_doorbell('wa-conversations/media');
  end if;
end;
$$;

-- Tells what the file of a message is called at Meta, what was said of it, and where it is kept (null
-- where it is not); null where the tenant has no such message, or the message no file.
create or replace function switchyard_api.find_media(tenant_id uuid, event_id bigint)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select jsonb_build_object('sender_id', s.id, 'phone_number_id', s.phone_number_id, 'type', e.type,
    'id', e.content -> e.type ->> 'id', 'mime_type', e.content -> e.type ->> 'mime_type',
    'sha256', e.content -> e.type ->> 'sha256', 'filename', e.content -> e.type ->> 'filename',
    'kept', (
      select jsonb_build_object('path', f.path, 'mime_type', f.mime_type)
      from switchyard.media_files f
      where f.conversation_event_id = e.id and f.tenant_id = e.tenant_id and f.state = 'stored'))
  from switchyard.conversation_events e
  join switchyard.conversations c on c.id = e.conversation_id
  join switchyard.senders s on s.id = c.sender_id
  where e.id = find_media.event_id and e.tenant_id = find_media.tenant_id
    and e.type in ('image', 'video', 'audio', 'document', 'sticker')
    and e.content -> e.type ->> 'id' is not null;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
