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
      'message.status', 'message.received', 'wallet.low', 'sender.attention']),
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
create index if not exists callback_deliveries_endpoint_id
  on switchyard.callback_deliveries (endpoint_id, id);
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

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
