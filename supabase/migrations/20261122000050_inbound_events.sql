-- What Meta tells us: every item of every webhook is one event, kept before the webhook is answered and
-- applied once, however often it comes. Locks nothing.
-- Undo: drop the tables and functions below, then select pgmq.drop_queue('wa_inbound').

create table if not exists switchyard.inbound_events (
  id bigint generated always as identity primary key,
  -- SHA-256 of what makes the item itself, not of the request that carried it.
  event_key text not null,
  kind text not null,
  state text not null default 'pending',
  tenant_id uuid references switchyard.tenants (id) on delete restrict,
  sender_id uuid references switchyard.senders (id) on delete restrict,
  business_account_id text,
  phone_number_id text,
  field text not null,
  payload jsonb not null,
  reason text,
  attempt_count integer not null default 0,
  event_at timestamptz,
  received_at timestamptz not null default now(),
  processed_at timestamptz,
  updated_at timestamptz not null default now(),
  constraint event_key_is_unique unique (event_key),
  constraint event_key_is_sha256_hex check (event_key ~ '^[0-9a-f]{64}$'),
  constraint kind_is_known check (kind in ('status', 'message', 'account', 'unknown')),
  constraint state_is_known check (state in ('pending', 'applied', 'quarantined', 'dead')),
  constraint only_quarantine_has_no_tenant check (tenant_id is not null or state = 'quarantined')
) with (
  fillfactor = 80,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_cost_delay = 2
);
create index if not exists inbound_events_pending on switchyard.inbound_events (received_at)
  where state = 'pending';
create index if not exists inbound_events_quarantined on switchyard.inbound_events (id)
  where state = 'quarantined';
create index if not exists inbound_events_tenant_id on switchyard.inbound_events (tenant_id, id);
create index if not exists inbound_events_sender_id on switchyard.inbound_events (sender_id);

create or replace trigger inbound_events_updated_at before update on switchyard.inbound_events
  for each row execute function switchyard.touch_updated_at();

alter table switchyard.inbound_events enable row level security;

alter table switchyard.dead_letters
  drop constraint if exists dead_letters_inbound_event_id_fkey,
  add constraint dead_letters_inbound_event_id_fkey
    foreign key (inbound_event_id) references switchyard.inbound_events (id) on delete cascade;
alter table switchyard.message_statuses
  drop constraint if exists message_statuses_inbound_event_id_fkey,
  add constraint message_statuses_inbound_event_id_fkey
    foreign key (inbound_event_id) references switchyard.inbound_events (id) on delete cascade;

select pgmq.create('wa_inbound')
where not exists (select from pgmq.meta where queue_name = 'wa_inbound');

alter table pgmq.q_wa_inbound set (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 50,
  autovacuum_vacuum_cost_delay = 2
);
alter table pgmq.q_wa_inbound enable row level security;
alter table pgmq.a_wa_inbound enable row level security;

-- Keeps events and queues the new ones, in one transaction: after it commits the webhook may be
-- answered. An event that is known already costs one index probe. The owner is found for each event by
-- its phone number, else by its business account if one tenant alone has it; who has no owner or is not
-- understood is quarantined, never given to somebody.
create or replace function switchyard_api.store_events(
  events jsonb, at timestamptz default clock_timestamp()
)
returns table (stored integer, duplicates integer, quarantined integer)
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_pending bigint[];
  v_quarantined integer;
begin
  with event as (
    select e.*
    from jsonb_to_recordset(events) as e (
      key text, kind text, business_account_id text, phone_number_id text, field text,
      event_at timestamptz, payload jsonb, reason text)
  ), account as (
    select s.business_account_id, min(s.tenant_id::text)::uuid as tenant_id
    from switchyard.senders s
    where s.business_account_id in (select event.business_account_id from event)
    group by s.business_account_id
    having count(distinct s.tenant_id) = 1
  ), owned as (
    select e.*, s.id as sender_id,
      case when e.phone_number_id is null then a.tenant_id else s.tenant_id end as tenant_id
    from event e
    left join switchyard.senders s on s.phone_number_id = e.phone_number_id
    left join account a on a.business_account_id = e.business_account_id
  ), inserted as (
    insert into switchyard.inbound_events (
      event_key, kind, state, tenant_id, sender_id, business_account_id, phone_number_id, field,
      payload, reason, event_at, received_at
    )
    select o.key, o.kind,
      case when o.tenant_id is null or o.kind = 'unknown' then 'quarantined' else 'pending' end,
      o.tenant_id, o.sender_id, o.business_account_id, o.phone_number_id, o.field, o.payload,
      coalesce(o.reason, case when o.tenant_id is null then 'unknown_owner' end),
      o.event_at, store_events.at
    from owned o
    order by o.key
    on conflict (event_key) do nothing
    returning id, state
  )
  select array_agg(i.id order by i.id) filter (where i.state = 'pending'),
    count(*) filter (where i.state = 'quarantined')
  into v_pending, v_quarantined
  from inserted i;

  if v_pending is not null then
    perform pgmq.send_batch('wa_inbound', array(
      select jsonb_build_object('id', pending.id) from unnest(v_pending) as pending (id)));
    perform switchyard.ring_doorbell('wa-inbound');
  end if;

  stored := coalesce(cardinality(v_pending), 0) + v_quarantined;
  duplicates := jsonb_array_length(events) - stored;
  quarantined := v_quarantined;
  return next;
end;
$$;

-- Claims up to batch events for a lease, in the order of their own time.
create or replace function switchyard_api.claim_events(
  batch integer, lease_seconds integer, at timestamptz default clock_timestamp()
)
returns table (
  id bigint, attempt integer, kind text, tenant_id uuid, sender_id uuid, field text, payload jsonb,
  event_at timestamptz, queue_entry_id bigint
)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_entries bigint[];
  v_events bigint[];
begin
  select array_agg(taken.msg_id), array_agg((taken.message ->> 'id')::bigint)
  into v_entries, v_events
  from pgmq.read('wa_inbound', lease_seconds, batch) taken;
  if v_entries is null then
    return;
  end if;

  perform pgmq.delete('wa_inbound', array(
    select entry.id
    from unnest(v_entries, v_events) as entry (id, event_id)
    left join switchyard.inbound_events e on e.id = entry.event_id and e.state = 'pending'
    where e.id is null));

  return query
  with claimed as (
    update switchyard.inbound_events e
    set attempt_count = e.attempt_count + 1
    from unnest(v_entries, v_events) as entry (id, event_id)
    where e.id = entry.event_id and e.state = 'pending'
    returning e.*, entry.id as entry_id
  )
  select c.id, c.attempt_count, c.kind, c.tenant_id, c.sender_id, c.field, c.payload, c.event_at,
    c.entry_id
  from claimed c
  order by c.event_at nulls last, c.id;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
