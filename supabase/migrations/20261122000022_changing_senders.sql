-- Senders at run time: they get other limits, and are removed. A number that was removed may be
-- registered again, by any tenant. Locks nothing. Undo: drop the table and the functions below.

-- Senders whose limits were raised in the last minute.
create table if not exists switchyard.limit_raises (
  sender_id uuid primary key references switchyard.senders (id) on delete cascade,
  raised_at timestamptz not null
);
alter table switchyard.limit_raises enable row level security;

-- Says whether a limit lets more go than the one before, at once or later; null is the tenant's limit.
create or replace function switchyard.is_raised(before jsonb, after jsonb)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select case
    when before = 'null' or after = 'null' then before <> after
    else (after ->> 'messages')::integer > (before ->> 'messages')::integer
      or (after ->> 'window_seconds')::integer < (before ->> 'window_seconds')::integer
  end;
$$;

-- Makes due at once what a limit of a tenant or a sender has given a later moment, as if it had not, up to
-- most messages, those whose moment is the next first; and lets newcomers be read again. The limits at
-- send time say anew when each may go. Returns how many. What somebody else is changing at this moment is
-- left to them.
create or replace function switchyard.call_back(sender_ids uuid[], most integer, at timestamptz)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_called uuid[];
begin
  v_called := array(
    select m.id from switchyard.messages m
    where m.id = any (array(
        select put_off.id
        from unnest(sender_ids) as sender (id)
        cross join unnest(array['urgent', 'returning']) as lane (share)
        cross join lateral (
          select b.id from switchyard.messages b
          where b.sender_id = sender.id and b.share = lane.share
            and b.status = 'queued' and b.queue_entry_id is null and not b.waits_turn
            and b.due_at > call_back.at and b.waiting_for in ('limit:tenant', 'limit:sender')
          order by b.due_at, b.accepted_no
          limit most
        ) put_off
        limit most))
      and m.status = 'queued' and m.queue_entry_id is null
    order by m.id
    for no key update skip locked
  );
  update switchyard.messages m
  set due_at = least(m.planned_send_at, call_back.at), waiting_for = null
  where m.id = any (v_called);

  perform from switchyard.sender_lanes l
  where l.sender_id = any (sender_ids)
  order by l.sender_id, l.share
  for update;
  perform switchyard.lower_heads(v_called) where cardinality(v_called) > 0;
  update switchyard.sender_lanes l
  set closed_until = '-infinity'
  where l.sender_id = any (sender_ids) and l.closed_until > call_back.at;
  perform switchyard.ring_doorbell('wa-sender');
  return cardinality(v_called);
end;
$$;

-- Calls back what waits for limits that are raised now, and notes the senders, for what is left. Called
-- before senders are locked, as settling does: messages, lanes, senders.
create or replace function switchyard.call_back_after_raise(sender_ids uuid[], at timestamptz)
returns void
language sql
set search_path = ''
as $$
  select switchyard.call_back(sender_ids, 5000, call_back_after_raise.at);
  insert into switchyard.limit_raises (sender_id, raised_at)
  select sender.id, call_back_after_raise.at from unnest(sender_ids) as sender (id)
  order by sender.id
  on conflict on constraint limit_raises_pkey do update set raised_at = excluded.raised_at;
$$;

-- Calls back, a minute after a raise, what was left, and what a worker has put off since by the limits
-- with which it had claimed: by then no such claim is under way any more.
create or replace function switchyard.call_back_the_rest(at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_senders uuid[] := array(
    select r.sender_id from switchyard.limit_raises r
    where r.raised_at <= call_back_the_rest.at - interval '1 minute'
    order by r.raised_at, r.sender_id
    limit 1000);
begin
  if cardinality(v_senders) = 0
    or switchyard.call_back(v_senders, 5000, call_back_the_rest.at) = 5000
  then
    return;
  end if;
  delete from switchyard.limit_raises r
  where r.sender_id = any (v_senders)
    and r.raised_at <= call_back_the_rest.at - interval '1 minute';
end;
$$;

-- Lays out what may be changed of a sender.
create or replace function switchyard.tell_sender(sender switchyard.senders)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'id', sender.id,
    'phone_number_id', sender.phone_number_id,
    'display_phone_number', sender.display_phone_number,
    'status', sender.status,
    'limit', switchyard.limit_of(sender),
    'throughput_per_second', sender.throughput_per_second);
$$;

-- Changes the fields of a sender that are named: {display_phone_number?, status?, limit?,
-- throughput_per_second?}. Claims and slots read the row, so that all of it holds from the next one on;
-- without a limit of its own a sender is counted with its tenant. A rate that Meta's complaints have
-- lowered is not raised by this, and whom an operator has paused an operator alone resumes. Operators wait
-- for each other; the sender is locked after what settling locks before it.
create or replace function switchyard_api.change_sender(
  tenant_id uuid, phone_number_id text, changes jsonb, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_id uuid;
  v_before jsonb;
  v_after jsonb;
  v_is_kept boolean := false;
begin
  perform switchyard.lock_number(change_sender.phone_number_id);
  select s.id, switchyard.tell_sender(s) into v_id, v_before from switchyard.senders s
  where s.tenant_id = change_sender.tenant_id
    and s.phone_number_id = change_sender.phone_number_id and s.status <> 'removed';
  if v_id is null then
    return jsonb_build_object('outcome', 'sender_not_found');
  end if;
  v_after := v_before || changes;
  perform switchyard.call_back_after_raise(array[v_id], change_sender.at)
  where switchyard.is_raised(v_before -> 'limit', v_after -> 'limit')
    or v_after -> 'throughput_per_second' > v_before -> 'throughput_per_second';

  select switchyard.tell_sender(s) into v_before from switchyard.senders s
  where s.id = v_id
  for no key update;
  v_after := v_before || changes;
  if changes ->> 'status' = 'paused' then
    update switchyard.sender_attention a
    set paused_sender = false
    where a.sender_id = v_id and a.cleared_at is null and a.paused_sender;
    v_is_kept := found;
  end if;
  if v_after = v_before and not v_is_kept then
    return jsonb_build_object('outcome', 'unchanged', 'sender', v_before);
  end if;

  update switchyard.senders s
  set display_phone_number = v_after ->> 'display_phone_number',
    status = v_after ->> 'status',
    limit_messages = (v_after -> 'limit' ->> 'messages')::integer,
    limit_window_seconds = (v_after -> 'limit' ->> 'window_seconds')::integer,
    throughput_per_second = (v_after ->> 'throughput_per_second')::integer,
    slowed_per_second = case
      when s.slowed_per_second < (v_after ->> 'throughput_per_second')::integer
      then s.slowed_per_second end
  where s.id = v_id;
  perform switchyard.write_audit(change_sender.tenant_id, actor, 'sender.changed',
    change_sender.phone_number_id, switchyard.differences(v_before, v_after));
  return jsonb_build_object('outcome', 'changed', 'sender', v_after);
end;
$$;

-- Takes a number from its tenant for good: nothing of it is claimed any more, its token leaves Vault, and
-- nobody is asked to look after it. The ticks bury what is queued. The row stays, for its messages and
-- conversations, and for what Meta still reports of them.
create or replace function switchyard_api.remove_sender(
  tenant_id uuid, phone_number_id text, actor jsonb, at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_sender switchyard.senders;
begin
  perform switchyard.lock_number(remove_sender.phone_number_id);
  select * into v_sender from switchyard.senders s
  where s.tenant_id = remove_sender.tenant_id
    and s.phone_number_id = remove_sender.phone_number_id and s.status <> 'removed'
  for no key update;
  if v_sender.id is null then
    return jsonb_build_object('outcome', 'sender_not_found');
  end if;

  update switchyard.senders s
  set status = 'removed', credential_id = null, held_until = null
  where s.id = v_sender.id;
  delete from vault.secrets v where v.id = v_sender.credential_id;
  update switchyard.sender_attention a
  set cleared_at = greatest(remove_sender.at, a.raised_at)
  where a.sender_id = v_sender.id and a.cleared_at is null;
  perform switchyard.write_audit(remove_sender.tenant_id, actor, 'sender.removed',
    remove_sender.phone_number_id, '{}');
  return jsonb_build_object('outcome', 'removed');
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
