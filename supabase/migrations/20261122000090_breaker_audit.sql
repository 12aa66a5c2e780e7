-- The trace of what operators do to breakers. Their state is in Redis; here are the audit log and the
-- holds that a breaker put on senders.
-- Locks nothing. Undo: drop the function below.

-- Writes down that an operator reset or isolated a breaker; a reset ends the holds on senders, and
-- release_held_messages() makes due what waited for it. A tenant's own breaker is in the audit log
-- of that tenant; those of all others are for the operators of the platform.
create or replace function switchyard_api.note_breaker_change(scope text, action text, actor jsonb)
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_tenant_id uuid;
begin
  if action not in ('reset', 'isolated') then
    raise exception 'A breaker is reset or isolated, not %', action using errcode = '22023';
  end if;

  select t.id into v_tenant_id
  from switchyard.tenants t
  where t.id::text = substring(lower(note_breaker_change.scope) from '^tenant:([0-9a-f-]{36})$');

  if action = 'reset' then
    insert into switchyard.breaker_resets (scope, reset_at)
    values (note_breaker_change.scope, clock_timestamp())
    on conflict on constraint breaker_resets_pkey do update set reset_at = excluded.reset_at;
    perform switchyard.end_holds(note_breaker_change.scope);
    update switchyard.callback_endpoints e
    set held_until = null
    where e.held_until is not null and 'callback:' || e.id = note_breaker_change.scope;
    perform switchyard.ring_doorbell('wa-sender');
  else
    delete from switchyard.breaker_resets r where r.scope = note_breaker_change.scope;
  end if;
  perform switchyard.write_audit(v_tenant_id, actor, 'breaker.' || action, scope, '{}');
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
