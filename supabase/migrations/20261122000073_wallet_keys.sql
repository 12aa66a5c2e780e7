-- Idempotency keys of the wallet, kept in the transaction of what they stand for: a key is there
-- exactly when its effect is. Locks nothing. Undo: drop the functions.

-- Tells the answer of a hold that was placed, from the hold: the same for ever.
create or replace function switchyard.tell_placed_hold(hold_id uuid)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('outcome', 'completed', 'id', h.id, 'account_id', h.account_id,
    'amount_micros', h.amount_micros::text, 'currency', a.currency, 'expires_at', h.expires_at)
  from switchyard.wallet_holds h
  join switchyard.wallet_accounts a on a.id = h.account_id
  where h.id = tell_placed_hold.hold_id;
$$;

-- Says what to answer a request whose key was taken before: the first answer again, or the fields in
-- which this request differs from the first.
create or replace function switchyard.answer_kept_key(
  tenant_id uuid, scope text, idempotency jsonb
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_kept switchyard.idempotency_keys;
begin
  select * into v_kept from switchyard.idempotency_keys k
  where k.tenant_id = answer_kept_key.tenant_id
    and k.scope = answer_kept_key.scope
    and k.key = idempotency ->> 'key';
  if not found then
    return jsonb_build_object('outcome', 'tenant_not_found');
  elsif v_kept.fingerprint <> idempotency ->> 'fingerprint' then
    return jsonb_build_object('outcome', 'key_reused', 'fields',
      switchyard.differing_fields(v_kept.field_digests, idempotency -> 'field_digests'));
  end if;
  return jsonb_build_object('outcome', 'replayed', 'answer',
    coalesce(v_kept.response, switchyard.tell_placed_hold(v_kept.resource_id)));
end;
$$;

-- Takes a key and returns null, or returns what to answer instead: what its first request was answered,
-- or that this one is still running. A second request with the key waits here for the first to commit,
-- as long as lock_timeout allows.
create or replace function switchyard.take_wallet_key(
  tenant_id uuid, scope text, idempotency jsonb
)
returns jsonb
language plpgsql
set search_path = ''
as $$
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
  return switchyard.answer_kept_key(take_wallet_key.tenant_id, take_wallet_key.scope, idempotency);
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
language plpgsql
set search_path = ''
as $$
begin
  update switchyard.idempotency_keys k
  set response = keep_wallet_answer.answer,
      resource_id = (keep_wallet_answer.answer ->> 'id')::uuid
  where k.tenant_id = keep_wallet_answer.tenant_id
    and k.scope = keep_wallet_answer.scope
    and k.key = keep_wallet_answer.idempotency ->> 'key';
end;
$$;

revoke execute on all functions in schema switchyard from public, anon, authenticated;
