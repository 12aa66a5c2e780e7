-- Quarantine: what was signed by Meta and has no owner here, or was not understood. It is listed, and
-- replayed once there is an owner, or once the code understands it.
-- Locks inbound_events against writes for the time of three index scans. Undo: drop the trigger, the
-- functions and the indexes.

create index if not exists inbound_events_quarantined_by_reason
  on switchyard.inbound_events (reason, id)
  where state = 'quarantined';
create index if not exists inbound_events_of_unknown_numbers
  on switchyard.inbound_events (phone_number_id, id)
  where state = 'quarantined' and reason = 'unknown_owner';
create index if not exists inbound_events_of_unknown_accounts
  on switchyard.inbound_events (business_account_id, id)
  where state = 'quarantined' and reason = 'unknown_owner' and phone_number_id is null;

-- Finds quarantined events that a filter {reason, business_account, since, until} lets through, from
-- the oldest on, after a given one.
create or replace function switchyard.find_quarantined(filter jsonb, after_id bigint, most integer)
returns setof switchyard.inbound_events
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_reason text := filter ->> 'reason';
  v_account text := filter ->> 'business_account';
  v_since timestamptz := filter ->> 'since';
  v_until timestamptz := filter ->> 'until';
begin
  return query
  select * from switchyard.inbound_events e
  where e.state = 'quarantined'
    and e.id > find_quarantined.after_id
    and (v_reason is null or e.reason = v_reason)
    and (v_account is null or e.business_account_id = v_account)
    and (v_since is null or e.received_at >= v_since)
    and (v_until is null or e.received_at < v_until)
  order by e.id
  limit most;
end;
$$;

-- Counts quarantined events by reason, each up to 10,000 only, stepping from reason to reason in the
-- index, so that a million of one reason hide no other.
create or replace function switchyard.count_quarantined(filter jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_reason text := '';
  v_count bigint;
  v_newest timestamptz;
  v_reasons jsonb := '[]';
begin
  loop
    select e.reason into v_reason
    from switchyard.inbound_events e
    where e.state = 'quarantined' and e.reason > v_reason
    order by e.reason
    limit 1;
    exit when not found;

    select count(*), max(f.received_at) into v_count, v_newest
    from switchyard.find_quarantined(
      filter || jsonb_build_object('reason', v_reason), 0, 10001) f
    where filter ->> 'reason' is null or filter ->> 'reason' = v_reason;
    if v_count > 0 then
      v_reasons := v_reasons || jsonb_build_object('reason', v_reason,
        'count', least(v_count, 10000), 'is_complete', v_count <= 10000, 'newest_at', v_newest);
    end if;
  end loop;
  return v_reasons;
end;
$$;

-- Reads the quarantine: how much there is by reason, and a page of it from the oldest on. The cursor is
-- the id of the last event of the page before.
create or replace function switchyard_api.list_quarantine(
  filter jsonb, after_id bigint, page_limit integer
)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with page as (
    select * from switchyard.find_quarantined(filter, after_id, page_limit + 1)
  ), shown as (
    select * from page order by id limit page_limit
  )
  select jsonb_build_object(
    'reasons', switchyard.count_quarantined(filter),
    'events', coalesce((
      select jsonb_agg(jsonb_build_object(
        'id', e.id, 'reason', e.reason, 'kind', e.kind, 'field', e.field,
        'business_account_id', e.business_account_id, 'phone_number_id', e.phone_number_id,
        'event_at', e.event_at, 'received_at', e.received_at, 'payload', e.payload) order by e.id)
      from shown e), '[]'),
    'next_cursor', case when (select count(*) from page) > page_limit
      then (select max(id)::text from shown) end);
$$;

-- Finds the tenant and sender of an event as they are now; no row when there is no owner, or several.
create or replace function switchyard.find_owner(phone_number_id text, business_account_id text)
returns table (tenant_id uuid, sender_id uuid)
language sql
stable
set search_path = ''
as $$
  select s.tenant_id, s.id
  from switchyard.senders s
  where s.phone_number_id = find_owner.phone_number_id and s.status <> 'removed'
  union all
  select min(s.tenant_id::text)::uuid, null
  from switchyard.senders s
  where find_owner.phone_number_id is null
    and s.business_account_id = find_owner.business_account_id and s.status <> 'removed'
  having count(distinct s.tenant_id) = 1;
$$;

-- Gives quarantined events that are understood to the owners that they have now, and queues them: each
-- once, since who comes second finds it no longer quarantined. Says which it queued.
create or replace function switchyard.adopt_events(event_ids bigint[])
returns bigint[]
language plpgsql
set search_path = ''
as $$
declare
  v_adopted bigint[];
begin
  perform from switchyard.inbound_events e where e.id = any (event_ids) order by e.id for update;
  with adopted as (
    update switchyard.inbound_events e
    set state = 'pending', reason = null, tenant_id = owner.tenant_id, sender_id = owner.sender_id,
      conversation_key = switchyard.conversation_key(e.kind, owner.sender_id, e.payload)
    from switchyard.inbound_events q
    cross join lateral switchyard.find_owner(q.phone_number_id, q.business_account_id) owner
    where q.id = any (event_ids) and e.id = q.id
      and e.state = 'quarantined' and e.kind <> 'unknown'
    returning e.id, e.event_at
  )
  select array_agg(a.id order by a.event_at nulls last, a.id) into v_adopted from adopted a;
  perform switchyard.queue_events(v_adopted);
  return coalesce(v_adopted, '{}');
end;
$$;

-- Queues what came for a sender's number, or for its business account, before it was known here: up to
-- so many events; says how many.
create or replace function switchyard.adopt_events_of(sender switchyard.senders, most integer)
returns integer
language sql
set search_path = ''
as $$
  select cardinality(switchyard.adopt_events(array(
    select id from (
      (select e.id from switchyard.inbound_events e
        where e.state = 'quarantined' and e.reason = 'unknown_owner'
          and e.phone_number_id = sender.phone_number_id
        order by e.id limit most)
      union all
      (select e.id from switchyard.inbound_events e
        where e.state = 'quarantined' and e.reason = 'unknown_owner' and e.phone_number_id is null
          and e.business_account_id = sender.business_account_id
          and 1 = (
            select count(distinct s.tenant_id) from switchyard.senders s
            where s.business_account_id = sender.business_account_id
              and s.status <> 'removed')
        order by e.id limit most)
    ) waiting
    limit most)));
$$;

create or replace function switchyard.adopt_events_of_new_sender()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  perform switchyard.adopt_events_of(new, 1000);
  return null;
end;
$$;

-- What is beyond the first thousand, and what was stored while the sender was being added, follows with
-- the ticks of the next day.
create or replace trigger senders_adopt_events after insert on switchyard.senders
  for each row execute function switchyard.adopt_events_of_new_sender();

-- Replaces quarantined events by what today's code makes of them, given as [{id, events}]: closes the
-- old one and stores these, in one transaction. The old one gives its key up, which may be that of the
-- same item understood. Says which it replaced.
create or replace function switchyard.replace_events(splits jsonb, at timestamptz)
returns bigint[]
language plpgsql
set search_path = ''
as $$
declare
  v_replaced bigint[];
begin
  with replaced as (
    update switchyard.inbound_events e
    set state = 'replayed', processed_at = replace_events.at,
      event_key = sha256('replayed/'::bytea || e.event_key)
    where e.id in (select (s ->> 'id')::bigint from jsonb_array_elements(splits) s)
      and e.state = 'quarantined' and e.kind = 'unknown'
    returning e.id
  )
  select coalesce(array_agg(id), '{}') into v_replaced from replaced;
  perform switchyard_api.store_events(jsonb_agg(event), replace_events.at)
  from jsonb_array_elements(splits) s
  cross join jsonb_array_elements(s -> 'events') event
  where (s ->> 'id')::bigint = any (v_replaced)
  having count(*) > 0;
  return v_replaced;
end;
$$;

-- Replays quarantined events: what is understood goes to the owner that it has now, and what today's
-- code understands is replaced by that, given as splits. With dry_run it only says how many that would
-- be. Every event goes once, however often this is called; the filter is for the audit log.
create or replace function switchyard_api.replay_quarantine(
  event_ids jsonb, splits jsonb, dry_run boolean, filter jsonb, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_ids bigint[] := array(select jsonb_array_elements_text(event_ids)::bigint);
  v_adopted integer;
  v_replaced integer;
begin
  if dry_run then
    select count(*) into v_adopted
    from switchyard.inbound_events e
    cross join lateral switchyard.find_owner(e.phone_number_id, e.business_account_id) owner
    where e.id = any (v_ids) and e.state = 'quarantined' and e.kind <> 'unknown';
    select count(*) into v_replaced
    from switchyard.inbound_events e
    where e.id in (select (s ->> 'id')::bigint from jsonb_array_elements(splits) s)
      and e.state = 'quarantined' and e.kind = 'unknown';
  else
    v_adopted := cardinality(switchyard.adopt_events(v_ids));
    v_replaced := cardinality(switchyard.replace_events(splits, replay_quarantine.at));
    if v_adopted + v_replaced > 0 then
      perform switchyard.write_audit(null, actor, 'quarantine.replayed', 'inbound_events',
        jsonb_build_object('filter', filter, 'given_to_owners', v_adopted,
          'understood', v_replaced));
    end if;
  end if;
  return jsonb_build_object('given_to_owners', v_adopted, 'understood', v_replaced);
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
