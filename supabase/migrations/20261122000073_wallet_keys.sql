-- Idempotency keys of the wallet, kept in the transaction of what they stand for: a key is there
-- exactly when its effect is. Locks nothing. Undo: drop the functions.

-- Counts a request whose key was refused before it came here.
create or replace function switchyard_api.count_idempotency_error()
returns void
language sql
security definer
set search_path = ''
as $$
  select nextval('switchyard.idempotency_errors');
$$;

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
-- which this request differs from the first. An answer that is no longer kept is not given again, and
-- what it was about is not done again.
create or replace function switchyard.answer_kept_key(
  tenant_id uuid, scope text, idempotency jsonb
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_kept switchyard.idempotency_keys;
  v_answer jsonb;
begin
  select * into v_kept from switchyard.idempotency_keys k
  where k.tenant_id = answer_kept_key.tenant_id
    and k.scope = answer_kept_key.scope
    and k.key = idempotency ->> 'key';
  if not found then
    return jsonb_build_object('outcome', 'tenant_not_found');
  elsif v_kept.fingerprint <> idempotency ->> 'fingerprint' then
    perform nextval('switchyard.idempotency_errors');
    return jsonb_build_object('outcome', 'key_reused', 'fields',
      switchyard.differing_fields(v_kept.field_digests, idempotency -> 'field_digests'));
  end if;
  perform nextval('switchyard.idempotency_hits');
  v_answer := coalesce(v_kept.response, switchyard.tell_placed_hold(v_kept.resource_id));
  if v_answer is null then
    return jsonb_build_object('outcome', 'answer_forgotten', 'used_at', v_kept.created_at,
      'resource_id', v_kept.resource_id);
  end if;
  return jsonb_build_object('outcome', 'replayed', 'answer', v_answer);
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
    perform nextval('switchyard.idempotency_misses');
    return null;
  end if;
  return switchyard.answer_kept_key(take_wallet_key.tenant_id, take_wallet_key.scope, idempotency);
exception
  when lock_not_available then
    perform nextval('switchyard.idempotency_errors');
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

-- Does what a request asks for once for each key and keeps what came of it, or answers it again.
create or replace function switchyard.answer_once(
  tenant_id uuid, scope text, request jsonb, idempotency jsonb, actor jsonb, at timestamptz
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_answer jsonb := switchyard.take_wallet_key(
    answer_once.tenant_id, answer_once.scope, idempotency);
begin
  if v_answer is not null then
    return v_answer;
  end if;
  v_answer := case answer_once.scope
    when 'wallet.transfer'
      then switchyard.move_funds(answer_once.tenant_id, request, actor, answer_once.at)
    when 'wallet.transfers'
      then switchyard.move_linked_funds(answer_once.tenant_id, request, actor, answer_once.at)
    when 'wallet.topup'
      then switchyard.credit_payment(answer_once.tenant_id, request, actor)
    when 'wallet.hold'
      then switchyard.place_own_hold(answer_once.tenant_id, request, actor, answer_once.at)
    when 'wallet.capture'
      then switchyard.resolve_own_hold(answer_once.tenant_id, request, actor, answer_once.at)
    when 'wallet.release'
      then switchyard.resolve_own_hold(answer_once.tenant_id, request, actor, answer_once.at)
  end;
  -- Of what repeats an effect under another key, that effect's answer.
  perform switchyard.keep_wallet_answer(answer_once.tenant_id, answer_once.scope, idempotency,
    coalesce(v_answer -> 'answer', v_answer));
  return v_answer;
end;
$$;

-- Forgets the answers of keys that were used before then, the oldest first, and keeps the keys: what was
-- done under them is never done again. Returns how many it forgot.
create or replace function switchyard.forget_wallet_answers(before timestamptz, key_limit integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_count integer;
begin
  with old as (
    select k.tenant_id, k.scope, k.key
    from switchyard.idempotency_keys k
    where k.response is not null and k.scope like 'wallet.%'
      and k.created_at < forget_wallet_answers.before
    order by k.created_at
    limit key_limit
    for no key update skip locked
  )
  update switchyard.idempotency_keys k
  set response = null
  from old
  where k.tenant_id = old.tenant_id and k.scope = old.scope and k.key = old.key;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
