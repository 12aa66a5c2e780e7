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
    update switchyard.senders s
    set held_until = null
    where s.held_until is not null
      and note_breaker_change.scope in (
        'app', 'tenant:' || s.tenant_id, 'sender:' || s.id,
        'business_account:' || s.business_account_id);
    perform switchyard.ring_doorbell('wa-sender');
  end if;
  perform switchyard.write_audit(v_tenant_id, actor, 'breaker.' || action, scope, '{}');
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
