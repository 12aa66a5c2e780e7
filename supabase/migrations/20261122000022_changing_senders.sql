-- Senders at run time: they get other limits, and are removed. A number that was removed may be
-- registered again, by any tenant. Locks nothing. Undo: drop the functions below.

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

-- Changes the fields of a sender that are named: {display_phone_number?, limit?, throughput_per_second?}.
-- Claims and slots read the row, so that all of it holds from the next one on; without a limit of its own
-- a sender is counted with its tenant. A rate that Meta's complaints have lowered is not raised by this.
create or replace function switchyard_api.change_sender(
  tenant_id uuid, phone_number_id text, changes jsonb, actor jsonb
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
begin
  select s.id, switchyard.tell_sender(s) into v_id, v_before from switchyard.senders s
  where s.tenant_id = change_sender.tenant_id
    and s.phone_number_id = change_sender.phone_number_id and s.status <> 'removed'
  for no key update;
  if v_id is null then
    return jsonb_build_object('outcome', 'sender_not_found');
  end if;
  v_after := v_before || changes;
  if v_after = v_before then
    return jsonb_build_object('outcome', 'unchanged', 'sender', v_before);
  end if;

  update switchyard.senders s
  set display_phone_number = v_after ->> 'display_phone_number',
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
