-- How a conversation's machine moves: with a conversation that is merged into another, and to another
-- version of its machine by an explicit migration. Locks conversations for a moment, to add a trigger.
-- Undo: drop the trigger and the functions below.

-- Gives the machine of a merged conversation to the one that survives where that has none; otherwise
-- what waits goes over, and the machine that is left behind stops.
create or replace function switchyard.move_machine()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  perform from switchyard.conversation_machines c
  where c.conversation_id in (new.id, new.merged_into)
  order by c.conversation_id
  for update;

  insert into switchyard.conversation_machines (
    conversation_id, tenant_id, machine, version, snapshot, state, seq, wake_at, failure_count,
    parked_at, parked_reason
  )
  select new.merged_into, c.tenant_id, c.machine, c.version, c.snapshot, c.state, c.seq + 1, c.wake_at,
    c.failure_count, c.parked_at, c.parked_reason
  from switchyard.conversation_machines c
  where c.conversation_id = new.id
  on conflict (conversation_id) do nothing;
  if found then
    update switchyard.conversation_timers t set conversation_id = new.merged_into
    where t.conversation_id = new.id;
    update switchyard.conversation_transitions t set conversation_id = new.merged_into
    where t.conversation_id = new.id;
  end if;

  update switchyard.conversation_steps s set conversation_id = new.merged_into
  where s.conversation_id = new.id;
  if found then
    update switchyard.conversation_machines c
    set wake_at = switchyard.next_wake(new.merged_into, 0, null)
    where c.conversation_id = new.merged_into and c.parked_at is null;
  end if;

  delete from switchyard.conversation_timers t where t.conversation_id = new.id;
  update switchyard.conversation_machines c
  set version = null, snapshot = null, state = null, wake_at = null, lease_expires_at = null,
    parked_at = null, parked_reason = null, seq = c.seq + 1
  where c.conversation_id = new.id;
  return null;
end;
$$;

create or replace trigger conversations_move_machine
  after update of merged_into on switchyard.conversations
  for each row
  when (new.merged_into is not null and new.merged_into is distinct from old.merged_into)
  execute function switchyard.move_machine();

-- Reads a page of the conversations that run on a version of a machine, parked ones included, in the
-- order of their ids.
create or replace function switchyard_api.list_running_conversations(
  machine text, version integer, after_id uuid, page_limit integer
)
returns table (conversation_id uuid, seq bigint, snapshot jsonb, timers jsonb)
language sql
stable
security definer
set search_path = ''
as $$
  select c.conversation_id, c.seq, c.snapshot, coalesce((
    select jsonb_agg(jsonb_build_object('name', t.name, 'due_at', t.due_at, 'event', t.event))
    from switchyard.conversation_timers t
    where t.conversation_id = c.conversation_id), '[]')
  from switchyard.conversation_machines c
  where c.machine = list_running_conversations.machine
    and c.version = list_running_conversations.version
    and c.snapshot ->> 'status' = 'active'
    and (after_id is null or c.conversation_id > after_id)
  order by c.conversation_id
  limit least(greatest(page_limit, 1), 500);
$$;

-- Puts conversations on another version of their machine, each where it has not been advanced since it
-- was read; parked ones run again. Says which were. Items: {conversation_id, seq, version, snapshot,
-- state, timers}.
create or replace function switchyard_api.migrate_conversations(
  items jsonb, at timestamptz default clock_timestamp()
)
returns table (conversation_id uuid, is_migrated boolean)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_items jsonb;
begin
  perform from switchyard.conversation_machines c
  where c.conversation_id in (select (i ->> 'conversation_id')::uuid from jsonb_array_elements(items) i)
  order by c.conversation_id
  for no key update;
  select coalesce(jsonb_agg(i), '[]') into v_items
  from jsonb_array_elements(items) i
  join switchyard.conversation_machines c
    on c.conversation_id = (i ->> 'conversation_id')::uuid and c.seq = (i ->> 'seq')::bigint;

  insert into switchyard.conversation_transitions (
    conversation_id, seq, nth, machine, version, event, from_state, to_state, path, at
  )
  select c.conversation_id, c.seq + 1, 1, c.machine, (i ->> 'version')::integer,
    jsonb_build_object('type', 'conversation.migrated', 'from', c.version), c.state, i ->> 'state',
    '{}', migrate_conversations.at
  from jsonb_array_elements(v_items) i
  join switchyard.conversation_machines c on c.conversation_id = (i ->> 'conversation_id')::uuid;

  perform switchyard.replace_timers(v_items);
  update switchyard.conversation_machines c
  set version = (i ->> 'version')::integer,
    snapshot = i -> 'snapshot',
    state = i ->> 'state',
    seq = c.seq + 1,
    lease_expires_at = null,
    failure_count = 0,
    parked_at = null,
    parked_reason = null,
    wake_at = switchyard.next_wake(c.conversation_id, 0, null)
  from jsonb_array_elements(v_items) i
  where c.conversation_id = (i ->> 'conversation_id')::uuid;

  return query
  select (i ->> 'conversation_id')::uuid, v_items @> jsonb_build_array(jsonb_build_object(
    'conversation_id', i ->> 'conversation_id'))
  from jsonb_array_elements(items) i;
end;
$$;

-- Tells a conversation's machine that a person of the tenant took it or gave it back.
create or replace function switchyard_api.tell_conversation(
  tenant_id uuid, conversation_id uuid, event text, at timestamptz default clock_timestamp()
)
returns text
language plpgsql
security definer
set search_path = ''
as $$
begin
  if event not in ('agent.took', 'agent.returned') then
    raise exception 'Cannot tell a conversation: there is no event %', event using errcode = '22023';
  end if;
  if not exists (
    select from switchyard.conversations c
    where c.id = tell_conversation.conversation_id and c.tenant_id = tell_conversation.tenant_id)
  then
    return 'conversation_not_found';
  end if;
  if switchyard.queue_steps(jsonb_build_array(jsonb_build_object(
    'conversation_id', tell_conversation.conversation_id, 'tenant_id', tell_conversation.tenant_id,
    'kind', event, 'at', tell_conversation.at))) = 0
  then
    return 'no_machine';
  end if;
  perform switchyard.ring_doorbell('wa-inbound');
  return 'told';
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
