-- What customers wrote, by conversation, and the application of events: each exactly once.
-- Locks nothing. Undo: drop the tables and functions below.

create table if not exists switchyard.conversations (
  id uuid primary key default switchyard.new_id(),
  tenant_id uuid not null references switchyard.tenants (id) on delete restrict,
  sender_id uuid not null references switchyard.senders (id) on delete restrict,
  -- A customer may hide the number behind a business-scoped user id, and may show it later.
  customer_phone text,
  customer_user_id text,
  customer_name text,
  last_inbound_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint customer_is_identified check (num_nonnulls(customer_phone, customer_user_id) > 0),
  constraint conversation_of_phone_is_unique unique (sender_id, customer_phone),
  constraint conversation_of_user_is_unique unique (sender_id, customer_user_id)
);
create index if not exists conversations_tenant_id on switchyard.conversations (tenant_id);

create table if not exists switchyard.conversation_events (
  id bigint generated always as identity primary key,
  conversation_id uuid not null references switchyard.conversations (id) on delete cascade,
  tenant_id uuid not null references switchyard.tenants (id) on delete restrict,
  direction text not null,
  type text not null,
  wamid text,
  content jsonb not null,
  at timestamptz not null,
  -- Meta's own agent held the thread: it is kept, and no bot answers it.
  is_standby boolean not null default false,
  -- The event that told it, which is kept for a shorter time.
  inbound_event_id bigint,
  created_at timestamptz not null default now(),
  constraint direction_is_known check (direction in ('inbound', 'outbound')),
  constraint event_is_in_one_conversation unique (inbound_event_id)
);
create index if not exists conversation_events_in_order
  on switchyard.conversation_events (conversation_id, at, id);
create index if not exists conversation_events_tenant_id on switchyard.conversation_events (tenant_id);

create or replace trigger conversations_updated_at before update on switchyard.conversations
  for each row execute function switchyard.touch_updated_at();

alter table switchyard.conversations enable row level security;
alter table switchyard.conversation_events enable row level security;

-- Writes inbound messages into their conversations. What Meta tells of a changed number or id holds for
-- what comes after it.
create or replace function switchyard.apply_inbound_messages(items jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  -- A statement of its own: what the next one updates must be there when it begins.
  perform switchyard.find_conversation(
    customer.tenant_id, customer.sender_id, customer.phone, customer.user_id, customer.at)
  from (
    select e.tenant_id, e.sender_id, i.phone, i.user_id, min(i.at) as at
    from jsonb_to_recordset(items) as i (id bigint, phone text, user_id text, at timestamptz)
    join switchyard.inbound_events e on e.id = i.id
    group by e.tenant_id, e.sender_id, i.phone, i.user_id
    order by e.sender_id, at, i.phone, i.user_id
  ) customer;

  with item as (
    select i.*, e.tenant_id, e.sender_id, e.field = 'standby' as is_standby
    from jsonb_to_recordset(items) as i (
      id bigint, phone text, user_id text, name text, wamid text, type text, content jsonb,
      at timestamptz)
    join switchyard.inbound_events e on e.id = i.id
  ), customer as (
    select c.*, switchyard.look_up_conversation(c.sender_id, c.phone, c.user_id)
      as conversation_id
    from (select distinct tenant_id, sender_id, phone, user_id from item) c
  ), written as (
    insert into switchyard.conversation_events (
      conversation_id, tenant_id, direction, type, wamid, content, at, is_standby, inbound_event_id
    )
    select customer.conversation_id, item.tenant_id, 'inbound', item.type, item.wamid, item.content,
      item.at, item.is_standby, item.id
    from item
    join customer on customer.sender_id = item.sender_id
      and customer.phone is not distinct from item.phone
      and customer.user_id is not distinct from item.user_id
    order by item.at, item.id
    returning conversation_id, at, type, inbound_event_id
  )
  update switchyard.conversations c
  set active_at = greatest(c.active_at, latest.at),
    last_inbound_at = greatest(c.last_inbound_at, latest.written_at),
    customer_name = coalesce(latest.name, c.customer_name)
  from (
    -- A notice about the customer's number is nothing that the customer wrote.
    select w.conversation_id, max(w.at) as at, max(w.at) filter (where w.type <> 'system') as written_at,
      (array_agg(item.name order by w.at desc) filter (where item.name is not null))[1] as name
    from written w join item on item.id = w.inbound_event_id
    group by w.conversation_id
  ) latest
  where c.id = latest.conversation_id;

  perform switchyard.identify_customer(e.conversation_id, i.became_phone, i.became_user_id, true, i.at)
  from jsonb_to_recordset(items) as i (
    id bigint, became_phone text, became_user_id text, at timestamptz)
  join switchyard.conversation_events e on e.inbound_event_id = i.id
  where num_nonnulls(i.became_phone, i.became_user_id) > 0
  order by i.at, i.id;
end;
$$;

-- Keeps the statuses that Meta reported and lets their messages follow. A status finds its message by
-- our id, which Meta hands back, else by the wamid; one without a message yet is kept for it. Where a
-- number was registered again, that of a message from before is still that message's.
-- Returns the messages that it found.
create or replace function switchyard.apply_statuses(items jsonb)
returns uuid[]
language plpgsql
set search_path = ''
as $$
declare
  v_messages uuid[];
begin
  with item as (
    select i.*, e.sender_id
    from jsonb_to_recordset(items) as i (
      id bigint, message_id uuid, wamid text, status text, recipient text, participant text,
      at timestamptz, pricing jsonb, errors jsonb)
    join switchyard.inbound_events e on e.id = i.id
  ), kept as (
    insert into switchyard.message_statuses (
      message_id, sender_id, wamid, status, recipient, participant, at, pricing, errors,
      inbound_event_id
    )
    select coalesce(
        (select m.id from switchyard.messages m
          where m.id = item.message_id
            and (m.sender_id = item.sender_id
              or switchyard.have_one_number(m.sender_id, item.sender_id))),
        (select m.id from switchyard.messages m
          where m.wamid = item.wamid
            and (m.sender_id = item.sender_id
              or switchyard.have_one_number(m.sender_id, item.sender_id))
          limit 1)),
      item.sender_id, item.wamid, item.status, item.recipient, item.participant, item.at,
      item.pricing, item.errors, item.id
    from item
    order by item.id
    returning message_id
  )
  select array_agg(distinct message_id) into v_messages from kept where message_id is not null;
  perform switchyard.note_free_entries(jsonb_agg(i))
  from jsonb_array_elements(items) i where i ->> 'free_entry_until' is not null having count(*) > 0;

  perform from switchyard.messages m where m.id = any (v_messages)
  order by m.id for no key update;
  perform switchyard.follow_statuses(v_messages) where v_messages is not null;
  return v_messages;
end;
$$;

-- Applies claimed events, each exactly once: what an event does, its state and its leaving the queue
-- commit together, and only the attempt that was given out counts. One that is to be tried again leaves
-- its turn: it waits alone, and lets those behind it go. Each item says what its event means:
-- {action: status | message | account | keep, …}, {action: retry, delay_seconds, reason} or {action: dead, reason}.
create or replace function switchyard_api.apply_events(
  items jsonb, at timestamptz default clock_timestamp()
)
returns table (id bigint, applied boolean)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_items jsonb;
  v_keys bigint[];
  v_messages uuid[];
begin
  -- Entries before events, as claims take them. By arrays, which keep a plan that was made for a short
  -- queue on the index when there is a long one.
  perform from pgmq.q_wa_inbound q
  where q.msg_id = any (array(
    select (i ->> 'queue_entry_id')::bigint from jsonb_array_elements(items) i))
  order by q.msg_id
  for update;
  perform from switchyard.inbound_events e
  where e.id = any (array(select (i ->> 'id')::bigint from jsonb_array_elements(items) i))
  order by e.id
  for no key update;

  select jsonb_agg(i), array_agg(distinct e.conversation_key)
    filter (where e.conversation_key is not null)
  into v_items, v_keys
  from jsonb_array_elements(items) i
  join switchyard.inbound_events e on e.id = (i ->> 'id')::bigint
  where e.state = 'pending' and e.attempt_count = (i ->> 'attempt')::integer;

  select switchyard.apply_statuses(jsonb_agg(i)) into v_messages
  from jsonb_array_elements(v_items) i where i ->> 'action' = 'status' having count(*) > 0;
  perform switchyard.apply_account_updates(jsonb_agg(i), apply_events.at)
  from jsonb_array_elements(v_items) i where i ->> 'action' = 'account' having count(*) > 0;
  -- Money before machines, as when these answer: see advance_conversations().
  perform switchyard.follow_charges(v_messages, apply_events.at) where v_messages is not null;

  perform switchyard.apply_inbound_messages(jsonb_agg(i))
  from jsonb_array_elements(v_items) i where i ->> 'action' = 'message' having count(*) > 0;
  perform switchyard.tell_received(array_agg((i ->> 'id')::bigint), apply_events.at)
  from jsonb_array_elements(v_items) i where i ->> 'action' = 'message' having count(*) > 0;

  insert into switchyard.dead_letters (tenant_id, inbound_event_id, cause, created_at)
  select e.tenant_id, e.id, coalesce(i ->> 'reason', 'unknown'), apply_events.at
  from jsonb_array_elements(v_items) i
  join switchyard.inbound_events e on e.id = (i ->> 'id')::bigint
  where i ->> 'action' = 'dead';

  update switchyard.inbound_events e
  set state = case i ->> 'action' when 'dead' then 'dead' else 'applied' end,
    reason = coalesce(i ->> 'reason', e.reason),
    processed_at = apply_events.at,
    lease_expires_at = null
  from jsonb_array_elements(v_items) i
  where e.id = (i ->> 'id')::bigint and i ->> 'action' <> 'retry';
  update switchyard.inbound_events e
  set lease_expires_at = null, conversation_key = null
  from jsonb_array_elements(v_items) i
  where e.id = (i ->> 'id')::bigint and i ->> 'action' = 'retry';

  perform pgmq.delete('wa_inbound', array(
    select (i ->> 'queue_entry_id')::bigint from jsonb_array_elements(v_items) i
    where i ->> 'action' <> 'retry'));
  perform pgmq.set_vt('wa_inbound', (i ->> 'queue_entry_id')::bigint,
    (i ->> 'delay_seconds')::integer)
  from jsonb_array_elements(v_items) i
  where i ->> 'action' = 'retry';
  perform switchyard.free_conversations(v_keys, apply_events.at) where v_keys is not null;
  perform switchyard.log_message_changes(v_messages);

  -- Not by containment, which would compare each item with every other.
  return query
  select (i ->> 'id')::bigint, (i ->> 'id', i ->> 'attempt') in (
    select a ->> 'id', a ->> 'attempt' from jsonb_array_elements(v_items) a)
  from jsonb_array_elements(items) i;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
