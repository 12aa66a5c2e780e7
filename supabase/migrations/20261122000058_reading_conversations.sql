-- Reading conversations: who wrote last, what both sides wrote in one order, and until when anything
-- may be sent. Locks conversations for a moment, to add columns. Undo: drop the functions, the indexes
-- and the columns.

alter table switchyard.conversations
  -- When the customer last did anything, which is what conversations are listed by.
  add column if not exists active_at timestamptz not null default now(),
  -- Meta takes no money until then: the customer came from an ad or a page.
  add column if not exists free_entry_until timestamptz;

create index if not exists conversations_of_tenant_by_activity
  on switchyard.conversations (tenant_id, active_at desc, id desc);
create index if not exists conversations_of_sender_by_activity
  on switchyard.conversations (sender_id, active_at desc, id desc);

-- Notes until when everything to these customers is free. A later moment wins, in whatever order
-- statuses come.
create or replace function switchyard.note_free_entries(items jsonb)
returns void
language sql
set search_path = ''
as $$
  update switchyard.conversations c
  set free_entry_until = greatest(c.free_entry_until, told.until)
  from (
    select e.sender_id, i.recipient, max(i.free_entry_until) as until
    from jsonb_to_recordset(items) as i (id bigint, recipient text, free_entry_until timestamptz)
    join switchyard.inbound_events e on e.id = i.id
    where i.free_entry_until is not null
    group by e.sender_id, i.recipient
  ) told
  where c.sender_id = told.sender_id
    and (c.customer_phone = '+' || told.recipient or c.customer_user_id = told.recipient)
    and told.until > coalesce(c.free_entry_until, '-infinity');
$$;

-- Says until when anything may be sent to a customer: for 24 hours after they wrote. Where a sender was
-- called within a day nobody knows by whom, so that a window which looks closed is unknown.
create or replace function switchyard.conversation_window(
  conversation switchyard.conversations, at timestamptz
)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'state', case
      when conversation.last_inbound_at > conversation_window.at - interval '24 hours' then 'open'
      when conversation.last_inbound_at is null or exists (
        select from switchyard.inbound_events e
        where e.sender_id = conversation.sender_id and e.field = 'calls'
          and e.received_at > conversation_window.at - interval '24 hours') then 'unknown'
      else 'closed' end,
    'open_until', conversation.last_inbound_at + interval '24 hours',
    'free_entry_until', conversation.free_entry_until);
$$;

-- Tells one conversation as its tenant sees it.
create or replace function switchyard.describe_conversation(
  conversation switchyard.conversations, at timestamptz
)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'id', conversation.id,
    'sender', (
      select s.phone_number_id from switchyard.senders s where s.id = conversation.sender_id),
    'customer', jsonb_build_object(
      'phone', conversation.customer_phone,
      'user_id', conversation.customer_user_id,
      'name', conversation.customer_name),
    'window', switchyard.conversation_window(conversation, describe_conversation.at),
    'last_inbound_at', conversation.last_inbound_at,
    'active_at', conversation.active_at,
    'created_at', conversation.created_at);
$$;

-- Reads one conversation of a tenant; null for one of another tenant or of nobody.
create or replace function switchyard_api.get_conversation(
  tenant_id uuid, conversation_id uuid, at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select switchyard.describe_conversation(c, get_conversation.at)
    from switchyard.conversations c
    where c.id = switchyard.merged_conversation(get_conversation.conversation_id)
      and c.tenant_id = get_conversation.tenant_id);
end;
$$;

-- Writes the place after which a page goes on: a moment in microseconds, and what tells apart those
-- that share it.
create or replace function switchyard.page_cursor(at timestamptz, key text)
returns text
language sql
immutable
set search_path = ''
as $$
  select (extract(epoch from page_cursor.at) * 1000000)::bigint || '.' || page_cursor.key;
$$;

-- Reads the moment of such a place; infinity where there is none yet.
create or replace function switchyard.cursor_moment(cursor text)
returns timestamptz
language sql
immutable
set search_path = ''
as $$
  select coalesce(
    'epoch'::timestamptz + split_part(cursor, '.', 1)::bigint * interval '1 microsecond',
    'infinity');
$$;

-- Reads a page of a tenant's conversations, those whose customer was active last first. filter:
-- {sender, customer}; the customer is a phone number or a business-scoped user id.
create or replace function switchyard_api.list_conversations(
  tenant_id uuid, filter jsonb, cursor text, page_limit integer,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_sender uuid;
  v_customer text := filter ->> 'customer';
  v_before timestamptz := switchyard.cursor_moment(list_conversations.cursor);
  v_key uuid := nullif(split_part(list_conversations.cursor, '.', 2), '')::uuid;
  v_most integer := least(greatest(page_limit, 1), 200);
  v_page switchyard.conversations[];
  v_last switchyard.conversations;
begin
  if filter ->> 'sender' is not null then
    select s.id into v_sender from switchyard.senders s
    where s.phone_number_id = filter ->> 'sender' and s.tenant_id = list_conversations.tenant_id
    -- One that was removed, where the number was not registered again.
    order by s.status = 'removed', s.created_at desc
    limit 1;
    if v_sender is null then
      return '{"conversations": [], "next_cursor": null}';
    end if;
  end if;

  if v_customer is not null then
    v_page := array(
      select c from switchyard.senders s
      join switchyard.conversations c
        on c.sender_id = s.id and (c.customer_phone = v_customer or c.customer_user_id = v_customer)
      where s.tenant_id = list_conversations.tenant_id and (v_sender is null or s.id = v_sender)
        and c.active_at <= v_before and (v_key is null or (c.active_at, c.id) < (v_before, v_key))
      order by c.active_at desc, c.id desc
      limit v_most + 1);
  elsif v_sender is not null then
    v_page := array(
      select c from switchyard.conversations c
      where c.sender_id = v_sender and c.merged_into is null
        and c.active_at <= v_before and (v_key is null or (c.active_at, c.id) < (v_before, v_key))
      order by c.active_at desc, c.id desc
      limit v_most + 1);
  else
    v_page := array(
      select c from switchyard.conversations c
      where c.tenant_id = list_conversations.tenant_id and c.merged_into is null
        and c.active_at <= v_before and (v_key is null or (c.active_at, c.id) < (v_before, v_key))
      order by c.active_at desc, c.id desc
      limit v_most + 1);
  end if;

  v_last := v_page[v_most];
  return jsonb_build_object(
    'conversations', coalesce((
      select jsonb_agg(switchyard.describe_conversation(c, list_conversations.at)
        order by c.active_at desc, c.id desc)
      from unnest(v_page[1:v_most]) c), '[]'),
    'next_cursor', case when cardinality(v_page) > v_most
      then switchyard.page_cursor(v_last.active_at, v_last.id::text) end);
end;
$$;

-- Tells what a customer wrote. Nothing that Meta adds to the content hides what is ours.
create or replace function switchyard.describe_inbound(event switchyard.conversation_events)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select event.content || jsonb_strip_nulls(jsonb_build_object(
    'id', event.id::text, 'direction', 'inbound', 'type', event.type, 'at', event.at,
    'wamid', event.wamid, 'standby', case when event.is_standby then true end));
$$;

-- Tells what was sent to a customer, as it stands now.
create or replace function switchyard.describe_outbound(message switchyard.messages)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'id', message.id, 'direction', 'outbound', 'type', message.type,
    'at', message.planned_send_at, 'status', message.status, 'wamid', message.wamid,
    'client_ref', message.client_ref, 'context', message.context, 'error', message.failure))
    || jsonb_build_object(message.type, message.content);
$$;

-- Reads a page of what customer and sender wrote to each other, the latest first, in an order that never
-- changes: Meta's time of what came in, the planned time of what went out. Each side is read from its
-- own index and no further than the page goes. Null for a conversation of another tenant.
create or replace function switchyard_api.list_conversation_messages(
  tenant_id uuid, conversation_id uuid, cursor text, page_limit integer
)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_conversation switchyard.conversations;
  v_before timestamptz := switchyard.cursor_moment(list_conversation_messages.cursor);
  v_key text := nullif(split_part(list_conversation_messages.cursor, '.', 2), '');
  v_most integer := least(greatest(page_limit, 1), 200);
  v_answer jsonb;
begin
  select * into v_conversation from switchyard.conversations c
  where c.id = switchyard.merged_conversation(list_conversation_messages.conversation_id)
    and c.tenant_id = list_conversation_messages.tenant_id;
  if v_conversation.id is null then
    return null;
  end if;

  with inbound as (
    select e.at, 'i' || lpad(e.id::text, 19, '0') as key, switchyard.describe_inbound(e) as line
    from switchyard.conversation_events e
    where e.conversation_id = v_conversation.id and e.at <= v_before
      and (v_key is null or (e.at, 'i' || lpad(e.id::text, 19, '0')) < (v_before, v_key))
    order by e.at desc, e.id desc
    limit v_most + 1
  ), outbound as (
    select m.planned_send_at as at, 'o' || m.id as key, switchyard.describe_outbound(m) as line
    from switchyard.identities_of(v_conversation) as customer
    cross join lateral (
      select * from switchyard.messages m
      where m.sender_id = v_conversation.sender_id and m.recipient = customer.identity
        and m.planned_send_at >= customer.since
        and m.planned_send_at <= least(v_before, customer.until) and m.type <> 'read'
        and (v_key is null or (m.planned_send_at, 'o' || m.id) < (v_before, v_key))
      order by m.planned_send_at desc, m.id desc
      limit v_most + 1
    ) m
  ), page as (
    select *, row_number() over (order by at desc, key desc) as nth
    from (select * from inbound union all select * from outbound) both_sides
    order by at desc, key desc
    limit v_most + 1
  )
  select jsonb_build_object(
    'messages', coalesce(jsonb_agg(line order by nth) filter (where nth <= v_most), '[]'),
    'next_cursor', max(switchyard.page_cursor(at, key)) filter (where nth = v_most and (
      select count(*) from page) > v_most))
  into v_answer
  from page;
  return v_answer;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
