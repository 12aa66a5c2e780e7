-- What changes in a tenant's conversations, for who looks on: a log of limited age that server-sent
-- events are read from. Nothing is logged for tenants at whom nobody looks. Locks settings for a moment,
-- to add columns. Undo: drop the triggers, tables, functions and columns below.

alter table switchyard.settings
  add column if not exists changes_kept_minutes integer not null default 60,
  -- What was logged by this transaction or an earlier one may be gone.
  add column if not exists changes_pruned_to xid8 not null default '0',
  drop constraint if exists changes_are_kept_for_a_while,
  add constraint changes_are_kept_for_a_while check (changes_kept_minutes >= 20);

-- Ids only: what they name is told as it stands when it is read. Transactions commit in another order
-- than they begin; whoever reads goes no further than the oldest that is still open, so that nothing
-- appears behind them.
create table if not exists switchyard.changes (
  id bigint generated always as identity primary key,
  xid xid8 not null default pg_current_xact_id(),
  tenant_id uuid not null references switchyard.tenants (id) on delete cascade,
  kind text not null,
  conversation_id uuid,
  conversation_event_id bigint,
  message_id uuid,
  at timestamptz not null default clock_timestamp(),
  constraint kind_is_known check (kind in ('message', 'conversation'))
);
create index if not exists changes_of_tenant on switchyard.changes (tenant_id, xid, id);
create index if not exists changes_at on switchyard.changes (at);

-- Tenants at whom somebody looks, or did a while ago: all that changed since since_xid is in the log.
create table if not exists switchyard.change_listeners (
  tenant_id uuid primary key references switchyard.tenants (id) on delete cascade,
  since_xid xid8 not null,
  until timestamptz not null,
  -- Broadcast to Realtime, whoever listens there.
  is_broadcast boolean not null default false
);

-- Connections that read the log now; one that ended without a word is forgotten soon.
create table if not exists switchyard.change_streams (
  id uuid primary key default switchyard.new_id(),
  tenant_id uuid not null references switchyard.tenants (id) on delete cascade,
  expires_at timestamptz not null
);
create index if not exists change_streams_of_tenant
  on switchyard.change_streams (tenant_id, expires_at);

alter table switchyard.changes enable row level security;
alter table switchyard.change_listeners enable row level security;
alter table switchyard.change_streams enable row level security;

-- Logs that messages which were sent changed. Costs one look at a small table where nobody looks on.
create or replace function switchyard.log_message_changes(message_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  if message_ids is null or not exists (select from switchyard.change_listeners) then
    return;
  end if;
  insert into switchyard.changes (tenant_id, kind, message_id)
  select m.tenant_id, 'message', m.id
  from switchyard.messages m
  join switchyard.change_listeners l on l.tenant_id = m.tenant_id
  where m.id = any (message_ids) and m.type <> 'read'
  order by m.accepted_no;
end;
$$;

create or replace function switchyard.log_inbound_changes()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  insert into switchyard.changes (tenant_id, kind, conversation_id, conversation_event_id)
  select w.tenant_id, 'message', w.conversation_id, w.id
  from written w
  join switchyard.change_listeners l on l.tenant_id = w.tenant_id
  order by w.at, w.id;
  return null;
end;
$$;
create or replace trigger conversation_events_are_logged
  after insert on switchyard.conversation_events
  referencing new table as written
  for each statement execute function switchyard.log_inbound_changes();

create or replace function switchyard.log_conversation_changes()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  insert into switchyard.changes (tenant_id, kind, conversation_id)
  select new.tenant_id, 'conversation', new.id
  from switchyard.change_listeners l
  where l.tenant_id = new.tenant_id;
  return null;
end;
$$;
create or replace trigger new_conversations_are_logged after insert on switchyard.conversations
  for each row execute function switchyard.log_conversation_changes();
create or replace trigger conversations_are_logged after update on switchyard.conversations
  for each row
  when ((old.customer_phone, old.customer_user_id, old.customer_name, old.merged_into,
      old.free_entry_until)
    is distinct from (new.customer_phone, new.customer_user_id, new.customer_name, new.merged_into,
      new.free_entry_until))
  execute function switchyard.log_conversation_changes();

-- Tells a change as it stands now; null for what is gone.
create or replace function switchyard.describe_change(change switchyard.changes)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  if change.message_id is not null then
    return (
      select jsonb_build_object('conversation_id', (
          select c.id from switchyard.conversations c
          where c.sender_id = m.sender_id
            and (c.customer_phone = m.recipient or c.customer_user_id = m.recipient)),
        'message', switchyard.describe_outbound(m))
      from switchyard.messages m where m.id = change.message_id);
  elsif change.conversation_event_id is not null then
    return (
      select jsonb_build_object('conversation_id', e.conversation_id,
        'message', switchyard.describe_inbound(e))
      from switchyard.conversation_events e where e.id = change.conversation_event_id);
  end if;
  return (
    select jsonb_build_object('conversation_id', c.id, 'merged_into', c.merged_into,
      'conversation', case when c.merged_into is null
        then switchyard.describe_conversation(c, change.at) end)
    from switchyard.conversations c where c.id = change.conversation_id);
end;
$$;

-- Lets a tenant's changes be logged from now on; what is logged already goes on without a gap. Renewing
-- writes only now and then.
create or replace function switchyard.keep_listening(tenant_id uuid, at timestamptz)
returns void
language sql
set search_path = ''
as $$
  insert into switchyard.change_listeners as l (tenant_id, since_xid, until)
  values (keep_listening.tenant_id, pg_current_xact_id(), keep_listening.at + interval '15 minutes')
  on conflict (tenant_id) do update
  set until = greatest(l.until, excluded.until)
  where l.until < keep_listening.at + interval '14 minutes';
$$;

-- Opens a stream of a tenant's changes, at most 20 at a time. A cursor goes on where it was if nothing
-- after it is missing from the log; otherwise the stream begins anew, and the caller must read
-- everything again once the stream is ready.
create or replace function switchyard_api.open_change_stream(
  tenant_id uuid, cursor text, at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_since xid8;
  v_stream uuid;
  v_resumes boolean;
begin
  perform pg_advisory_xact_lock(
    hashtextextended('switchyard.change_streams:' || open_change_stream.tenant_id, 0));
  delete from switchyard.change_streams s
  where s.tenant_id = open_change_stream.tenant_id and s.expires_at <= open_change_stream.at;
  if 20 <= (
    select count(*) from switchyard.change_streams s
    where s.tenant_id = open_change_stream.tenant_id)
  then
    return jsonb_build_object('outcome', 'too_many');
  end if;

  -- What a listener of long ago had is of no use: its log has gaps since.
  delete from switchyard.change_listeners l
  where l.tenant_id = open_change_stream.tenant_id and l.until <= open_change_stream.at;
  perform switchyard.keep_listening(open_change_stream.tenant_id, open_change_stream.at);
  select l.since_xid into v_since from switchyard.change_listeners l
  where l.tenant_id = open_change_stream.tenant_id;
  insert into switchyard.change_streams (tenant_id, expires_at)
  values (open_change_stream.tenant_id, open_change_stream.at + interval '30 seconds')
  returning id into v_stream;

  v_resumes := coalesce(
    split_part(open_change_stream.cursor, '.', 1)::xid8 >= greatest(v_since, (
      select s.changes_pruned_to from switchyard.settings s)), false);
  return jsonb_build_object('outcome', 'opened', 'stream_id', v_stream, 'resumes', v_resumes,
    'cursor', case when v_resumes then open_change_stream.cursor end);
end;
$$;

-- Reads what changed after a cursor, in one order, no further than the oldest transaction that is still
-- open; without a cursor, from the first transaction on that must have seen that somebody listens.
-- is_ready says that all before the cursor is committed: who reads lists from then on, and the log after
-- it, misses nothing. Null when the stream is no longer open.
create or replace function switchyard_api.read_changes(
  tenant_id uuid, stream_id uuid, cursor text, page_limit integer,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_horizon xid8 := pg_snapshot_xmin(pg_current_snapshot());
  v_after xid8 := coalesce(split_part(read_changes.cursor, '.', 1)::xid8,
    pg_snapshot_xmax(pg_current_snapshot()));
  v_after_id bigint := coalesce(split_part(read_changes.cursor, '.', 2)::bigint, 0);
  v_expires timestamptz;
  v_page jsonb;
begin
  select s.expires_at into v_expires from switchyard.change_streams s
  where s.id = read_changes.stream_id and s.tenant_id = read_changes.tenant_id;
  if v_expires is null then
    return null;
  end if;
  if v_expires < read_changes.at + interval '20 seconds' then
    update switchyard.change_streams s
    set expires_at = read_changes.at + interval '30 seconds'
    where s.id = read_changes.stream_id;
    perform switchyard.keep_listening(read_changes.tenant_id, read_changes.at);
  end if;

  select jsonb_agg(jsonb_build_object('cursor', c.xid || '.' || c.id, 'kind', c.kind,
    'data', switchyard.describe_change(c)) order by c.xid, c.id)
  into v_page
  from (
    select * from switchyard.changes c
    where c.tenant_id = read_changes.tenant_id
      and c.xid >= v_after and (c.xid, c.id) > (v_after, v_after_id) and c.xid < v_horizon
    order by c.xid, c.id
    limit least(greatest(page_limit, 1), 200)
  ) c;
  return jsonb_build_object('changes', coalesce(v_page, '[]'), 'is_ready', v_horizon >= v_after,
    -- Where nothing came, the place moves on by itself, so that it does not grow too old to resume.
    'cursor', coalesce(v_page -> -1 ->> 'cursor',
      greatest(v_horizon, v_after) || case when v_horizon > v_after then '.0'
        else '.' || v_after_id end));
end;
$$;

-- Ends a stream, so that another may be opened in its place.
create or replace function switchyard_api.close_change_stream(tenant_id uuid, stream_id uuid)
returns void
language sql
security definer
set search_path = ''
as $$
  delete from switchyard.change_streams s
  where s.id = close_change_stream.stream_id and s.tenant_id = close_change_stream.tenant_id;
$$;

-- Forgets what is older than it has to be, and tenants at whom nobody has looked for a while.
create or replace function switchyard.prune_changes(at timestamptz, most integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_deleted integer;
  v_to xid8;
begin
  delete from switchyard.change_listeners l where l.until <= prune_changes.at;
  delete from switchyard.change_streams s where s.expires_at <= prune_changes.at;
  with deleted as (
    delete from switchyard.changes d
    where d.id = any (array(
      select c.id from switchyard.changes c, switchyard.settings s
      where c.at <= prune_changes.at - make_interval(mins => s.changes_kept_minutes)
      order by c.at
      limit most))
    returning d.xid
  )
  select count(*), max(xid) into v_deleted, v_to from deleted;
  update switchyard.settings s
  set changes_pruned_to = v_to
  where v_to > s.changes_pruned_to;
  return v_deleted;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
