-- Tenant callbacks: the addresses that a tenant gave us, what happened that they want to hear of, and
-- what is still to be delivered. Signing secrets lie in Vault.
-- Locks nothing. Undo: drop the tables and functions below and the Vault secrets switchyard/callback/%.

create table if not exists switchyard.callback_endpoints (
  id uuid primary key default switchyard.new_id(),
  tenant_id uuid not null references switchyard.tenants (id) on delete restrict,
  url text not null,
  events text[] not null,
  -- Paused by us after long failure, disabled by the receiver (410) or by the tenant; who is removed is
  -- swept away by the tick.
  status text not null default 'active',
  status_reason text,
  secret_id uuid not null,
  -- Signs beside the current one until then.
  previous_secret_id uuid,
  previous_secret_until timestamptz,
  -- Until then nothing of it is read: its breaker is open.
  held_until timestamptz,
  -- Failures in a row, since when, and what the last one was.
  failure_count integer not null default 0,
  failing_since timestamptz,
  last_failure jsonb,
  enabled_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint status_is_known check (status in ('active', 'paused', 'disabled', 'removed')),
  constraint url_has_at_most_2048_characters check (char_length(url) between 1 and 2048),
  constraint events_are_known check (
    cardinality(events) > 0 and events <@ array[
      'message.status', 'message.received', 'wallet.low', 'wallet.top_up_wanted',
      'sender.attention']),
  constraint previous_secret_has_an_end check (
    (previous_secret_id is null) = (previous_secret_until is null)),
  constraint fails_since_a_moment check ((failure_count = 0) = (failing_since is null))
);
create index if not exists callback_endpoints_tenant_id
  on switchyard.callback_endpoints (tenant_id);

-- What happened, once for all endpoints of a tenant; its id is the webhook-id. The key says what it is
-- that happened: the same is never told twice.
create table if not exists switchyard.callback_events (
  id uuid primary key default switchyard.new_id(),
  -- Order of telling: ids made within one millisecond sort at random, this does not.
  told_no bigint generated always as identity,
  tenant_id uuid not null references switchyard.tenants (id) on delete restrict,
  type text not null,
  order_key text not null,
  key text,
  payload jsonb not null,
  created_at timestamptz not null,
  constraint event_is_told_once unique (tenant_id, key)
);
create index if not exists callback_events_of_tenant
  on switchyard.callback_events (tenant_id, created_at, told_no);
create index if not exists callback_events_created_at on switchyard.callback_events (created_at);

-- One row for each event and endpoint. Those of one conversation form a line: only its head may be
-- delivered, the others wait. What was just written is new until a claim has put it into its line: to
-- emit is to insert, and locks nothing that others hold.
create table if not exists switchyard.callback_deliveries (
  id bigint generated always as identity primary key,
  endpoint_id uuid not null references switchyard.callback_endpoints (id) on delete cascade,
  event_id uuid not null references switchyard.callback_events (id) on delete cascade,
  order_key text not null,
  state text not null default 'new',
  due_at timestamptz not null,
  -- Fences claims: a worker may settle only the attempt that it was given.
  attempt_count integer not null default 0,
  failure_count integer not null default 0,
  lease_expires_at timestamptz,
  -- What fails is tried again for a day from then on.
  first_failed_at timestamptz,
  finished_at timestamptz,
  last_failure jsonb,
  constraint state_is_known check (state in ('new', 'waiting', 'head', 'delivered', 'given_up')),
  constraint only_the_head_is_leased check (lease_expires_at is null or state = 'head'),
  constraint finished_when_over check ((finished_at is null) = (state not in ('delivered', 'given_up')))
) with (fillfactor = 80);
create unique index if not exists one_delivery_of_a_line_at_a_time
  on switchyard.callback_deliveries (endpoint_id, order_key) where state = 'head';
create index if not exists callback_deliveries_new
  on switchyard.callback_deliveries (id) where state = 'new';
create index if not exists callback_deliveries_waiting
  on switchyard.callback_deliveries (endpoint_id, order_key, id) where state = 'waiting';
create index if not exists callback_deliveries_heads
  on switchyard.callback_deliveries (endpoint_id, due_at, id) where state = 'head';
create index if not exists callback_deliveries_leased
  on switchyard.callback_deliveries (endpoint_id) where lease_expires_at is not null;
-- Without the id: with it the planner would walk all of an endpoint for the next of one line.
create index if not exists callback_deliveries_endpoint_id
  on switchyard.callback_deliveries (endpoint_id);
create index if not exists callback_deliveries_event_id
  on switchyard.callback_deliveries (event_id);

create or replace trigger callback_endpoints_updated_at before update on switchyard.callback_endpoints
  for each row execute function switchyard.touch_updated_at();

alter table switchyard.callback_endpoints enable row level security;
alter table switchyard.callback_events enable row level security;
alter table switchyard.callback_deliveries enable row level security;

-- Says which of these tenants want to hear of a type: callers ask before they put events together.
create or replace function switchyard.callback_tenants(tenant_ids uuid[], type text)
returns uuid[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(distinct e.tenant_id), '{}')
  from switchyard.callback_endpoints e
  where e.tenant_id = any (tenant_ids) and e.status in ('active', 'paused')
    and callback_tenants.type = any (e.events);
$$;

-- Says whether any tenant at all wants to hear of a type: where none does, that is all that telling costs.
create or replace function switchyard.is_heard(type text)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from switchyard.callback_endpoints e
    where e.status in ('active', 'paused') and is_heard.type = any (e.events));
$$;

-- Tells tenants what happened, in the transaction in which it happened. Items, in the order in which
-- they are to arrive: {tenant_id, type, order_key, data, key?}. What shares an order key arrives in
-- order; a key names what happened, and a second event with it is not told. Costs one index probe where
-- no endpoint wants it. A paused endpoint keeps what came meanwhile, a disabled one does not.
create or replace function switchyard.emit_callbacks(items jsonb, at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  with wanted as materialized (
    select item.nth, endpoint.ids, switchyard.new_id() as id,
      (item.value ->> 'tenant_id')::uuid as tenant_id,
      item.value ->> 'type' as type,
      item.value ->> 'order_key' as order_key,
      item.value ->> 'key' as key,
      item.value -> 'data' as payload
    from jsonb_array_elements(items) with ordinality as item (value, nth)
    cross join lateral (
      select array_agg(e.id order by e.id) as ids
      from switchyard.callback_endpoints e
      where e.tenant_id = (item.value ->> 'tenant_id')::uuid and e.status in ('active', 'paused')
        and item.value ->> 'type' = any (e.events)
    ) endpoint
    where endpoint.ids is not null
  ), told as (
    insert into switchyard.callback_events (id, tenant_id, type, order_key, key, payload, created_at)
    select w.id, w.tenant_id, w.type, coalesce(w.order_key, w.id::text), w.key,
      coalesce(w.payload, '{}'), emit_callbacks.at
    from wanted w
    order by w.nth
    on conflict on constraint event_is_told_once do nothing
    returning id, order_key
  )
  insert into switchyard.callback_deliveries (endpoint_id, event_id, order_key, due_at)
  select endpoint.id, told.id, told.order_key, emit_callbacks.at
  from wanted w
  join told on told.id = w.id
  cross join lateral unnest(w.ids) as endpoint (id)
  order by w.nth, endpoint.id;

  if found then
    perform switchyard.ring_doorbell('wa-callbacks');
  end if;
end;
$$;

-- Puts together what a tenant is told of statuses that its messages have reached: one event for each
-- message and status, ever. Conversation by conversation, in the order of the statuses.
create or replace function switchyard.emit_statuses(
  message_ids uuid[], statuses text[], reached_at timestamptz[], at timestamptz
)
returns void
language sql
set search_path = ''
as $$
  select switchyard.emit_callbacks(jsonb_agg(jsonb_build_object(
    'tenant_id', m.tenant_id,
    'type', 'message.status',
    'order_key', m.sender_id || ':' || m.recipient,
    'key', 'status:' || m.id || ':' || step.status,
    'data', jsonb_strip_nulls(jsonb_build_object(
      'message_id', m.id,
      'status', step.status,
      'at', step.reached_at,
      'from', s.phone_number_id,
      'to', m.recipient,
      'type', m.type,
      'lane', m.lane,
      'client_ref', m.client_ref,
      'wamid', m.wamid,
      'error', case when step.status = m.status then m.failure end))
  ) order by step.nth), emit_statuses.at)
  from unnest(message_ids, statuses, reached_at) with ordinality
    as step (message_id, status, reached_at, nth)
  join switchyard.messages m on m.id = step.message_id
  join switchyard.senders s on s.id = m.sender_id
  having count(*) > 0;
$$;

-- Says of which of these messages the tenant wants to hear.
create or replace function switchyard.find_told_messages(message_ids uuid[])
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
begin
  if not switchyard.is_heard('message.status') then
    return '{}';
  end if;
  return array(
    select m.id from switchyard.messages m
    where m.id = any (message_ids) and exists (
      select from switchyard.callback_endpoints e
      where e.tenant_id = m.tenant_id and e.status in ('active', 'paused')
        and 'message.status' = any (e.events)));
end;
$$;

-- Tells the status of messages that reached it by what we did. That it is in the queue or being sent is
-- nobody's business but ours.
create or replace function switchyard.tell_statuses(message_ids uuid[], at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_told uuid[] := switchyard.find_told_messages(message_ids);
begin
  perform switchyard.log_message_changes(message_ids);
  if cardinality(v_told) = 0 then
    return;
  end if;
  perform switchyard.emit_statuses(array_agg(m.id), array_agg(m.status),
    array_agg(tell_statuses.at), tell_statuses.at)
  from (
    select m.id, m.status from switchyard.messages m
    where m.id = any (v_told) and m.status not in ('queued', 'sending')
    order by m.accepted_no
  ) m;
end;
$$;

-- Tells the statuses that Meta reported of messages since they had these ranks, those that were passed
-- over on the way included: who hears of a reading hears of the delivery that came with it.
create or replace function switchyard.tell_reports(message_ids uuid[], ranks integer[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_told uuid[] := switchyard.find_told_messages(message_ids);
begin
  if cardinality(v_told) = 0 then
    return;
  end if;
  perform switchyard.emit_statuses(array_agg(step.id), array_agg(step.status),
    array_agg(step.at), clock_timestamp())
  from (
    select distinct on (m.accepted_no, switchyard.status_rank(t.status))
      m.id, case t.status when 'played' then 'read' else t.status end as status, t.at
    from unnest(message_ids, ranks) as moved (id, rank)
    join switchyard.messages m on m.id = moved.id
    join switchyard.message_statuses t on t.message_id = m.id
    where m.id = any (v_told)
      and switchyard.status_rank(t.status) > moved.rank
      and (t.status in ('sent', 'delivered', 'read', 'played')
        or switchyard.status_rank(t.status) = switchyard.status_rank(m.status))
    order by m.accepted_no, switchyard.status_rank(t.status), t.at, t.id
  ) step;
end;
$$;

-- Tells what customers wrote, as far as these events told it, in the shape that conversations have.
create or replace function switchyard.tell_received(event_ids bigint[], at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if not switchyard.is_heard('message.received') then
    return;
  end if;
  perform switchyard.emit_callbacks(jsonb_agg(jsonb_build_object(
    'tenant_id', c.tenant_id,
    'type', 'message.received',
    'order_key', c.sender_id || ':' || coalesce(c.customer_phone, c.customer_user_id),
    'key', 'received:' || e.inbound_event_id,
    'data', jsonb_build_object(
      'conversation_id', c.id,
      'sender', s.phone_number_id,
      'customer', jsonb_build_object(
        'phone', c.customer_phone, 'user_id', c.customer_user_id, 'name', c.customer_name),
      'message', switchyard.describe_inbound(e))
  ) order by e.at, e.id), tell_received.at)
  from switchyard.conversation_events e
  join switchyard.conversations c on c.id = e.conversation_id
  join switchyard.senders s on s.id = c.sender_id
  where e.inbound_event_id = any (event_ids)
    and c.tenant_id = any (switchyard.callback_tenants(array[c.tenant_id], 'message.received'))
  having count(*) > 0;
end;
$$;

-- Tells tenants whose senders need a person now.
create or replace function switchyard.tell_attention(
  sender_ids uuid[], cause text, at timestamptz
)
returns void
language sql
set search_path = ''
as $$
  select switchyard.emit_callbacks(jsonb_agg(jsonb_build_object(
    'tenant_id', a.tenant_id,
    'type', 'sender.attention',
    'order_key', 'sender:' || a.sender_id,
    'key', 'attention:' || a.id,
    'data', jsonb_strip_nulls(jsonb_build_object(
      'phone_number_id', s.phone_number_id,
      'display_phone_number', s.display_phone_number,
      'cause', a.cause,
      'paused', s.status = 'paused',
      'raised_at', a.raised_at,
      'code', a.detail -> 'code',
      'title', a.detail -> 'title'))
  ) order by a.id), tell_attention.at)
  from switchyard.sender_attention a
  join switchyard.senders s on s.id = a.sender_id
  where a.sender_id = any (sender_ids) and a.cause = tell_attention.cause and a.cleared_at is null
  having count(*) > 0;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
