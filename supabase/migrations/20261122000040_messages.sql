-- Outbound messages, every call made for them, and every status that Meta reported. The backlog waits
-- here: pgmq carries only what is claimed, for as long as its lease.
-- Locks nothing. Undo: drop the tables and functions below.

create table if not exists switchyard.messages (
  id uuid primary key default switchyard.new_id(),
  -- Order of acceptance: ids made within one millisecond sort at random, this does not.
  accepted_no bigint generated always as identity,
  tenant_id uuid not null references switchyard.tenants (id) on delete restrict,
  sender_id uuid not null references switchyard.senders (id) on delete restrict,
  recipient text not null,
  type text not null,
  content jsonb not null,
  context jsonb,
  lane text not null,
  share text not null generated always as (case
    when lane = 'urgent' then 'urgent' when deferral_count > 0 then 'returning' else 'other'
  end) stored,
  status text not null default 'queued',
  on_unknown text,
  client_ref text,
  planned_send_at timestamptz not null,
  due_at timestamptz not null,
  expires_at timestamptz not null,
  -- The pgmq entry while the message is in the queue, and the lease of whoever claimed it.
  queue_entry_id bigint,
  lease_expires_at timestamptz,
  -- At most one message of a (sender, recipient) pair is being delivered; the others wait their turn.
  holds_pair boolean not null default false,
  waits_turn boolean not null default false,
  -- Fences claims: a worker may settle only the attempt that it was given.
  attempt_count integer not null default 0,
  failure_count integer not null default 0,
  unknown_until timestamptz,
  wamid text,
  failure jsonb,
  -- What a queued message is held back by: a limit, a breaker, a credential that cannot be had.
  waiting_for text,
  -- How often in a row a limit has put it off.
  deferral_count integer not null default 0,
  price jsonb,
  -- When it came to an end without Meta: expired, cancelled or dead.
  ended_at timestamptz,
  created_at timestamptz not null default now(),
  constraint recipient_is_e164_or_user_id check (
    recipient ~ '^(\+[1-9][0-9]{4,14}|[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128})$'),
  constraint lane_is_known check (lane in ('urgent', 'normal', 'bulk')),
  constraint status_is_known check (status in (
    'queued', 'sending', 'outcome_unknown', 'sent', 'delivered', 'read',
    'failed', 'expired', 'cancelled', 'dead'
  )),
  constraint on_unknown_is_known check (on_unknown in ('resend', 'dead_letter')),
  constraint client_ref_has_at_most_200_characters check (char_length(client_ref) <= 200),
  constraint only_queued_or_sending_is_in_queue check (
    queue_entry_id is null or status not in ('expired', 'cancelled', 'dead', 'outcome_unknown')
  ),
  constraint turn_is_held_or_waited_for check (not (holds_pair and waits_turn))
) with (
  fillfactor = 80,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_cost_delay = 2
);

create index if not exists messages_backlog
  on switchyard.messages (sender_id, share, due_at, accepted_no)
  where status = 'queued' and queue_entry_id is null and not waits_turn;
create unique index if not exists one_message_of_a_pair_at_a_time
  on switchyard.messages (sender_id, recipient) where holds_pair;
create index if not exists messages_waiting_turn
  on switchyard.messages (
    sender_id, recipient, (lane = 'urgent') desc, planned_send_at, accepted_no)
  where waits_turn;
create index if not exists messages_unknown on switchyard.messages (unknown_until)
  where status = 'outcome_unknown';
create index if not exists messages_wamid on switchyard.messages (wamid) where wamid is not null;
-- What was sent to one customer, in the order of a conversation.
create index if not exists messages_of_conversation
  on switchyard.messages (sender_id, recipient, planned_send_at);
create index if not exists messages_of_tenant on switchyard.messages (tenant_id, accepted_no desc);

create table if not exists switchyard.message_attempts (
  message_id uuid not null references switchyard.messages (id) on delete cascade,
  attempt integer not null,
  worker text not null,
  started_at timestamptz not null,
  finished_at timestamptz,
  outcome text,
  error jsonb,
  wamid text,
  primary key (message_id, attempt),
  constraint outcome_is_known check (outcome in ('accepted', 'retry', 'rejected', 'unknown')),
  constraint finished_with_an_outcome check ((finished_at is null) = (outcome is null))
) with (
  -- Each is written twice, and the second time beside the first.
  fillfactor = 70
);

-- One row a status that Meta reported, in any order, also of messages that are not (yet) known here.
create table if not exists switchyard.message_statuses (
  id bigint generated always as identity primary key,
  message_id uuid references switchyard.messages (id) on delete cascade,
  sender_id uuid not null references switchyard.senders (id) on delete cascade,
  wamid text not null,
  status text not null,
  recipient text,
  -- The member of a group that it tells of.
  participant text,
  at timestamptz not null,
  pricing jsonb,
  errors jsonb,
  inbound_event_id bigint not null,
  created_at timestamptz not null default now(),
  constraint status_of_event_is_unique unique (inbound_event_id)
);
create index if not exists message_statuses_message_id on switchyard.message_statuses (message_id);
create index if not exists message_statuses_sender_id on switchyard.message_statuses (sender_id);
create index if not exists message_statuses_unmatched on switchyard.message_statuses (wamid)
  where message_id is null;

create table if not exists switchyard.dead_letters (
  id uuid primary key default switchyard.new_id(),
  tenant_id uuid references switchyard.tenants (id) on delete cascade,
  message_id uuid references switchyard.messages (id) on delete cascade,
  inbound_event_id bigint,
  cause text not null,
  detail jsonb not null default '{}',
  created_at timestamptz not null default now(),
  redriven_at timestamptz,
  constraint dead_letter_is_of_one_thing check (num_nonnulls(message_id, inbound_event_id) = 1)
);
create index if not exists dead_letters_tenant_id on switchyard.dead_letters (tenant_id, created_at);
create index if not exists dead_letters_message_id on switchyard.dead_letters (message_id);
create index if not exists dead_letters_inbound_event_id on switchyard.dead_letters (inbound_event_id);

alter table switchyard.messages enable row level security;
alter table switchyard.message_attempts enable row level security;
alter table switchyard.message_statuses enable row level security;
alter table switchyard.dead_letters enable row level security;

-- Orders the statuses of a message: a move to a lower rank is not made. Failed, dead and expired stand
-- below delivered, since a delivery that Meta reports afterwards is the truth.
create or replace function switchyard.status_rank(status text)
returns integer
language sql
immutable
set search_path = ''
as $$
  select case status_rank.status
    when 'queued' then 0
    when 'sending' then 1
    when 'outcome_unknown' then 1
    when 'sent' then 2
    when 'failed' then 3
    when 'dead' then 3
    when 'expired' then 3
    when 'cancelled' then 3
    when 'delivered' then 4
    when 'read' then 5
    when 'played' then 5
  end;
$$;

-- Lays out what happened to a message: our own steps come from its row and its attempts, the rest from
-- the statuses that Meta reported, so that no step is written twice. Meta's statuses stand last: they
-- follow the call that caused them, though their clock counts whole seconds only.
create or replace function switchyard.message_timeline(message switchyard.messages)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with meta as (
    select t.status, t.at, t.errors from switchyard.message_statuses t where t.message_id = message.id
  ), attempts as (
    select * from switchyard.message_attempts a where a.message_id = message.id
  ), steps (status, at, source, error, place) as (
    select 'queued', message.created_at, 'switchyard', null::jsonb, 0
    union all
    select 'sending', started_at, 'switchyard', null, 1 from attempts
    union all
    select 'queued', finished_at, 'switchyard', error, 2 from attempts where outcome = 'retry'
    union all
    select 'outcome_unknown', finished_at, 'switchyard', error, 2 from attempts
    where outcome = 'unknown'
    union all
    select 'sent', finished_at, 'switchyard', null, 3 from attempts
    where outcome = 'accepted' and not exists (select from meta where meta.status = 'sent')
    union all
    select message.status, message.ended_at, 'switchyard', message.failure, 4
    where message.ended_at is not null and message.status in ('expired', 'cancelled', 'dead')
    union all
    select step.status, step.at, 'switchyard', step.error, 4
    from switchyard.dead_letters d
    cross join lateral (
      values ('dead', d.created_at, d.detail), ('queued', d.redriven_at, null)
    ) as step (status, at, error)
    where d.message_id = message.id and d.redriven_at is not null
    union all
    select status, at, 'meta', errors, 5 + switchyard.status_rank(status) from meta
  )
  select jsonb_agg(
    jsonb_strip_nulls(jsonb_build_object(
      'status', status, 'at', at, 'source', source, 'error', error))
    order by source = 'meta', at, place
  )
  from steps;
$$;

-- Tells one message as the tenant sees it, with its attempts and every status in order of time.
create or replace function switchyard_api.get_message(tenant_id uuid, message_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (select jsonb_strip_nulls(jsonb_build_object(
    'id', m.id,
    'status', m.status,
    'from', s.phone_number_id,
    'to', m.recipient,
    'type', m.type,
    'lane', m.lane,
    'client_ref', m.client_ref,
    'planned_send_at', m.planned_send_at,
    'expires_at', m.expires_at,
    'created_at', m.created_at,
    'waiting_for', case when m.status = 'queued' then m.waiting_for end,
    'error', m.failure,
    'price', case when m.charge is null then m.price else switchyard.tell_price(m) end
  )) || jsonb_build_object(
    'wamid', m.wamid,
    'attempts', coalesce((
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'started_at', a.started_at, 'finished_at', a.finished_at,
        'outcome', a.outcome, 'error', a.error)) order by a.attempt)
      from switchyard.message_attempts a where a.message_id = m.id
    ), '[]'),
    'timeline', switchyard.message_timeline(m)
  )
  from switchyard.messages m
  join switchyard.senders s on s.id = m.sender_id
  where m.id = get_message.message_id
    and m.tenant_id = get_message.tenant_id);
end;
$$;

-- Reads a page of a tenant's messages, newest first; the cursor is the last line's place.
create or replace function switchyard_api.list_messages(
  tenant_id uuid, filter jsonb, cursor text, page_limit integer
)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (with page as (
    select m.accepted_no, jsonb_strip_nulls(jsonb_build_object(
      'id', m.id, 'status', m.status, 'from', s.phone_number_id, 'to', m.recipient, 'type', m.type,
      'lane', m.lane, 'client_ref', m.client_ref, 'wamid', m.wamid, 'error', m.failure,
      'price', switchyard.tell_price(m), 'planned_send_at', m.planned_send_at,
      'created_at', m.created_at)) as line
    from switchyard.messages m
    join switchyard.senders s on s.id = m.sender_id
    where m.tenant_id = list_messages.tenant_id
      and (filter ->> 'status' is null or m.status = filter ->> 'status')
      and (filter ->> 'to' is null or m.recipient = filter ->> 'to')
      and (list_messages.cursor is null or m.accepted_no < list_messages.cursor::bigint)
    order by m.accepted_no desc
    limit least(greatest(page_limit, 1), 200) + 1
  ), shown as (
    select * from page order by accepted_no desc limit least(greatest(page_limit, 1), 200)
  )
  select jsonb_build_object(
    'messages', coalesce((select jsonb_agg(line order by accepted_no desc) from shown), '[]'),
    'next_cursor', case when (select count(*) from page) > (select count(*) from shown)
      then (select min(accepted_no)::text from shown) end
  ));
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
