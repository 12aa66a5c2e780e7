-- What Meta is known not to take does not go: messages of a paused template, bulk messages of a flagged
-- number and templates of a restricted account wait, those of a disabled template and marketing to who
-- asked for none end as dead letters. Locks nothing. Undo: drop the functions below, and their calls in
-- claiming and in the tick.

-- Takes out of what is due what Meta is known not to take: messages of a paused template, of a
-- restricted account or a flagged number wait, those of a disabled template end, as does marketing to
-- who asked for none. Returns the rest in its order, and what ended. Costs three probes where nothing is
-- stopped.
create or replace function switchyard.hold_back(
  message_ids uuid[], at timestamptz, out kept uuid[], out ended uuid[]
)
language plpgsql
set search_path = ''
as $$
declare
  v_held uuid[];
  v_ended jsonb;
  v_cause text;
  v_ids uuid[];
begin
  if message_ids is null or not (
    exists (select from switchyard.templates t where t.effect <> 'goes')
    or exists (select from switchyard.sender_attention a
      where a.cleared_at is null and a.stops in ('bulk', 'templates'))
    or exists (select from switchyard.marketing_stops))
  then
    kept := message_ids;
    return;
  end if;

  with item as (
    select m.*, s.business_account_id, m.content ->> 'name' as name,
      replace(m.content -> 'language' ->> 'code', '-', '_') as language
    from switchyard.messages m
    join switchyard.senders s on s.id = m.sender_id
    where m.id = any (message_ids)
  ), judged as (
    select item.id, item.expires_at,
      case
        when t.effect = 'ends' then 'template_stopped'
        when t.category = 'MARKETING' and exists (
          select from switchyard.marketing_stops stop
          where stop.sender_id = item.sender_id and stop.customer = item.recipient)
        then 'marketing_stopped'
      end as cause,
      coalesce(switchyard.template_reason(waits.name, waits.language), 'attention:' || a.cause)
        as waiting_for,
      case when waits.name is not null then waits.waits_until else a.until end as until
    from item
    left join switchyard.templates t
      on item.type = 'template' and t.business_account_id = item.business_account_id
      and t.name = item.name and t.language = item.language
    left join lateral (
      select t.name, t.language, t.waits_until
      where t.effect = 'waits' and coalesce(t.waits_until, 'infinity') > hold_back.at
    ) waits on true
    left join lateral (
      select a.cause, a.until from switchyard.sender_attention a
      where a.sender_id = item.sender_id and a.cleared_at is null
        and coalesce(a.until, 'infinity') > hold_back.at
        and (a.stops = 'bulk' and item.lane = 'bulk'
          or a.stops = 'templates' and item.type = 'template')
      order by a.id
      limit 1
    ) a on true
  ), held as (
    -- Looked at again in an hour at the latest: who lets it go may have been missed.
    update switchyard.messages m
    set waiting_for = j.waiting_for,
      due_at = least(j.expires_at, j.until, hold_back.at + interval '1 hour')
    from judged j
    where m.id = j.id and j.cause is null and j.waiting_for is not null
    returning m.id
  )
  select array(select h.id from held h),
    (select jsonb_object_agg(e.cause, e.ids)
      from (
        select j.cause, jsonb_agg(j.id) as ids from judged j
        where j.cause is not null group by j.cause
      ) e)
  into v_held, v_ended;

  for v_cause in select jsonb_object_keys(v_ended) loop
    v_ids := array(select jsonb_array_elements_text(v_ended -> v_cause)::uuid);
    ended := ended || v_ids;
    perform switchyard.bury_messages(v_ids, v_cause, jsonb_build_object('cause', v_cause),
      hold_back.at);
    perform switchyard.tell_statuses(v_ids, hold_back.at);
  end loop;
  kept := nullif(array(
    select due.id from unnest(message_ids) with ordinality as due (id, nth)
    where due.id <> all (v_held) and due.id <> all (coalesce(ended, '{}'))
    order by due.nth), '{}');
end;
$$;

-- Lets go, a part with every tick, what waited for templates that went on within a day, and ends the
-- attention whose time is over.
create or replace function switchyard.account_tick(at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_over record;
begin
  perform switchyard.release_messages(
    array[switchyard.template_reason(t.name, t.language)],
    array(select s.id from switchyard.senders s
      where s.business_account_id = t.business_account_id),
    5000, account_tick.at)
  from switchyard.templates t
  where t.effect = 'goes' and t.status_at > account_tick.at - interval '1 day'
  order by t.status_at desc
  limit 100;

  for v_over in
    select a.sender_id, array_agg(a.cause) as causes from switchyard.sender_attention a
    where a.cleared_at is null and a.until <= account_tick.at
    group by a.sender_id
    limit 100
  loop
    perform switchyard.end_attention(array[v_over.sender_id], v_over.causes, account_tick.at);
  end loop;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
