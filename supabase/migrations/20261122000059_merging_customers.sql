-- One customer, one conversation: known by phone number, by business-scoped user id, or by both once
-- Meta tells both. Locks conversations for a moment, to add columns. Undo: drop the functions and the
-- columns, after giving conversations that were merged an identity again.

alter table switchyard.conversations
  -- The number is this customer's since then; what was sent to it before went to somebody else.
  add column if not exists phone_since timestamptz not null default '-infinity',
  -- Numbers and ids that were this customer's, each until when: [{identity, until}].
  add column if not exists former_identities jsonb not null default '[]',
  -- The conversation that has all of this one since both turned out to be one customer's. Its id stays
  -- valid for who knows it.
  add column if not exists merged_into uuid references switchyard.conversations (id) on delete cascade,
  drop constraint if exists customer_is_identified,
  add constraint customer_is_identified check (
    num_nonnulls(customer_phone, customer_user_id) > 0 or merged_into is not null),
  drop constraint if exists merged_conversation_has_no_customer,
  add constraint merged_conversation_has_no_customer check (
    merged_into is null or num_nonnulls(customer_phone, customer_user_id) = 0);
create index if not exists conversations_merged_into on switchyard.conversations (merged_into)
  where merged_into is not null;

-- The conversation that has what was in this one: itself, unless it was merged.
create or replace function switchyard.merged_conversation(conversation_id uuid)
returns uuid
language sql
stable
set search_path = ''
as $$
  select coalesce(c.merged_into, c.id)
  from switchyard.conversations c
  where c.id = merged_conversation.conversation_id;
$$;

-- The numbers and ids under which a customer was or can be written to, and when each was theirs.
create or replace function switchyard.identities_of(conversation switchyard.conversations)
returns table (identity text, since timestamptz, until timestamptz)
language sql
immutable
set search_path = ''
as $$
  select conversation.customer_phone, conversation.phone_since, 'infinity'::timestamptz
  where conversation.customer_phone is not null
  union all
  select conversation.customer_user_id, '-infinity', 'infinity'
  where conversation.customer_user_id is not null
  union all
  select former.identity, '-infinity', former.until
  from jsonb_to_recordset(conversation.former_identities) as former (
    identity text, until timestamptz)
  where former.identity is distinct from conversation.customer_phone
    and former.identity is distinct from conversation.customer_user_id;
$$;

-- Finds the conversation of a customer as it stands, the user id deciding where both are known: a phone
-- number may pass to somebody else, an id does not.
create or replace function switchyard.look_up_conversation(sender_id uuid, phone text, user_id text)
returns uuid
language sql
stable
set search_path = ''
as $$
  select c.id
  from switchyard.conversations c
  where c.sender_id = look_up_conversation.sender_id
    and (c.customer_user_id = look_up_conversation.user_id
      or c.customer_phone = look_up_conversation.phone)
  order by c.customer_user_id = look_up_conversation.user_id desc nulls last
  limit 1;
$$;

-- Moves the machine of one conversation to another, with what waits for it. Where both have one, that of
-- the survivor goes on, and the other rests with its history. Who computes meanwhile writes nothing: its
-- row is gone, or its number has moved on.
create or replace function switchyard.merge_machines(survivor uuid, merged uuid, at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform from switchyard.conversation_machines c
  where c.conversation_id in (survivor, merged)
  order by c.conversation_id
  for update;
  insert into switchyard.conversation_machines (
    conversation_id, tenant_id, machine, version, snapshot, state, seq, wake_at, failure_count,
    parked_at, parked_reason
  )
  select survivor, c.tenant_id, c.machine, c.version, c.snapshot, c.state, c.seq, c.wake_at,
    c.failure_count, c.parked_at, c.parked_reason
  from switchyard.conversation_machines c
  where c.conversation_id = merged
  on conflict (conversation_id) do nothing;

  if found then
    update switchyard.conversation_timers t set conversation_id = survivor
    where t.conversation_id = merged;
    update switchyard.conversation_transitions t set conversation_id = survivor
    where t.conversation_id = merged;
    update switchyard.conversation_steps s set conversation_id = survivor
    where s.conversation_id = merged;
    delete from switchyard.conversation_machines c where c.conversation_id = merged;
    return;
  end if;

  update switchyard.conversation_machines c
  set wake_at = merge_machines.at
  where c.conversation_id = survivor and c.parked_at is null and exists (
    select from switchyard.conversation_steps s where s.conversation_id = merged);
  update switchyard.conversation_steps s set conversation_id = survivor
  where s.conversation_id = merged;
  delete from switchyard.conversation_timers t where t.conversation_id = merged;
  update switchyard.conversation_machines c
  set wake_at = null, parked_at = merge_machines.at, parked_reason = 'merged', seq = c.seq + 1
  where c.conversation_id = merged;
end;
$$;

-- Moves all of one conversation to another of the same sender, whose customer turned out to be the same
-- one. Nothing is lost and nothing told twice; the one that is left empty stays and points there.
create or replace function switchyard.merge_conversations(survivor uuid, merged uuid, at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_merged switchyard.conversations;
begin
  select * into v_merged from switchyard.conversations c where c.id = merged;
  update switchyard.conversation_events e
  set conversation_id = survivor
  where e.conversation_id = merged;
  perform switchyard.merge_machines(survivor, merged, merge_conversations.at);
  update switchyard.conversations c
  set merged_into = survivor
  where c.merged_into = merged;
  update switchyard.conversations c
  set merged_into = survivor, customer_phone = null, customer_user_id = null
  where c.id = merged;

  update switchyard.conversations c
  set customer_phone = coalesce(c.customer_phone, v_merged.customer_phone),
    phone_since = case when c.customer_phone is null then v_merged.phone_since else c.phone_since end,
    customer_user_id = coalesce(c.customer_user_id, v_merged.customer_user_id),
    customer_name = coalesce(c.customer_name, v_merged.customer_name),
    last_inbound_at = greatest(c.last_inbound_at, v_merged.last_inbound_at),
    active_at = greatest(c.active_at, v_merged.active_at),
    free_entry_until = greatest(c.free_entry_until, v_merged.free_entry_until),
    created_at = least(c.created_at, v_merged.created_at),
    former_identities = c.former_identities || v_merged.former_identities
      || switchyard.former_identity(c.customer_phone, v_merged.customer_phone, merge_conversations.at)
      || switchyard.former_identity(
        c.customer_user_id, v_merged.customer_user_id, merge_conversations.at)
  where c.id = survivor;
end;
$$;

-- An identity that another takes the place of, as a list of one; of none where nothing is replaced.
create or replace function switchyard.former_identity(replacement text, identity text, at timestamptz)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select case when identity <> replacement
    then jsonb_build_array(jsonb_build_object('identity', identity, 'until', former_identity.at))
    else '[]' end;
$$;

-- Gives a conversation its customer's phone number and user id (null: as it is) and returns the one that
-- the customer has from then on. Another conversation that has one of them is merged where it can be the
-- same customer's or Meta says that it is; the older one stays. Where another customer has the number,
-- it has passed to this one. Conversations are locked in one order, so that two workers that learn the
-- same do it once.
create or replace function switchyard.identify_customer(
  conversation_id uuid, phone text, user_id text, is_told boolean, at timestamptz
)
returns uuid
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_sender uuid;
  v_id uuid;
  v_self switchyard.conversations;
  v_other switchyard.conversations;
begin
  select c.sender_id into v_sender from switchyard.conversations c
  where c.id = identify_customer.conversation_id;
  perform from switchyard.conversations c
  where c.id = identify_customer.conversation_id
    or c.sender_id = v_sender and (c.customer_phone = phone or c.customer_user_id = user_id)
  order by c.id
  for no key update;
  -- Merged by whoever had the lock before.
  select coalesce(c.merged_into, c.id) into v_id from switchyard.conversations c
  where c.id = identify_customer.conversation_id;

  for v_other in
    select * from switchyard.conversations c
    where c.sender_id = v_sender and c.id <> v_id
      and (c.customer_phone = phone or c.customer_user_id = user_id)
    order by c.id
  loop
    select * into v_self from switchyard.conversations c where c.id = v_id;
    if is_told or v_other.customer_user_id is null or v_other.customer_user_id = user_id
      or coalesce(user_id, v_self.customer_user_id) is null
    then
      v_id := least(v_id, v_other.id);
      perform switchyard.merge_conversations(
        v_id, greatest(v_self.id, v_other.id), identify_customer.at);
    else
      update switchyard.conversations c
      set customer_phone = null,
        former_identities = c.former_identities || jsonb_build_array(
          jsonb_build_object('identity', c.customer_phone, 'until', identify_customer.at))
      where c.id = v_other.id;
      update switchyard.conversations c
      set phone_since = identify_customer.at
      where c.id = v_id;
    end if;
  end loop;

  update switchyard.conversations c
  set former_identities = c.former_identities
      || switchyard.former_identity(phone, c.customer_phone, identify_customer.at)
      || switchyard.former_identity(user_id, c.customer_user_id, identify_customer.at),
    customer_phone = coalesce(phone, c.customer_phone),
    customer_user_id = coalesce(user_id, c.customer_user_id)
  where c.id = v_id
    and (c.customer_phone is distinct from coalesce(phone, c.customer_phone)
      or c.customer_user_id is distinct from coalesce(user_id, c.customer_user_id));
  return v_id;
end;
$$;

-- Finds the conversation of a customer with a sender by either identity, learns the other one, or begins
-- a conversation. Two workers that meet a new customer at once get the same conversation.
create or replace function switchyard.find_conversation(
  tenant_id uuid, sender_id uuid, phone text, user_id text, at timestamptz default clock_timestamp()
)
returns uuid
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_id uuid;
  v_found switchyard.conversations;
begin
  for attempt in 1..3 loop
    select c.* into v_found
    from switchyard.conversations c
    where c.id = switchyard.look_up_conversation(find_conversation.sender_id, phone, user_id);
    if v_found.id is not null
      and (phone is null or v_found.customer_phone = phone)
      and (user_id is null or v_found.customer_user_id = user_id)
    then
      return v_found.id;
    end if;

    v_id := null;
    if coalesce(v_found.customer_user_id = user_id, true) then
      v_id := v_found.id;
    end if;
    if v_id is null then
      -- Where the number is another customer's still, it passes to this one below.
      insert into switchyard.conversations (
        tenant_id, sender_id, customer_phone, customer_user_id, active_at
      )
      values (find_conversation.tenant_id, find_conversation.sender_id,
        case when v_found.id is null then phone end, user_id, 'epoch')
      on conflict do nothing
      returning id into v_id;
    end if;
    if v_id is not null then
      return switchyard.identify_customer(v_id, phone, user_id, false, find_conversation.at);
    end if;
  end loop;
  return v_id;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
