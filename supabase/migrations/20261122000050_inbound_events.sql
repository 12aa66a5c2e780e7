-- What Meta tells us: every item of every webhook is one event, kept before the webhook is answered and
-- applied once, however often it comes. Locks nothing.
-- Undo: drop the tables and functions below, then select pgmq.drop_queue('wa_inbound').

create table if not exists switchyard.inbound_events (
  id bigint generated always as identity primary key,
  -- SHA-256 of what makes the item itself, not of the request that carried it.
  event_key bytea not null,
  kind text not null,
  state text not null default 'pending',
  -- Found through its sender, which is never deleted and keeps its tenant: a reference would be checked
  -- for every event that comes in, an eighth of what storing it costs.
  tenant_id uuid,
  sender_id uuid,
  business_account_id text,
  phone_number_id text,
  field text not null,
  payload jsonb not null,
  reason text,
  attempt_count integer not null default 0,
  -- Until then one worker has it.
  lease_expires_at timestamptz,
  -- A hash of sender and customer, of messages that are to be applied in the order of their time. Two
  -- conversations with one hash wait for each other now and then, and lose nothing.
  conversation_key bigint,
  event_at timestamptz,
  received_at timestamptz not null default now(),
  processed_at timestamptz,
  updated_at timestamptz not null default now(),
  constraint event_key_is_unique unique (event_key),
  constraint event_key_is_sha256 check (octet_length(event_key) = 32),
  constraint kind_is_known check (kind in ('status', 'message', 'account', 'unknown')),
  constraint state_is_known check (
    state in ('pending', 'applied', 'quarantined', 'replayed', 'dead')),
  constraint only_quarantine_has_no_tenant check (
    tenant_id is not null or state in ('quarantined', 'replayed'))
) with (
  fillfactor = 80,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_cost_delay = 2
);
-- Only for queries that ask for a time: where nothing was pending when statistics were taken, this index
-- would look as good as any for the turns of a conversation, and all that is pending be read for each.
create index if not exists inbound_events_pending on switchyard.inbound_events (received_at)
  where state = 'pending' and received_at is not null;
create index if not exists inbound_events_pending_statuses on switchyard.inbound_events (sender_id)
  where state = 'pending' and kind = 'status';
create index if not exists inbound_events_quarantined on switchyard.inbound_events (id)
  where state = 'quarantined';
create index if not exists inbound_events_turns
  on switchyard.inbound_events (conversation_key, event_at, id)
  where state = 'pending' and conversation_key is not null;

create or replace trigger inbound_events_updated_at before update on switchyard.inbound_events
  for each row execute function switchyard.touch_updated_at();

alter table switchyard.inbound_events enable row level security;

alter table switchyard.dead_letters
  drop constraint if exists dead_letters_inbound_event_id_fkey,
  add constraint dead_letters_inbound_event_id_fkey
    foreign key (inbound_event_id) references switchyard.inbound_events (id) on delete cascade;
-- What was reported of a message is kept with it and outlives the event that told it.
alter table switchyard.message_statuses
  drop constraint if exists message_statuses_inbound_event_id_fkey;

select pgmq.create('wa_inbound')
where not exists (select from pgmq.meta where queue_name = 'wa_inbound');

alter table pgmq.q_wa_inbound set (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 50,
  autovacuum_vacuum_cost_delay = 2
);
-- Finds the entry of an event: whether it still has one, and those that are claimed before their turn
-- in the queue.
create index if not exists q_wa_inbound_event_id on pgmq.q_wa_inbound (((message ->> 'id')::bigint));
alter table pgmq.q_wa_inbound enable row level security;
alter table pgmq.a_wa_inbound enable row level security;

-- Puts pending events into the queue and wakes who applies them.
create or replace function switchyard.queue_events(event_ids bigint[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  if cardinality(event_ids) > 0 then
    perform pgmq.send_batch('wa_inbound', array(
      select jsonb_build_object('id', event.id) from unnest(event_ids) as event (id)));
    perform switchyard.ring_doorbell('wa-inbound');
  end if;
end;
$$;

-- Names the conversation that a message of a sender belongs to; null for what is in none.
create or replace function switchyard.conversation_key(kind text, sender_id uuid, payload jsonb)
returns bigint
language sql
immutable
set search_path = ''
as $$
  select case when kind = 'message' then hashtextextended(
    sender_id::text || '/' || coalesce(
      payload #>> '{message,from_user_id}', payload #>> '{contact,user_id}',
      payload #>> '{message,from}', payload #>> '{contact,wa_id}'), 0) end;
$$;

-- Keeps events and queues the new ones, in one transaction: after it commits the webhook may be
-- answered. An event that is known already costs one index probe. The owner is found for each event by
-- its phone number, else by its business account if one tenant alone has it; who has no owner or is not
-- understood is quarantined, never given to somebody. What is reported of the messages of a sender that
-- was removed is still that sender's; what customers write to it is nobody's.
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
    -- Numbered as they came, since Meta's time has no more than seconds.
    select e.*, nextval('switchyard.inbound_events_id_seq') as id
    from jsonb_to_recordset(events) as e (
      key text, kind text, business_account_id text, phone_number_id text, field text,
      event_at timestamptz, payload jsonb, reason text)
  ), account as (
    select s.business_account_id, min(s.tenant_id::text)::uuid as tenant_id
    from switchyard.senders s
    where s.business_account_id in (select event.business_account_id from event)
      and s.status <> 'removed'
    group by s.business_account_id
    having count(distinct s.tenant_id) = 1
  ), owned as (
    select e.*, coalesce(s.id, case when e.kind = 'status' then gone.id end) as sender_id,
      case when e.phone_number_id is null then a.tenant_id
        else coalesce(s.tenant_id, case when e.kind = 'status' then gone.tenant_id end)
      end as tenant_id,
      case when gone.id is null then 'unknown_owner' else 'sender_removed' end as without_owner
    from event e
    left join switchyard.senders s
      on s.phone_number_id = e.phone_number_id and s.status <> 'removed'
    left join lateral (
      select r.id, r.tenant_id from switchyard.senders r
      where s.id is null and r.phone_number_id = e.phone_number_id and r.status = 'removed'
      order by r.created_at desc
      limit 1
    ) gone on true
    left join account a on a.business_account_id = e.business_account_id
  ), inserted as (
    insert into switchyard.inbound_events (
      id, event_key, kind, state, tenant_id, sender_id, business_account_id, phone_number_id, field,
      payload, reason, conversation_key, event_at, received_at
    )
    overriding system value
    select o.id, decode(o.key, 'hex'), o.kind,
      case when o.tenant_id is null or o.kind = 'unknown' then 'quarantined' else 'pending' end,
      o.tenant_id, o.sender_id, o.business_account_id, o.phone_number_id, o.field, o.payload,
      coalesce(o.reason, case when o.tenant_id is null then o.without_owner end),
      -- Most events are statuses, and calling a function for each costs more than asking here.
      case when o.kind = 'message'
        then switchyard.conversation_key(o.kind, o.sender_id, o.payload) end,
      o.event_at, store_events.at
    from owned o
    -- All in one order, so that two who store the same events wait for each other and never both.
    order by o.key
    on conflict (event_key) do nothing
    returning id, state
  )
  select array_agg(i.id order by i.id) filter (where i.state = 'pending'),
    count(*) filter (where i.state = 'quarantined')
  into v_pending, v_quarantined
  from inserted i;

  perform switchyard.queue_events(v_pending);
  stored := coalesce(cardinality(v_pending), 0) + v_quarantined;
  duplicates := jsonb_array_length(events) - stored;
  quarantined := v_quarantined;
  return next;
end;
$$;

-- Gives up events that were claimed ten times and never settled, so that one that ends whoever takes
-- it does not do so for ever.
create or replace function switchyard.bury_abandoned_events(event_ids bigint[], at timestamptz)
returns void
language sql
set search_path = ''
as $$
  with buried as (
    update switchyard.inbound_events e
    set state = 'dead', reason = 'abandoned', processed_at = bury_abandoned_events.at,
      lease_expires_at = null
    where e.id = any (event_ids) and e.state = 'pending'
    returning e.id, e.tenant_id
  )
  insert into switchyard.dead_letters (tenant_id, inbound_event_id, cause, created_at)
  select b.tenant_id, b.id, 'abandoned', bury_abandoned_events.at from buried b;
$$;

-- Tells which events come before the given ones in their conversations and are with nobody. Here and in
-- claim_events() each conversation is looked up by itself (offset 0 keeps the planner from joining): after
-- statistics that found nothing pending, a join reads all that is pending for each conversation.
create or replace function switchyard.find_earlier_events(
  event_ids bigint[], busy_keys bigint[], at timestamptz
)
returns table (event_id bigint, entry_id bigint, event_at timestamptz, conversation_key bigint)
language sql
stable
set search_path = ''
as $$
  select e.id, q.msg_id, e.event_at, e.conversation_key
  from (
    select given.conversation_key, max(given.event_at) as event_at
    from switchyard.inbound_events given
    where given.id = any (event_ids) and given.conversation_key <> all (busy_keys)
    group by given.conversation_key
  ) latest
  cross join lateral (
    select earlier.id, earlier.event_at, earlier.conversation_key
    from switchyard.inbound_events earlier
    where earlier.conversation_key = latest.conversation_key
      and earlier.state = 'pending' and earlier.event_at <= latest.event_at
      and earlier.id <> all (event_ids)
      and (earlier.lease_expires_at is null
        or earlier.lease_expires_at <= find_earlier_events.at)
    offset 0
  ) e
  join pgmq.q_wa_inbound q on (q.message ->> 'id')::bigint = e.id;
$$;

-- Takes entries out of their turn, as pgmq.read() does with those whose turn it is, and says which.
create or replace function switchyard.lease_entries(entry_ids bigint[], lease_seconds integer)
returns setof bigint
language sql
set search_path = ''
as $$
  update pgmq.q_wa_inbound q
  set vt = clock_timestamp() + make_interval(secs => lease_seconds), read_ct = q.read_ct + 1
  where q.msg_id = any (array(
    select l.msg_id from pgmq.q_wa_inbound l
    where l.msg_id = any (entry_ids)
    for update skip locked))
  returning q.msg_id;
$$;

-- Puts entries back that were read and not claimed.
create or replace function switchyard.return_entries(entry_ids bigint[], delay interval)
returns void
language sql
set search_path = ''
as $$
  update pgmq.q_wa_inbound q
  set vt = clock_timestamp() + delay, read_ct = q.read_ct - 1
  where q.msg_id = any (entry_ids);
$$;

-- Claims events for a lease, in the order of their own time: up to batch, and up to as many again that
-- come before them in their conversations. A conversation is with one worker at a time: what comes for
-- it meanwhile is put back until that worker has settled, or for two seconds. Claims go one after the
-- other, so that each sees what those before it took; applying does not wait for them.
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
  v_abandoned bigint[];
  v_busy bigint[];
  v_earlier_entries bigint[];
  v_earlier_events bigint[];
  v_late bigint[] := '{}';
begin
  perform pg_advisory_xact_lock(hashtextextended('switchyard.claim_events', 0));
  select array_agg(taken.msg_id), array_agg((taken.message ->> 'id')::bigint),
    array_agg((taken.message ->> 'id')::bigint) filter (where taken.read_ct > 10)
  into v_entries, v_events, v_abandoned
  from pgmq.read('wa_inbound', lease_seconds, batch) taken;
  if v_entries is null then
    return;
  end if;

  perform switchyard.bury_abandoned_events(v_abandoned, claim_events.at)
  where v_abandoned is not null;
  perform pgmq.delete('wa_inbound', array(
    select entry.id
    from unnest(v_entries, v_events) as entry (id, event_id)
    left join switchyard.inbound_events e on e.id = entry.event_id and e.state = 'pending'
    where e.id is null));

  v_busy := array(
    select turn.conversation_key
    from (
      select distinct e.conversation_key from switchyard.inbound_events e
      where e.id = any (v_events) and e.conversation_key is not null
    ) turn
    where exists (
      select from switchyard.inbound_events other
      where other.conversation_key = turn.conversation_key
        and other.state = 'pending' and other.lease_expires_at > claim_events.at
        and other.id <> all (v_events)
      offset 0));
  perform switchyard.return_entries(array(
    select entry.id
    from unnest(v_entries, v_events) as entry (id, event_id)
    join switchyard.inbound_events e on e.id = entry.event_id
    where e.conversation_key = any (v_busy)), interval '2 seconds')
  where cardinality(v_busy) > 0;

  select array_agg(earlier.entry_id), array_agg(earlier.event_id)
  into v_earlier_entries, v_earlier_events
  from (
    select f.* from switchyard.find_earlier_events(v_events, v_busy, claim_events.at) f
    order by f.event_at, f.event_id
    limit batch
  ) earlier;
  if v_earlier_events is not null then
    select v_entries || array_agg(earlier.id), v_events || array_agg(earlier.event_id)
    into v_entries, v_events
    from unnest(v_earlier_entries, v_earlier_events) as earlier (id, event_id)
    where earlier.id in (select switchyard.lease_entries(v_earlier_entries, lease_seconds));
  end if;

  -- Where more come before than one claim takes, what comes after those waits.
  if cardinality(v_earlier_events) = batch then
    v_late := array(
      select e.id
      from (
        select distinct on (f.conversation_key) f.*
        from switchyard.find_earlier_events(v_events, v_busy, claim_events.at) f
        order by f.conversation_key, f.event_at, f.event_id
      ) first_left
      join switchyard.inbound_events e on e.conversation_key = first_left.conversation_key
      where e.id = any (v_events) and (e.event_at, e.id) > (first_left.event_at, first_left.event_id));
    perform switchyard.return_entries(array(
      select entry.id from unnest(v_entries, v_events) as entry (id, event_id)
      where entry.event_id = any (v_late)), interval '0');
  end if;

  return query
  with claimed as (
    update switchyard.inbound_events e
    set attempt_count = e.attempt_count + 1,
      lease_expires_at = claim_events.at + make_interval(secs => lease_seconds)
    from unnest(v_entries, v_events) as entry (id, event_id)
    where e.id = entry.event_id and e.state = 'pending'
      and (e.conversation_key is null or e.conversation_key <> all (v_busy))
      and e.id <> all (v_late)
    returning e.*, entry.id as entry_id
  )
  select c.id, c.attempt_count, c.kind, c.tenant_id, c.sender_id, c.field, c.payload, c.event_at,
    c.entry_id
  from claimed c
  order by c.event_at nulls last, c.id;
end;
$$;

-- Makes those events visible again that had to wait for a conversation which is free now: the
-- first ones, since the rest, and whom a claim holds at the moment, become visible by themselves.
create or replace function switchyard.free_conversations(conversation_keys bigint[], at timestamptz)
returns void
language sql
set search_path = ''
as $$
  update pgmq.q_wa_inbound q
  set vt = clock_timestamp()
  where q.msg_id = any (array(
    select waiting.msg_id
    from unnest(conversation_keys) as turn (conversation_key)
    cross join lateral (
      select e.id, e.lease_expires_at
      from switchyard.inbound_events e
      where e.conversation_key = turn.conversation_key and e.state = 'pending'
      order by e.event_at, e.id
      limit 200
    ) e
    join pgmq.q_wa_inbound waiting on (waiting.message ->> 'id')::bigint = e.id
    where (e.lease_expires_at is null or e.lease_expires_at <= free_conversations.at)
      and waiting.vt > clock_timestamp()
    for update of waiting skip locked));
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
