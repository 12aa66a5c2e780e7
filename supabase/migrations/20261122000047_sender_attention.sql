-- Senders that need a person: who, since when and why. What pauses a sender here resumes it here.
-- Locks nothing. Undo: drop the table and functions below.

create table if not exists switchyard.sender_attention (
  id bigint generated always as identity primary key,
  sender_id uuid not null references switchyard.senders (id) on delete cascade,
  tenant_id uuid not null references switchyard.tenants (id) on delete cascade,
  cause text not null,
  detail jsonb not null default '{}',
  -- Whether this is what paused the sender; one that was paused before stays so when it is cleared.
  paused_sender boolean not null,
  raised_at timestamptz not null,
  cleared_at timestamptz,
  constraint cleared_after_raised check (cleared_at >= raised_at)
);
create unique index if not exists attention_of_sender_is_open_once
  on switchyard.sender_attention (sender_id, cause) where cleared_at is null;
create index if not exists sender_attention_sender_id
  on switchyard.sender_attention (sender_id, raised_at);
alter table switchyard.sender_attention
  -- What stands still meanwhile: all that the sender has, its bulk messages, its templates, or nothing.
  add column if not exists stops text not null default 'all',
  -- Over by itself then.
  add column if not exists until timestamptz,
  drop constraint if exists stops_is_known,
  add constraint stops_is_known check (stops in ('all', 'bulk', 'templates', 'nothing'));
create index if not exists sender_attention_stops
  on switchyard.sender_attention (sender_id)
  where cleared_at is null and stops in ('bulk', 'templates');
create index if not exists sender_attention_until on switchyard.sender_attention (until)
  where cleared_at is null and until is not null;
create index if not exists sender_attention_tenant_id
  on switchyard.sender_attention (tenant_id, raised_at);

alter table switchyard.sender_attention enable row level security;

-- Pauses senders until somebody has looked after them, or stops less of them, and returns those for
-- which this is news.
-- credential_versions names, sender by sender, the version whose refusal is the cause: where the token
-- has been rotated since, the refusal is old and says nothing. Senders are locked in one order.
create or replace function switchyard.raise_attention(
  sender_ids uuid[], cause text, detail jsonb, at timestamptz,
  credential_versions integer[] default null, stops text default 'all',
  until timestamptz default null
)
returns uuid[]
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_raised uuid[];
begin
  perform from switchyard.senders s
  where s.id = any (sender_ids)
  order by s.id
  for no key update;

  with concerned as (
    select distinct on (s.id) s.id, s.tenant_id, s.status
    from unnest(sender_ids, credential_versions) as refused (sender_id, version)
    join switchyard.senders s on s.id = refused.sender_id
    where s.status <> 'removed'
      and (refused.version is null or refused.version = s.credential_version)
  ), raised as (
    insert into switchyard.sender_attention (
      sender_id, tenant_id, cause, detail, paused_sender, raised_at, stops, until
    )
    select c.id, c.tenant_id, raise_attention.cause, coalesce(raise_attention.detail, '{}'),
      c.status = 'active' and raise_attention.stops = 'all', raise_attention.at,
      raise_attention.stops, raise_attention.until
    from concerned c
    order by c.id
    on conflict (sender_id, cause) where cleared_at is null do nothing
    returning sender_id
  ), paused as (
    update switchyard.senders s
    set status = 'paused'
    from raised
    where s.id = raised.sender_id and s.status = 'active' and raise_attention.stops = 'all'
  )
  select array_agg(sender_id) into v_raised from raised;
  perform switchyard.tell_attention(v_raised, raise_attention.cause, raise_attention.at)
  where v_raised is not null;
  return coalesce(v_raised, '{}');
end;
$$;

-- Ends attention for these causes: lets senders go on that nothing else pauses, and what waited for it.
create or replace function switchyard.end_attention(
  sender_ids uuid[], causes text[], at timestamptz
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_resumed uuid[];
begin
  perform switchyard.release_messages(
    array(select 'attention:' || cause from unnest(causes) as cause), sender_ids, 5000,
    end_attention.at);
  perform from switchyard.senders s
  where s.id = any (sender_ids)
  order by s.id
  for no key update;

  with cleared as (
    update switchyard.sender_attention a
    set cleared_at = greatest(end_attention.at, a.raised_at)
    where a.sender_id = any (sender_ids) and a.cause = any (causes) and a.cleared_at is null
    returning a.id, a.sender_id, a.paused_sender
  ), passed_on as (
    -- Who still pauses the sender is who resumes it.
    update switchyard.sender_attention a
    set paused_sender = true
    from cleared c
    where c.paused_sender and a.sender_id = c.sender_id and a.cleared_at is null
      and a.stops = 'all' and a.cause <> all (causes)
    returning a.sender_id
  )
  select array_agg(distinct c.sender_id) into v_resumed
  from cleared c
  where c.paused_sender and c.sender_id not in (select p.sender_id from passed_on p);
  -- The trigger on the status rings for a worker.
  update switchyard.senders s
  set status = 'active'
  where s.id = any (v_resumed) and s.status = 'paused';
end;
$$;

-- Clears whatever paused a sender, and lets it go on if that is what paused it. Returns
-- how many causes were open.
create or replace function switchyard.clear_attention(sender_id uuid, at timestamptz)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_cleared boolean[];
begin
  perform from switchyard.senders s where s.id = clear_attention.sender_id for no key update;

  with cleared as (
    update switchyard.sender_attention a
    set cleared_at = greatest(clear_attention.at, a.raised_at)
    where a.sender_id = clear_attention.sender_id and a.cleared_at is null and a.stops = 'all'
    returning a.paused_sender
  )
  select array_agg(paused_sender) into v_cleared from cleared;

  if true = any (v_cleared) then
    update switchyard.senders s
    set status = 'active'
    where s.id = clear_attention.sender_id and s.status = 'paused';
    perform switchyard.ring_doorbell('wa-sender');
  end if;
  return coalesce(cardinality(v_cleared), 0);
end;
$$;

-- Lists the senders that need attention now, the latest first; wanted_tenant_id null lists those of all
-- tenants.
create or replace function switchyard_api.list_attention(wanted_tenant_id uuid)
returns table (
  sender_id uuid, tenant_id uuid, phone_number_id text, cause text, detail jsonb,
  raised_at timestamptz, stops text, until timestamptz
)
language sql
stable
security definer
set search_path = ''
as $$
  select a.sender_id, a.tenant_id, s.phone_number_id, a.cause, a.detail, a.raised_at, a.stops,
    a.until
  from switchyard.sender_attention a
  join switchyard.senders s on s.id = a.sender_id
  where a.cleared_at is null
    and (list_attention.wanted_tenant_id is null or a.tenant_id = list_attention.wanted_tenant_id)
  order by a.raised_at desc, a.id desc
  limit 1000;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
