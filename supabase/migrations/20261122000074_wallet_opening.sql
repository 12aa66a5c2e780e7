-- Opening an account and looking at it. Amounts travel as text: micro-units pass the largest integer
-- that JavaScript keeps exact. Locks nothing. Undo: drop the functions.

-- The money that may be spent or held now.
create or replace function switchyard.available_micros(account switchyard.wallet_accounts)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return account.posted_micros - account.held_micros + account.credit_limit_micros;
end;
$$;

-- Opens a cash account of the tenant.
create or replace function switchyard_api.create_wallet_account(
  tenant_id uuid, account jsonb, idempotency jsonb, actor jsonb
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
  v_answer jsonb := switchyard.take_wallet_key(
    create_wallet_account.tenant_id, 'wallet.account', idempotency);
begin
  if v_answer is not null then
    return v_answer;
  end if;

  insert into switchyard.wallet_accounts as a (tenant_id, currency, name, actor)
  values (create_wallet_account.tenant_id, account ->> 'currency', account ->> 'name',
          create_wallet_account.actor)
  returning jsonb_build_object(
    'outcome', 'completed', 'id', a.id, 'currency', a.currency, 'name', a.name) into v_answer;
  perform switchyard.keep_wallet_answer(
    create_wallet_account.tenant_id, 'wallet.account', idempotency, v_answer);
  return v_answer;
end;
$$;

-- Shows an account of the tenant.
create or replace function switchyard_api.get_wallet_account(tenant_id uuid, account_id uuid)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(
    (
      select jsonb_build_object('outcome', 'found', 'id', a.id, 'kind', a.kind,
        'currency', a.currency, 'name', a.name,
        'posted_micros', a.posted_micros::text, 'held_micros', a.held_micros::text,
        'available_micros', switchyard.available_micros(a)::text)
      from switchyard.wallet_accounts a
      where a.id = get_wallet_account.account_id
        and a.tenant_id = get_wallet_account.tenant_id
    ),
    jsonb_build_object('outcome', 'unknown_account', 'field', 'account_id')
  );
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
