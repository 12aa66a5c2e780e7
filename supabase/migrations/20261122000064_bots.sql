-- Which machine answers for a tenant, and where each conversation with a machine stands: its snapshot,
-- what waits for it, its timers, and its history. The machines themselves are code.
-- Locks conversation_events for a moment, to add a trigger. Undo: drop the tables and functions below.

-- A version of a machine is what it was when it was first offered: conversations rely on it.
create table if not exists switchyard.machines (
  id text not null,
  version integer not null,
  fingerprint text not null,
  created_at timestamptz not null default now(),
  primary key (id, version),
  constraint version_is_positive check (version > 0),
  constraint fingerprint_is_sha256_hex check (fingerprint ~ '^[0-9a-f]{64}$')
);

create table if not exists switchyard.tenant_bots (
  tenant_id uuid primary key references switchyard.tenants (id) on delete cascade,
  machine text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint machine_is_a_name check (machine ~ '^[a-z][a-z0-9_]{0,62}$')
);

create table if not exists switchyard.conversation_machines (
  conversation_id uuid primary key references switchyard.conversations (id) on delete cascade,
  tenant_id uuid not null references switchyard.tenants (id) on delete restrict,
  machine text not null,
  -- Null until it begins; then the version that it began on, until it ends or is migrated.
  version integer,
  snapshot jsonb,
  state text,
  -- Counts what was written: who has computed from an earlier one writes nothing.
  seq bigint not null default 0,
  -- When there is something to do; null when there is not.
  wake_at timestamptz,
  -- Until then one worker computes; only for economy, seq is what protects.
  lease_expires_at timestamptz,
  failure_count integer not null default 0,
  -- Given up, with the reason, until it is migrated or the tenant's bot is set again.
  parked_at timestamptz,
  parked_reason text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint version_and_snapshot_together check ((version is null) = (snapshot is null)),
  constraint parked_has_a_reason check ((parked_at is null) = (parked_reason is null)),
  constraint parked_sleeps check (parked_at is null or wake_at is null)
) with (fillfactor = 80);
create index if not exists conversation_machines_awake
  on switchyard.conversation_machines (wake_at) where wake_at is not null;
create index if not exists conversation_machines_of_version
  on switchyard.conversation_machines (machine, version, conversation_id) where version is not null;
create index if not exists conversation_machines_of_tenant
  on switchyard.conversation_machines (tenant_id, conversation_id);

-- What happened and was not taken yet, in the order in which it happened.
create table if not exists switchyard.conversation_steps (
  id bigint generated always as identity primary key,
  conversation_id uuid not null
    references switchyard.conversation_machines (conversation_id) on delete cascade,
  kind text not null,
  content jsonb not null default '{}',
  wamid text,
  at timestamptz not null,
  conversation_event_id bigint,
  created_at timestamptz not null default now(),
  constraint step_of_event_is_unique unique (conversation_event_id)
);
create index if not exists conversation_steps_in_order
  on switchyard.conversation_steps (conversation_id, at, id);

create table if not exists switchyard.conversation_timers (
  conversation_id uuid not null
    references switchyard.conversation_machines (conversation_id) on delete cascade,
  name text not null,
  due_at timestamptz not null,
  event jsonb not null,
  -- The write that set it.
  seq bigint not null,
  primary key (conversation_id, name)
);

-- The history of a conversation, from its beginning: replaying the events gives the snapshot.
create table if not exists switchyard.conversation_transitions (
  conversation_id uuid not null
    references switchyard.conversation_machines (conversation_id) on delete cascade,
  seq bigint not null,
  nth integer not null,
  machine text not null,
  version integer not null,
  event jsonb not null,
  from_state text,
  to_state text not null,
  path text[] not null,
  -- What was said: {type, outcome, message_id?} each.
  messages jsonb not null default '[]',
  at timestamptz not null,
  primary key (conversation_id, seq, nth)
);

create or replace trigger tenant_bots_updated_at before update on switchyard.tenant_bots
  for each row execute function switchyard.touch_updated_at();
create or replace trigger conversation_machines_updated_at
  before update on switchyard.conversation_machines
  for each row execute function switchyard.touch_updated_at();

alter table switchyard.machines enable row level security;
alter table switchyard.tenant_bots enable row level security;
alter table switchyard.conversation_machines enable row level security;
alter table switchyard.conversation_steps enable row level security;
alter table switchyard.conversation_timers enable row level security;
alter table switchyard.conversation_transitions enable row level security;

-- Lets steps wait for their conversations and wakes those: a machine that another one has replaced, or
-- that was stopped, begins anew. Rows are locked in one order. Steps: {conversation_id, tenant_id, kind,
-- content, wamid, at, conversation_event_id}.
create or replace function switchyard.queue_steps(steps jsonb)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_queued integer;
begin
  insert into switchyard.conversation_machines as c (conversation_id, tenant_id, machine, wake_at)
  select s.conversation_id, b.tenant_id, b.machine, least(min(s.at), clock_timestamp())
  from jsonb_to_recordset(steps) as s (conversation_id uuid, tenant_id uuid, at timestamptz)
  join switchyard.tenant_bots b on b.tenant_id = s.tenant_id
  group by s.conversation_id, b.tenant_id, b.machine
  order by s.conversation_id
  on conflict (conversation_id) do update
  set wake_at = least(c.wake_at, excluded.wake_at),
    machine = excluded.machine,
    version = case when c.machine = excluded.machine then c.version end,
    snapshot = case when c.machine = excluded.machine then c.snapshot end,
    state = case when c.machine = excluded.machine then c.state end,
    seq = c.seq + (c.machine <> excluded.machine)::integer
  where c.parked_at is null;

  insert into switchyard.conversation_steps (
    conversation_id, kind, content, wamid, at, conversation_event_id
  )
  select c.conversation_id, s.kind, coalesce(s.content, '{}'), s.wamid, s.at, s.conversation_event_id
  from jsonb_to_recordset(steps) as s (
    conversation_id uuid, tenant_id uuid, kind text, content jsonb, wamid text, at timestamptz,
    conversation_event_id bigint)
  join switchyard.tenant_bots b on b.tenant_id = s.tenant_id
  join switchyard.conversation_machines c
    on c.conversation_id = s.conversation_id and c.parked_at is null
  order by s.at, s.conversation_event_id;
  get diagnostics v_queued = row_count;
  return v_queued;
end;
$$;

-- What a customer wrote waits for the machine, in the transaction that writes it down. Messages of
-- tenants without a bot cost one look at an empty table.
create or replace function switchyard.queue_inbound_steps()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  perform switchyard.queue_steps(mine.steps)
  from (
    select jsonb_agg(jsonb_build_object(
      'conversation_id', w.conversation_id, 'tenant_id', w.tenant_id, 'kind', w.type,
      'content', w.content, 'wamid', w.wamid, 'at', w.at, 'conversation_event_id', w.id
    ) order by w.at, w.id) as steps
    from written w
    where w.direction = 'inbound' and not w.is_standby
      and exists (select from switchyard.tenant_bots b where b.tenant_id = w.tenant_id)
  ) mine
  where mine.steps is not null;
  return null;
end;
$$;

create or replace trigger conversation_events_wake_bots
  after insert on switchyard.conversation_events
  referencing new table as written
  for each statement execute function switchyard.queue_inbound_steps();

-- Chooses the machine that answers for a tenant; null stops it. Which machines there are, the caller
-- knows: one that no deployment has leaves its conversations waiting. Conversations of another machine stop
-- with all that waits for them, and parked ones begin anew with the customer's next message.
create or replace function switchyard_api.set_bot(tenant_id uuid, machine text, actor jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
begin
  if not exists (select from switchyard.tenants t where t.id = set_bot.tenant_id) then
    return jsonb_build_object('outcome', 'tenant_not_found');
  end if;

  if machine is null then
    delete from switchyard.tenant_bots b where b.tenant_id = set_bot.tenant_id;
  else
    insert into switchyard.tenant_bots as b (tenant_id, machine)
    values (set_bot.tenant_id, set_bot.machine)
    on conflict on constraint tenant_bots_pkey do update set machine = excluded.machine
    where b.machine <> excluded.machine;
  end if;
  perform switchyard.stop_conversations(set_bot.tenant_id, set_bot.machine);
  perform switchyard.write_audit(set_bot.tenant_id, actor, 'bot.set', set_bot.tenant_id::text,
    jsonb_build_object('machine', set_bot.machine));
  return jsonb_build_object('outcome', 'set');
end;
$$;

-- Stops the conversations of a tenant that run on another machine than this, or are parked: their
-- history stays, nothing of them happens any more.
create or replace function switchyard.stop_conversations(tenant_id uuid, kept_machine text)
returns void
language sql
set search_path = ''
as $$
  with stopped as (
    update switchyard.conversation_machines c
    set version = null, snapshot = null, state = null, wake_at = null, lease_expires_at = null,
      parked_at = null, parked_reason = null, failure_count = 0, seq = c.seq + 1
    where c.tenant_id = stop_conversations.tenant_id
      and (c.machine is distinct from kept_machine or c.parked_at is not null)
    returning c.conversation_id
  ), steps as (
    delete from switchyard.conversation_steps s using stopped
    where s.conversation_id = stopped.conversation_id
  )
  delete from switchyard.conversation_timers t using stopped
  where t.conversation_id = stopped.conversation_id;
$$;

-- Makes the machines known that a deployment has, and says which of them it may run: one whose
-- definition changed under the same version may not.
create or replace function switchyard_api.offer_machines(machines jsonb)
returns table (id text, version integer, is_accepted boolean, known_fingerprint text)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  insert into switchyard.machines (id, version, fingerprint)
  select m.id, m.version, m.fingerprint
  from jsonb_to_recordset(machines) as m (id text, version integer, fingerprint text)
  order by m.id, m.version
  on conflict on constraint machines_pkey do nothing;

  return query
  select m.id, m.version, k.fingerprint = m.fingerprint, k.fingerprint
  from jsonb_to_recordset(machines) as m (id text, version integer, fingerprint text)
  join switchyard.machines k on k.id = m.id and k.version = m.version;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
