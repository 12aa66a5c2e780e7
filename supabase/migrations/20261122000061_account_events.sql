-- What Meta tells of templates, numbers and accounts: it is kept, with what it means for messages, and
-- what asks for a person is raised. Locks senders for a moment, to add columns. Undo: drop the tables,
-- functions and columns below.

alter table switchyard.senders
  -- How many customers Meta lets it begin with in a day, in Meta's words.
  add column if not exists messaging_limit text,
  add column if not exists verified_name text,
  add column if not exists name_decision text;

-- Templates belong to a business account, not to a number. A row is what Meta told of one: a template
-- without a row is not known to be stopped.
create table if not exists switchyard.templates (
  business_account_id text not null,
  name text not null,
  language text not null,
  template_id text,
  status text,
  reason text,
  category text,
  quality text,
  -- What it means for messages: they go, wait (until then, at least) or end.
  effect text not null default 'goes',
  waits_until timestamptz,
  status_at timestamptz,
  category_at timestamptz,
  quality_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (business_account_id, name, language),
  constraint effect_is_known check (effect in ('goes', 'waits', 'ends'))
);
create index if not exists templates_stopped on switchyard.templates (business_account_id, name)
  where effect <> 'goes';
create index if not exists templates_gone_on on switchyard.templates (status_at)
  where effect = 'goes';

-- The latest moment at which Meta told something of a subject: an older notice that comes later says
-- nothing.
create table if not exists switchyard.account_notices (
  business_account_id text not null,
  subject text not null,
  told_at timestamptz not null,
  primary key (business_account_id, subject)
);

-- Customers who asked a sender for no more marketing, by phone number or user id.
create table if not exists switchyard.marketing_stops (
  sender_id uuid not null references switchyard.senders (id) on delete cascade,
  customer text not null,
  stopped_at timestamptz not null,
  primary key (sender_id, customer)
);

create or replace trigger templates_updated_at before update on switchyard.templates
  for each row execute function switchyard.touch_updated_at();

alter table switchyard.templates enable row level security;
alter table switchyard.account_notices enable row level security;
alter table switchyard.marketing_stops enable row level security;

-- Says whether this is the latest notice about its subject, and keeps that it came.
create or replace function switchyard.is_latest_notice(
  business_account_id text, subject text, at timestamptz
)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  insert into switchyard.account_notices as n (business_account_id, subject, told_at)
  values (is_latest_notice.business_account_id, is_latest_notice.subject, is_latest_notice.at)
  on conflict on constraint account_notices_pkey do update set told_at = excluded.told_at
  where n.told_at <= excluded.told_at;
  return found;
end;
$$;

-- Names what holds messages of a template back, as waiting_for tells it.
create or replace function switchyard.template_reason(name text, language text)
returns text
language sql
immutable
set search_path = ''
as $$
  select 'template:' || name || '/' || language;
$$;

-- Writes what Meta told of a template, each member by its own time; returns its effect on messages
-- where that changed.
create or replace function switchyard.note_template(
  business_account_id text, told jsonb, at timestamptz
)
returns text
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_status jsonb := told -> 'status';
  v_effect text;
  v_before text;
begin
  insert into switchyard.templates (business_account_id, name, language)
  values (note_template.business_account_id, told ->> 'name', told ->> 'language')
  on conflict do nothing;
  select t.effect into v_before
  from switchyard.templates t
  where t.business_account_id = note_template.business_account_id
    and t.name = told ->> 'name' and t.language = told ->> 'language'
  for update;

  update switchyard.templates t
  set template_id = coalesce(told ->> 'template_id', t.template_id),
    (status, reason, effect, waits_until, status_at) = (
      select case when is_news then v_status ->> 'name' else t.status end,
        case when is_news then v_status ->> 'reason' else t.reason end,
        case when is_news and v_status ->> 'effect' <> 'none'
          then v_status ->> 'effect' else t.effect end,
        case when is_news and v_status ->> 'effect' <> 'none'
          then note_template.at + (v_status ->> 'pause_hours')::integer * interval '1 hour'
          else t.waits_until end,
        case when is_news then note_template.at else t.status_at end
      from (select v_status is not null
        and coalesce(t.status_at, '-infinity') <= note_template.at) as news (is_news)),
    category = case when coalesce(t.category_at, '-infinity') <= note_template.at
      then coalesce(told ->> 'category', t.category) else t.category end,
    category_at = case when told ? 'category'
      then greatest(t.category_at, note_template.at) else t.category_at end,
    quality = case when coalesce(t.quality_at, '-infinity') <= note_template.at
      then coalesce(told ->> 'quality', t.quality) else t.quality end,
    quality_at = case when told ? 'quality'
      then greatest(t.quality_at, note_template.at) else t.quality_at end
  where t.business_account_id = note_template.business_account_id
    and t.name = told ->> 'name' and t.language = told ->> 'language'
  returning effect into v_effect;
  return nullif(v_effect, v_before);
end;
$$;

-- Stops or lets go what a template's new effect concerns: of all its tenant's senders.
create or replace function switchyard.follow_template(
  sender_ids uuid[], told jsonb, effect text, at timestamptz
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_reason text := switchyard.template_reason(told ->> 'name', told ->> 'language');
  v_causes text[] := array[
    replace(v_reason, 'template:', 'template_waits:'),
    replace(v_reason, 'template:', 'template_ends:')];
  v_detail jsonb := jsonb_build_object('template', told ->> 'name', 'language', told ->> 'language',
    'status', told -> 'status' ->> 'name', 'reason', told -> 'status' ->> 'reason');
begin
  if effect <> 'waits' then
    -- What waited goes, or meets its end when its turn comes.
    perform switchyard.release_messages(array[v_reason], sender_ids, 5000, follow_template.at);
  end if;
  if effect <> 'goes' then
    perform switchyard.raise_attention(sender_ids,
      v_causes[case effect when 'waits' then 1 else 2 end], v_detail, follow_template.at,
      null, 'nothing');
  end if;
  perform switchyard.end_attention(sender_ids,
    case effect when 'goes' then v_causes when 'waits' then v_causes[2:2] else v_causes[1:1] end,
    follow_template.at);
end;
$$;

-- Writes what Meta told of a number, or of all numbers of an account. A rate that somebody chose stays;
-- the one that all numbers begin with is raised.
create or replace function switchyard.note_number(sender_ids uuid[], told jsonb)
returns void
language sql
set search_path = ''
as $$
  update switchyard.senders s
  set messaging_limit = coalesce(told ->> 'messaging_limit', s.messaging_limit),
    throughput_per_second = case when s.throughput_per_second = 80
      then coalesce((told ->> 'throughput_per_second')::integer, 80)
      else s.throughput_per_second end,
    name_decision = coalesce(told -> 'name' ->> 'decision', s.name_decision),
    verified_name = case when told -> 'name' ->> 'decision' = 'APPROVED'
      then coalesce(told -> 'name' ->> 'requested', s.verified_name) else s.verified_name end
  where s.id = any (sender_ids);
$$;

-- Keeps whether a customer wants a sender's marketing.
create or replace function switchyard.note_preference(sender_id uuid, told jsonb, at timestamptz)
returns void
language sql
set search_path = ''
as $$
  insert into switchyard.marketing_stops as s (sender_id, customer, stopped_at)
  select note_preference.sender_id, customer, note_preference.at
  from unnest(array[told ->> 'phone', told ->> 'user_id']) as customer
  where (told ->> 'stopped')::boolean and customer is not null
  on conflict on constraint marketing_stops_pkey do update set stopped_at = excluded.stopped_at
  where s.stopped_at < excluded.stopped_at;

  delete from switchyard.marketing_stops s
  where s.sender_id = note_preference.sender_id and not (told ->> 'stopped')::boolean
    and s.customer in (told ->> 'phone', told ->> 'user_id')
    and s.stopped_at <= note_preference.at;
$$;

-- Applies one notice to the senders that it is about.
create or replace function switchyard.apply_account_update(
  event switchyard.inbound_events, told jsonb, at timestamptz
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_at timestamptz := coalesce(event.event_at, event.received_at);
  v_senders uuid[];
  v_effect text;
begin
  v_senders := array(
    select s.id from switchyard.senders s
    where s.business_account_id = event.business_account_id and s.tenant_id = event.tenant_id
      and s.status <> 'removed'
      and (told ->> 'number' is null
        or regexp_replace(s.display_phone_number, '\D', '', 'g') = told ->> 'number')
    order by s.id);

  case told ->> 'kind'
  when 'template' then
    v_effect := switchyard.note_template(event.business_account_id, told, v_at);
    perform switchyard.follow_template(v_senders, told, v_effect, apply_account_update.at)
    where v_effect is not null;
  when 'number' then
    if switchyard.is_latest_notice(event.business_account_id,
      concat_ws(':', 'number', event.field, told ->> 'number'), v_at)
    then
      perform switchyard.note_number(v_senders, told);
    end if;
  when 'attention' then
    if switchyard.is_latest_notice(event.business_account_id,
        concat_ws(':', told ->> 'subject', told ->> 'number'), v_at)
      and coalesce((told ->> 'until')::timestamptz, 'infinity') > apply_account_update.at
    then
      perform switchyard.raise_attention(v_senders, told ->> 'cause', told -> 'detail',
        apply_account_update.at, null, told ->> 'stops', (told ->> 'until')::timestamptz);
    end if;
  when 'attention_over' then
    if switchyard.is_latest_notice(event.business_account_id,
      concat_ws(':', told ->> 'subject', told ->> 'number'), v_at)
    then
      perform switchyard.end_attention(v_senders,
        array(select jsonb_array_elements_text(told -> 'causes')), apply_account_update.at);
    end if;
  when 'preference' then
    if event.sender_id is not null then
      perform switchyard.note_preference(event.sender_id, told, v_at);
    end if;
  else
    null;
  end case;
end;
$$;

-- Applies what claimed events of accounts say, in the order of their own time.
create or replace function switchyard.apply_account_updates(items jsonb, at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform switchyard.apply_account_update(e, told.value, apply_account_updates.at)
  from jsonb_array_elements(items) i
  join switchyard.inbound_events e on e.id = (i ->> 'id')::bigint
  cross join lateral jsonb_array_elements(i -> 'updates') with ordinality as told (value, nth)
  order by e.event_at nulls first, e.id, told.nth;
end;
$$;

-- Lists what is known of the templates of a tenant's business accounts.
create or replace function switchyard_api.list_templates(wanted_tenant_id uuid)
returns table (
  business_account_id text, name text, language text, template_id text, status text, reason text,
  category text, quality text, effect text, waits_until timestamptz, status_at timestamptz
)
language sql
stable
security definer
set search_path = ''
as $$
  select t.business_account_id, t.name, t.language, t.template_id, t.status, t.reason, t.category,
    t.quality, t.effect, t.waits_until, t.status_at
  from switchyard.templates t
  where exists (
    select from switchyard.senders s
    where s.business_account_id = t.business_account_id
      and s.tenant_id = list_templates.wanted_tenant_id and s.status <> 'removed')
  order by t.business_account_id, t.name, t.language
  limit 1000;
$$;

-- Lists a tenant's senders with what Meta told of them.
create or replace function switchyard_api.list_senders(wanted_tenant_id uuid)
returns table (
  id uuid, phone_number_id text, business_account_id text, display_phone_number text, status text,
  throughput_per_second integer, "limit" jsonb, messaging_limit text, verified_name text,
  name_decision text, attention jsonb
)
language sql
stable
security definer
set search_path = ''
as $$
  select s.id, s.phone_number_id, s.business_account_id, s.display_phone_number, s.status,
    s.throughput_per_second, switchyard.limit_of(s), s.messaging_limit, s.verified_name,
    s.name_decision,
    coalesce((
      select jsonb_agg(jsonb_build_object('cause', a.cause, 'stops', a.stops, 'until', a.until,
        'raised_at', a.raised_at) order by a.id)
      from switchyard.sender_attention a
      where a.sender_id = s.id and a.cleared_at is null), '[]')
  from switchyard.senders s
  where s.tenant_id = list_senders.wanted_tenant_id and s.status <> 'removed'
  order by s.phone_number_id
  limit 1000;
$$;

-- Ends all attention of a sender, since a person has looked after it.
create or replace function switchyard_api.resume_sender(
  tenant_id uuid, phone_number_id text, actor jsonb, at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_sender uuid;
  v_causes text[];
begin
  select s.id into v_sender from switchyard.senders s
  where s.tenant_id = resume_sender.tenant_id
    and s.phone_number_id = resume_sender.phone_number_id and s.status <> 'removed';
  if v_sender is null then
    return jsonb_build_object('outcome', 'sender_not_found');
  end if;
  v_causes := array(
    select a.cause from switchyard.sender_attention a
    where a.sender_id = v_sender and a.cleared_at is null order by a.id);
  perform switchyard.end_attention(array[v_sender], v_causes, resume_sender.at);
  perform switchyard.write_audit(resume_sender.tenant_id, actor, 'sender.resumed',
    resume_sender.phone_number_id, jsonb_build_object('causes', v_causes));
  return jsonb_build_object('outcome', 'resumed', 'causes', v_causes);
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
