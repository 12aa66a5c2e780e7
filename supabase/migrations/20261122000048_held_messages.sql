-- What was held back and may go now, and what can never go: messages that waited for a breaker or a
-- credential, for a tenant or sender that was stopped, and those of a sender that is gone.
-- Locks nothing on a first install. Undo: drop the table, index, functions and triggers below.

-- Which breakers an operator has reset in the last minute.
create table if not exists switchyard.breaker_resets (
  scope text primary key,
  reset_at timestamptz not null
);
alter table switchyard.breaker_resets enable row level security;

create index if not exists messages_held_back
  on switchyard.messages (waiting_for, sender_id)
  where status = 'queued' and queue_entry_id is null and waiting_for is not null
    and waiting_for not like 'limit:%';

-- Makes due at once what waits in the backlog for one of these reasons, of these senders or (null) of
-- all, the first accepted first, and returns how many. What somebody else is changing at this moment is
-- left to them. Whoever also locks senders calls this before, as settling does: messages, lanes, senders.
create or replace function switchyard.release_messages(
  reasons text[], of_senders uuid[], most integer, at timestamptz
)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_released uuid[];
begin
  v_released := array(
    select m.id from switchyard.messages m
    where m.status = 'queued' and m.queue_entry_id is null and m.waiting_for is not null
      and m.waiting_for not like 'limit:%'
      and m.waiting_for = any (reasons)
      and (of_senders is null or m.sender_id = any (of_senders))
    order by m.accepted_no
    limit most
    for update skip locked
  );
  if cardinality(v_released) = 0 then
    return 0;
  end if;

  update switchyard.messages m
  set due_at = least(m.due_at, release_messages.at), waiting_for = null
  where m.id = any (v_released);
  perform switchyard.lower_heads(v_released);
  perform switchyard.ring_doorbell('wa-sender');
  return cardinality(v_released);
end;
$$;

-- Makes due at once up to 5,000 of the messages that a breaker held back; the caller repeats it until
-- none is left, so that no transaction is long however many waited.
create or replace function switchyard_api.release_held_messages(
  scope text, at timestamptz default clock_timestamp()
)
returns integer
language sql
security definer
set search_path = ''
as $$
  select switchyard.release_messages(
    array['breaker:' || release_held_messages.scope], null, 5000, release_held_messages.at);
$$;

-- Ends the holds that a breaker of this scope put on senders.
create or replace function switchyard.end_holds(scope text)
returns void
language sql
set search_path = ''
as $$
  update switchyard.senders s
  set held_until = null
  where s.held_until is not null
    and end_holds.scope in (
      'app', 'tenant:' || s.tenant_id, 'sender:' || s.id,
      'business_account:' || s.business_account_id);
$$;

-- Lets go what a worker held back after the reset of its breaker, since it had asked before: for a
-- minute after the reset, which is longer than a claim lasts.
create or replace function switchyard.release_after_resets(at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_scopes text[];
begin
  delete from switchyard.breaker_resets r
  where r.reset_at < release_after_resets.at - interval '1 minute';
  v_scopes := array(select r.scope from switchyard.breaker_resets r);
  if cardinality(v_scopes) = 0 then
    return;
  end if;

  perform switchyard.release_messages(
    array(select 'breaker:' || scope from unnest(v_scopes) scope), null, 1000,
    release_after_resets.at);
  perform switchyard.end_holds(scope) from unnest(v_scopes) scope;
end;
$$;

-- Wakes a worker for the backlog of a tenant that is active again.
create or replace function switchyard.resume_tenant()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  perform switchyard.release_messages(array['credential:suspended'],
    array(select s.id from switchyard.senders s where s.tenant_id = new.id), 5000, clock_timestamp());
  perform switchyard.ring_doorbell('wa-sender');
  return null;
end;
$$;
create or replace trigger tenant_resumes after update of status on switchyard.tenants
  for each row when (old.status <> 'active' and new.status = 'active')
  execute function switchyard.resume_tenant();

-- Wakes a worker for the backlog of a sender that is active again.
create or replace function switchyard.resume_sender()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  perform switchyard.ring_doorbell('wa-sender');
  return null;
end;
$$;
create or replace trigger sender_resumes after update of status on switchyard.senders
  for each row when (old.status <> 'active' and new.status = 'active')
  execute function switchyard.resume_sender();

-- Ends what is queued of senders that were removed, a part with every tick: nobody can send it, and it
-- would wait for ever. Each message has a letter that says so. What a worker has under way is settled
-- first.
create or replace function switchyard.bury_messages_of_removed(at timestamptz, most integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_lanes switchyard.sender_lanes[];
  v_left uuid[];
begin
  v_lanes := array(
    select l from switchyard.sender_lanes l
    join switchyard.senders s on s.id = l.sender_id
    where s.status = 'removed' and l.head_due_at < 'infinity'
    limit most
  );
  if cardinality(v_lanes) = 0 then
    return 0;
  end if;

  v_left := array(
    select m.id from switchyard.messages m
    where m.id = any (array(
      select waiting.id
      from unnest(v_lanes) lane
      cross join lateral (
        select b.id from switchyard.messages b
        where b.sender_id = lane.sender_id and b.share = lane.share
          and b.status = 'queued' and b.queue_entry_id is null and not b.waits_turn
        order by b.due_at, b.accepted_no
        limit most
      ) waiting
      limit most))
      and m.status = 'queued' and m.queue_entry_id is null
    for update skip locked
  );
  perform switchyard.bury_messages(
    v_left, 'sender_removed', null, bury_messages_of_removed.at)
  where cardinality(v_left) > 0;
  perform switchyard.tell_statuses(v_left, bury_messages_of_removed.at)
  where cardinality(v_left) > 0;
  perform switchyard.follow_heads(v_lanes, bury_messages_of_removed.at);
  return cardinality(v_left);
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
