-- Idempotency keys of the wallet, kept in the transaction of what they stand for: a key is there
-- exactly when its effect is. Locks nothing. Undo: drop the functions.

-- Takes a key and returns null, or returns what to answer instead: the first answer again, the fields
-- in which this request differs from the one that took the key, or that the other is still running. A
-- second request with the key waits here for the first to commit, as long as lock_timeout allows.
create or replace function switchyard.take_wallet_key(
  tenant_id uuid, scope text, idempotency jsonb
)
returns jsonb
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_kept record;
begin
  insert into switchyard.idempotency_keys (tenant_id, scope, key, fingerprint, field_digests)
  select t.id, take_wallet_key.scope, idempotency ->> 'key',
         idempotency ->> 'fingerprint', idempotency -> 'field_digests'
  from switchyard.tenants t
  where t.id = take_wallet_key.tenant_id
  on conflict do nothing;
  if found then
    return null;
  end if;

  select k.fingerprint, k.field_digests, k.response into v_kept
  from switchyard.idempotency_keys k
  where k.tenant_id = take_wallet_key.tenant_id
    and k.scope = take_wallet_key.scope
    and k.key = idempotency ->> 'key';
  if not found then
    return jsonb_build_object('outcome', 'tenant_not_found');
  elsif v_kept.fingerprint <> idempotency ->> 'fingerprint' then
    return jsonb_build_object('outcome', 'key_reused', 'fields',
      switchyard.differing_fields(v_kept.field_digests, idempotency -> 'field_digests'));
  end if;
  return jsonb_build_object('outcome', 'replayed', 'answer', v_kept.response);
exception
  when lock_not_available then
    return jsonb_build_object('outcome', 'in_flight');
end;
$$;

-- Keeps the answer beside the key that was taken: refusals too, so that a late retry cannot succeed
-- behind the back of a caller who was told no.
create or replace function switchyard.keep_wallet_answer(
  tenant_id uuid, scope text, idempotency jsonb, answer jsonb
)
returns void
language sql
set search_path = ''
as $$
  update switchyard.idempotency_keys k
  set response = keep_wallet_answer.answer,
      resource_id = (keep_wallet_answer.answer ->> 'id')::uuid
  where k.tenant_id = keep_wallet_answer.tenant_id
    and k.scope = keep_wallet_answer.scope
    and k.key = keep_wallet_answer.idempotency ->> 'key';
$$;

revoke execute on all functions in schema switchyard from public, anon, authenticated;
