-- How conversations advance: a worker claims some with all that waits for them, computes, and writes the
-- snapshot, the history, the timers and the answers at once. Locks nothing. Undo: unschedule the job,
-- drop the functions below.

-- Claims conversations that have something to do, those that wait longest first, for a lease. Only such
-- as run on a machine that the worker has: `machines` names them as id@version, and by id those on which
-- it may begin. A conversation that no worker can run waits until one can.
create or replace function switchyard_api.claim_conversations(
  machines text[], batch integer, lease_seconds integer, at timestamptz default clock_timestamp()
)
returns table (
  conversation_id uuid, tenant_id uuid, machine text, version integer, seq bigint, snapshot jsonb,
  customer jsonb, steps jsonb, timers jsonb, failure_count integer, claimed_at timestamptz
)
language sql
security definer
set search_path = ''
as $$
  with claimed as (
    update switchyard.conversation_machines c
    set lease_expires_at = claim_conversations.at + make_interval(secs => lease_seconds)
    where c.conversation_id = any (array(
      select w.conversation_id
      from switchyard.conversation_machines w
      where w.wake_at <= claim_conversations.at
        and (w.lease_expires_at is null or w.lease_expires_at <= claim_conversations.at)
        and case when w.version is null then w.machine else w.machine || '@' || w.version end
          = any (machines)
      order by w.wake_at
      limit batch
      for update skip locked))
    returning c.*
  )
  select c.conversation_id, c.tenant_id, c.machine, c.version, c.seq, c.snapshot,
    jsonb_build_object('name', conversation.customer_name),
    coalesce(waiting.steps, '[]'), coalesce(timer.timers, '[]'), c.failure_count,
    claim_conversations.at
  from claimed c
  join switchyard.conversations conversation on conversation.id = c.conversation_id
  left join lateral (
    select jsonb_agg(to_jsonb(s) order by s.at, s.id) as steps
    from (
      select s.id, s.kind, s.content, s.wamid, s.at
      from switchyard.conversation_steps s
      where s.conversation_id = c.conversation_id
      order by s.at, s.id
      limit 50
    ) s
  ) waiting on true
  left join lateral (
    select jsonb_agg(jsonb_build_object('name', t.name, 'due_at', t.due_at, 'event', t.event)) as timers
    from switchyard.conversation_timers t
    where t.conversation_id = c.conversation_id
  ) timer on true;
$$;

-- Says through accept_messages() what machines said, all of one tenant: the idempotency key is of the
-- conversation, the write and the place in it, so that nothing is said twice. Answers wait behind no
-- campaign, and one that comes an hour late is worse than none.
create or replace function switchyard.say(tenant_id uuid, answers jsonb, at timestamptz)
returns table (index integer, outcome text, id uuid)
language sql
set search_path = ''
as $$
  select said.index, said.outcome, said.id
  from switchyard.accept_messages(say.tenant_id, (
    select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'index', a.index,
      'from', s.phone_number_id,
      'to', coalesce(c.customer_phone, c.customer_user_id),
      'type', a.type,
      'content', a.content,
      'lane', 'urgent',
      'expires_at', say.at + interval '1 hour',
      'idempotency_key', 'bot:' || a.conversation_id || ':' || a.seq || ':' || a.place,
      'fingerprint', encode(sha256(convert_to(a.type || a.content::text, 'utf8')), 'hex')
    )) order by a.index)
    from jsonb_to_recordset(answers) as a (
      index integer, conversation_id uuid, seq bigint, place integer, type text, content jsonb)
    join switchyard.conversations c on c.id = a.conversation_id
    join switchyard.senders s on s.id = c.sender_id
  ), say.at) said;
$$;

-- Writes what machines have computed, each conversation all or nothing: answers, snapshot, history,
-- timers, and that the steps were taken. One that somebody else has advanced meanwhile is a conflict and
-- nothing of it is written: it is read and computed again. What was refused comes back to its machine as
-- an event. All lanes are locked, then the money of each tenant in the order of their accounts, then
-- conversations, as when events are applied. Items: {conversation_id, tenant_id, seq, version, snapshot, state, step_ids, last_step_id,
-- transitions: [{event, version, from, to, path, messages: [{type, content}]}],
-- timers: [{name, due_at, event}], wait_until}.
create or replace function switchyard_api.advance_conversations(
  items jsonb, at timestamptz default clock_timestamp()
)
returns table (conversation_id uuid, outcome text, refused integer)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_items jsonb;
  v_said jsonb := '[]';
  v_tenant uuid;
begin
  select coalesce(jsonb_agg(i order by i ->> 'conversation_id'), '[]') into v_items
  from jsonb_array_elements(items) i
  join switchyard.conversation_machines c on c.conversation_id = (i ->> 'conversation_id')::uuid
  where c.seq = (i ->> 'seq')::bigint;

  perform from switchyard.sender_lanes l
  where l.share = 'urgent' and l.sender_id in (
    select c.sender_id from jsonb_array_elements(v_items) i
    join switchyard.conversations c on c.id = (i ->> 'conversation_id')::uuid)
  order by l.sender_id, l.share
  for update;
  for v_tenant in
    select t.id from switchyard.tenants t
    where t.id in (select (i ->> 'tenant_id')::uuid from jsonb_array_elements(v_items) i)
    order by t.billing_account_id, t.id
  loop
    v_said := v_said || coalesce((
      with answer as (
        select (row_number() over (order by i ->> 'conversation_id', t.nth, m.place) - 1)::integer
            as index,
          i ->> 'conversation_id' as conversation_id, (i ->> 'seq')::bigint as seq, t.nth, m.place,
          m.message ->> 'type' as type, m.message -> 'content' as content
        from jsonb_array_elements(v_items) i
        cross join lateral jsonb_array_elements(i -> 'transitions')
          with ordinality as t (transition, nth)
        cross join lateral jsonb_array_elements(t.transition -> 'messages')
          with ordinality as m (message, place)
        where (i ->> 'tenant_id')::uuid = v_tenant
      ), given as (
        select jsonb_agg(jsonb_build_object(
          'index', a.index, 'conversation_id', a.conversation_id, 'seq', a.seq,
          'place', a.nth * 100 + a.place, 'type', a.type, 'content', a.content)) as answers
        from answer a
      )
      select jsonb_agg(jsonb_build_object(
        'conversation_id', a.conversation_id, 'nth', a.nth, 'place', a.place, 'type', a.type,
        'outcome', said.outcome, 'message_id', said.id) order by a.index)
      from given
      cross join lateral switchyard.say(v_tenant, given.answers, advance_conversations.at) said
      join answer a on a.index = said.index
      where given.answers is not null), '[]');
  end loop;

  perform switchyard.lock_advances(v_items);
  perform switchyard.write_advances(v_items, v_said, advance_conversations.at);

  if jsonb_array_length(v_said) > 0 then
    perform switchyard.ring_doorbell('wa-sender');
  end if;

  return query
  select (i ->> 'conversation_id')::uuid,
    case when v_items @> jsonb_build_array(jsonb_build_object(
      'conversation_id', i ->> 'conversation_id')) then 'advanced' else 'conflict' end,
    (select count(*)::integer from jsonb_array_elements(v_said) said
      where said ->> 'conversation_id' = i ->> 'conversation_id'
        and said ->> 'outcome' not in ('accepted', 'replayed'))
  from jsonb_array_elements(items) i;
end;
$$;

-- Locks conversations that are about to be written; raises where one was overtaken meanwhile: the whole
-- batch, with the answers that were accepted for it, is undone and computed again.
create or replace function switchyard.lock_advances(items jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform from switchyard.conversation_machines c
  where c.conversation_id in (
    select (i ->> 'conversation_id')::uuid from jsonb_array_elements(items) i)
  order by c.conversation_id
  for no key update;

  if exists (
    select from jsonb_array_elements(items) i
    left join switchyard.conversation_machines c
      on c.conversation_id = (i ->> 'conversation_id')::uuid and c.seq = (i ->> 'seq')::bigint
    where c.conversation_id is null)
  then
    raise exception 'Cannot advance conversations: one was overtaken' using errcode = '40001';
  end if;
end;
$$;

-- Puts the timers that a machine has set now in the place of those that it had. Items:
-- {conversation_id, seq, timers}.
create or replace function switchyard.replace_timers(items jsonb)
returns void
language sql
set search_path = ''
as $$
  delete from switchyard.conversation_timers t
  where t.conversation_id in (
    select (i ->> 'conversation_id')::uuid from jsonb_array_elements(items) i);
  insert into switchyard.conversation_timers (conversation_id, name, due_at, event, seq)
  select (i ->> 'conversation_id')::uuid, t.name, t.due_at, t.event, (i ->> 'seq')::bigint + 1
  from jsonb_array_elements(items) i
  cross join lateral jsonb_to_recordset(i -> 'timers') as t (
    name text, due_at timestamptz, event jsonb);
$$;

-- Writes advances of locked conversations, whose answers were accepted already.
create or replace function switchyard.write_advances(items jsonb, said jsonb, at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into switchyard.conversation_transitions (
    conversation_id, seq, nth, machine, version, event, from_state, to_state, path, messages, at
  )
  select c.conversation_id, c.seq + 1, t.nth, c.machine, (t.transition ->> 'version')::integer,
    t.transition -> 'event', t.transition ->> 'from', t.transition ->> 'to',
    array(select jsonb_array_elements_text(t.transition -> 'path')),
    coalesce((
      select jsonb_agg(s - 'conversation_id' - 'nth' - 'place' order by (s ->> 'place')::integer)
      from jsonb_array_elements(said) s
      where s ->> 'conversation_id' = i ->> 'conversation_id' and (s ->> 'nth')::bigint = t.nth
    ), '[]'), write_advances.at
  from jsonb_array_elements(items) i
  join switchyard.conversation_machines c on c.conversation_id = (i ->> 'conversation_id')::uuid
  cross join lateral jsonb_array_elements(i -> 'transitions') with ordinality as t (transition, nth);

  delete from switchyard.conversation_steps s
  where s.id in (
    select step.id::bigint from jsonb_array_elements(items) i
    cross join lateral jsonb_array_elements_text(i -> 'step_ids') as step (id));

  insert into switchyard.conversation_steps (conversation_id, kind, content, at)
  select distinct on (s ->> 'conversation_id') (s ->> 'conversation_id')::uuid, 'message.refused',
    jsonb_build_object('outcome', s ->> 'outcome'), write_advances.at
  from jsonb_array_elements(said) s
  where s ->> 'outcome' not in ('accepted', 'replayed');

  perform switchyard.replace_timers(items);
  update switchyard.conversation_machines c
  set version = (i ->> 'version')::integer,
    snapshot = nullif(i -> 'snapshot', 'null'),
    state = i ->> 'state',
    seq = c.seq + 1,
    lease_expires_at = null,
    failure_count = 0,
    wake_at = switchyard.next_wake(c.conversation_id, (i ->> 'last_step_id')::bigint,
      (i ->> 'wait_until')::timestamptz)
  from jsonb_array_elements(items) i
  where c.conversation_id = (i ->> 'conversation_id')::uuid;
end;
$$;

-- When a conversation has something to do next: its first timer, or its first step. Steps may wait for
-- more to come, until one came that was not known when that was decided. Null when there is nothing.
create or replace function switchyard.next_wake(
  conversation_id uuid, last_step_id bigint, wait_until timestamptz
)
returns timestamptz
language sql
stable
set search_path = ''
as $$
  select least(
    (select min(t.due_at) from switchyard.conversation_timers t
      where t.conversation_id = next_wake.conversation_id),
    (select case when max(s.id) > last_step_id then min(s.at) else coalesce(wait_until, min(s.at)) end
      from switchyard.conversation_steps s
      where s.conversation_id = next_wake.conversation_id));
$$;

-- Puts conversations off that could not be computed or written, or parks them where that was tried often
-- enough: a parked one does nothing until it is migrated or the tenant's bot is set again. Items:
-- {conversation_id, seq, reason, delay_seconds?}.
create or replace function switchyard_api.put_off_conversations(
  items jsonb, at timestamptz default clock_timestamp()
)
returns void
language sql
security definer
set search_path = ''
as $$
  update switchyard.conversation_machines c
  set lease_expires_at = null,
    failure_count = c.failure_count + 1,
    wake_at = put_off_conversations.at + make_interval(secs => i.delay_seconds),
    parked_at = case when i.delay_seconds is null then put_off_conversations.at end,
    parked_reason = case when i.delay_seconds is null then i.reason end
  from jsonb_to_recordset(items) as i (
    conversation_id uuid, seq bigint, reason text, delay_seconds integer)
  where c.conversation_id = i.conversation_id and c.seq = i.seq;
$$;

-- Tells when the next conversation has something to do; null when none has.
create or replace function switchyard_api.next_wake_at()
returns timestamptz
language sql
stable
security definer
set search_path = ''
as $$
  select min(c.wake_at) from switchyard.conversation_machines c where c.wake_at is not null;
$$;

-- One tick: rings where a conversation has something to do, so that timers fire and nothing that a
-- worker left behind stays.
create or replace function switchyard.conversations_tick(at timestamptz default clock_timestamp())
returns void
language plpgsql
set search_path = ''
as $$
begin
  if switchyard_api.next_wake_at() <= conversations_tick.at then
    perform switchyard.ring_doorbell('wa-inbound');
  end if;
end;
$$;

select cron.schedule('switchyard-conversations-tick', '5 seconds',
  'select switchyard.conversations_tick()');

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
