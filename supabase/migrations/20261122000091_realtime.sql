-- Broadcasts of the change log to Supabase Realtime, for tenants that want them, where there is one.
-- Locks nothing on a first install. Undo: drop the trigger on switchyard.changes, the policy on
-- realtime.messages, schema switchyard_realtime and the function below.

-- Lets a tenant's changes be broadcast to Supabase Realtime, or no longer.
create or replace function switchyard_api.set_realtime(tenant_id uuid, enabled boolean, actor jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  if not exists (select from switchyard.tenants t where t.id = set_realtime.tenant_id) then
    return jsonb_build_object('outcome', 'tenant_not_found');
  end if;
  insert into switchyard.change_listeners as l (tenant_id, since_xid, until, is_broadcast)
  values (set_realtime.tenant_id, pg_current_xact_id(),
    case when enabled then 'infinity' else clock_timestamp() + interval '15 minutes' end, enabled)
  on conflict (tenant_id) do update
  set until = excluded.until, is_broadcast = excluded.is_broadcast;
  perform switchyard.write_audit(set_realtime.tenant_id, actor, 'realtime.set',
    set_realtime.tenant_id::text, jsonb_build_object('enabled', enabled));
  return jsonb_build_object('outcome', 'set');
end;
$$;

-- Only on a project that has Realtime. Members hear their tenant's private channel, tenant:<id>, and
-- nobody may speak there. https://supabase.com/docs/guides/realtime/broadcast (2026-09)
do $realtime$
begin
  if to_regclass('realtime.messages') is null
    or to_regprocedure('realtime.send(jsonb,text,text,boolean)') is null
  then
    return;
  end if;
  create schema if not exists switchyard_realtime;
  grant usage on schema switchyard_realtime to authenticated;

  create or replace function switchyard_realtime.may_listen(topic text)
  returns boolean
  language sql
  stable
  security definer
  set search_path = ''
  as $$
    select exists (
      select from switchyard.tenant_members m
      join switchyard.tenants t on t.id = m.tenant_id
      where m.user_id = auth.uid() and t.status = 'active'
        and may_listen.topic = 'tenant:' || m.tenant_id);
  $$;
  revoke execute on function switchyard_realtime.may_listen(text) from public, anon;
  grant execute on function switchyard_realtime.may_listen(text) to authenticated;

  drop policy if exists "members hear their tenant" on realtime.messages;
  create policy "members hear their tenant" on realtime.messages
    for select to authenticated
    using ((select switchyard_realtime.may_listen((select realtime.topic()))));

  create or replace function switchyard_realtime.broadcast_changes()
  returns trigger
  language plpgsql
  security definer
  set search_path = ''
  as $$
  begin
    perform realtime.send(switchyard.describe_change(w), w.kind, 'tenant:' || w.tenant_id, true)
    from (
      select c.* from written c
      join switchyard.change_listeners l on l.tenant_id = c.tenant_id and l.is_broadcast
      order by c.id
    ) w;
    return null;
  end;
  $$;
  revoke execute on function switchyard_realtime.broadcast_changes()
    from public, anon, authenticated;
  create or replace trigger changes_are_broadcast after insert on switchyard.changes
    referencing new table as written
    for each statement execute function switchyard_realtime.broadcast_changes();
end;
$realtime$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
