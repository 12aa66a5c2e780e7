-- Dead letters as a person works them off: by cause, page by page. A letter is open until a redrive
-- takes its message or event up again, and that happens once.
-- Locks dead_letters for a moment, to add columns. Undo: drop the functions, the columns and the table.

create table if not exists switchyard.redrives (
  id uuid primary key default switchyard.new_id(),
  -- Null: letters of all tenants.
  tenant_id uuid references switchyard.tenants (id) on delete cascade,
  filter jsonb not null,
  rate_per_second numeric not null,
  actor jsonb not null,
  -- Where the next redrive by the same filter begins, so that calls in a row keep one pace.
  next_due_at timestamptz not null,
  created_at timestamptz not null default now(),
  constraint rate_is_positive check (rate_per_second > 0)
);
create index if not exists redrives_tenant_id on switchyard.redrives (tenant_id, created_at);

alter table switchyard.redrives enable row level security;

alter table switchyard.dead_letters
  add column if not exists redrive_id uuid,
  -- How often the message had failed when it was redriven; its next tries are counted from none.
  add column if not exists failure_count integer,
  drop constraint if exists dead_letters_redrive_id_fkey,
  add constraint dead_letters_redrive_id_fkey
    foreign key (redrive_id) references switchyard.redrives (id) on delete set null;

create index if not exists dead_letters_redrive_id on switchyard.dead_letters (redrive_id)
  where redrive_id is not null;
create index if not exists open_dead_letters on switchyard.dead_letters (created_at, id)
  where redriven_at is null;
create index if not exists open_dead_letters_by_cause
  on switchyard.dead_letters (cause, created_at, id)
  where redriven_at is null;
create index if not exists open_dead_letters_of_tenant
  on switchyard.dead_letters (tenant_id, created_at, id)
  where redriven_at is null;
create index if not exists open_dead_letters_of_tenant_by_cause
  on switchyard.dead_letters (tenant_id, cause, created_at, id)
  where redriven_at is null;

-- Finds open letters that a filter {cause, from, to, since, until, source: message | event} lets
-- through, and says of each what a redrive that begins at the moment would hold it back for:
--   no_longer_dead    the message or event went on in another way
--   reported_by_meta  Meta has seen the message after all, and a redrive would send it twice
--   sender_removed    nobody can send it
--   outcome_unknown   it may have been delivered; a filter that names this cause takes it up
--   expired           it was to be sent by a time that has passed; a filter with {expired: true} takes
--                     it up and gives it another day
-- sorted names the order: newest_first, which {before_at, before_id} continues, or oldest_first. The
-- query is planned with its values, since what it should read first depends on which of them are there.
create or replace function switchyard.find_dead_letters(
  wanted_tenant_id uuid, filter jsonb, starts_at timestamptz, sorted text, only_redrivable boolean,
  most integer
)
returns table (
  id uuid, tenant_id uuid, cause text, detail jsonb, created_at timestamptz, message_id uuid,
  inbound_event_id bigint, phone_number_id text, recipient text, message_type text,
  message_status text, expires_at timestamptz, held_back text
)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query execute format($query$
    select * from (
      select d.id, d.tenant_id, d.cause, d.detail, d.created_at, d.message_id, d.inbound_event_id,
        s.phone_number_id, m.recipient, m.type, m.status, m.expires_at,
        case
          when coalesce(m.status, e.state) <> 'dead' then 'no_longer_dead'
          when exists (select from switchyard.message_statuses t where t.message_id = m.id)
            then 'reported_by_meta'
          when m.id is not null and s.status = 'removed' then 'sender_removed'
          when d.cause = 'outcome_unknown' and $2 ->> 'cause' is distinct from 'outcome_unknown'
            then 'outcome_unknown'
          when d.cause = 'marketing_cap' and d.created_at > $3 - interval '24 hours' then 'too_soon'
          when m.expires_at <= $3 and $2 ->> 'expired' is distinct from 'true' then 'expired'
        end as held_back
      from switchyard.dead_letters d
      left join switchyard.messages m on m.id = d.message_id
      left join switchyard.inbound_events e on e.id = d.inbound_event_id
      left join switchyard.senders s on s.id = coalesce(m.sender_id, e.sender_id)
      where d.redriven_at is null
        and ($1 is null or d.tenant_id = $1)
        and ($2 ->> 'cause' is null or d.cause = $2 ->> 'cause')
        and ($2 ->> 'since' is null or d.created_at >= ($2 ->> 'since')::timestamptz)
        and ($2 ->> 'until' is null or d.created_at < ($2 ->> 'until')::timestamptz)
        and ($2 ->> 'source' is null
          or ($2 ->> 'source' = 'message') = (d.message_id is not null))
        and ($2 ->> 'from' is null or s.phone_number_id = $2 ->> 'from')
        and ($2 ->> 'to' is null or m.recipient = $2 ->> 'to')
        and ($2 ->> 'before_at' is null
          or (d.created_at, d.id) < (($2 ->> 'before_at')::timestamptz, ($2 ->> 'before_id')::uuid))
    ) letter
    where not $4 or letter.held_back is null
    order by letter.created_at %1$s, letter.id %1$s
    limit $5
  $query$, case find_dead_letters.sorted when 'newest_first' then 'desc' else 'asc' end)
  using find_dead_letters.wanted_tenant_id, find_dead_letters.filter, find_dead_letters.starts_at,
    find_dead_letters.only_redrivable, find_dead_letters.most;
end;
$$;

-- Names the causes of open letters by stepping from one to the next in the index, so that a million
-- letters of one cause neither cost much nor hide the others.
create or replace function switchyard.open_causes(wanted_tenant_id uuid)
returns setof text
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_cause text := '';
begin
  loop
    select d.cause into v_cause
    from switchyard.dead_letters d
    where d.redriven_at is null
      and (open_causes.wanted_tenant_id is null or d.tenant_id = open_causes.wanted_tenant_id)
      and d.cause > v_cause
    order by d.cause
    limit 1;
    exit when not found;
    return next v_cause;
  end loop;
end;
$$;

-- Counts the open letters that a filter lets through by cause, each cause up to 10,000 only.
create or replace function switchyard.count_dead_letters(wanted_tenant_id uuid, filter jsonb)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'cause', counted.cause,
      'count', least(counted.letters, 10000),
      'is_complete', counted.letters <= 10000,
      'newest_at', counted.newest_at
    ) order by counted.letters desc, counted.newest_at desc), '[]')
  from (
    select c.cause, count(*) as letters, max(d.created_at) as newest_at
    from switchyard.open_causes(count_dead_letters.wanted_tenant_id) as c (cause)
    cross join lateral switchyard.find_dead_letters(
      count_dead_letters.wanted_tenant_id,
      count_dead_letters.filter || jsonb_build_object('cause', c.cause),
      'infinity', 'newest_first', false, 10001) d
    where count_dead_letters.filter ->> 'cause' is null
      or c.cause = count_dead_letters.filter ->> 'cause'
    group by c.cause
  ) counted;
$$;

-- Reads open dead letters: how many there are by cause, and a page of them from the newest back.
-- wanted_tenant_id null reads those of all tenants; the cursor is the last letter of the page before.
create or replace function switchyard_api.list_dead_letters(
  wanted_tenant_id uuid, filter jsonb, cursor text, page_limit integer,
  at timestamptz default clock_timestamp()
)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with page as (
    select d.*
    from switchyard.find_dead_letters(
      list_dead_letters.wanted_tenant_id,
      case when list_dead_letters.cursor is null then filter else filter || jsonb_build_object(
        'before_id', list_dead_letters.cursor,
        'before_at', coalesce((
          select d.created_at from switchyard.dead_letters d
          where d.id = list_dead_letters.cursor::uuid), '-infinity')) end,
      list_dead_letters.at, 'newest_first', false,
      least(greatest(list_dead_letters.page_limit, 1), 200) + 1) d
  ), shown as (
    select * from page
    order by created_at desc, id desc
    limit least(greatest(list_dead_letters.page_limit, 1), 200)
  )
  select jsonb_build_object(
    'causes', switchyard.count_dead_letters(
      list_dead_letters.wanted_tenant_id, list_dead_letters.filter),
    'dead_letters', coalesce((
      select jsonb_agg(
        jsonb_strip_nulls(jsonb_build_object(
          'id', id,
          'tenant_id', tenant_id,
          'source', case when message_id is null then 'event' else 'message' end,
          'message_id', message_id,
          'event_id', inbound_event_id,
          'from', phone_number_id,
          'to', recipient,
          'type', message_type,
          'status', message_status,
          'expires_at', expires_at,
          'created_at', created_at)) || jsonb_build_object(
          'cause', cause,
          'detail', detail,
          'held_back', held_back)
        order by created_at desc, id desc)
      from shown), '[]'),
    'next_cursor', case when (select count(*) from page) > (select count(*) from shown)
      then (select id from shown order by created_at, id limit 1) end
  );
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
