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

-- What was spent on the day of UTC of this moment, as far as somebody has limited it. A clock that is
-- moved back over midnight finds the day that it knows.
create or replace function switchyard.spent_today(account switchyard.wallet_accounts, at timestamptz)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when account.spent_on >= (at at time zone 'UTC')::date then account.spent_micros else 0 end;
end;
$$;

-- Says no to what would go over the limit of the day, and when there is another.
create or replace function switchyard.tell_day_limit(
  account switchyard.wallet_accounts, needed_micros bigint, spent_micros bigint, at timestamptz
)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_object('outcome', 'spending_limit_reached', 'currency', account.currency,
    'needed_micros', needed_micros::text, 'limit_micros', account.day_limit_micros::text,
    'spent_micros', spent_micros::text,
    'resets_at', (greatest(account.spent_on, (at at time zone 'UTC')::date) + 1)::timestamp
      at time zone 'UTC');
end;
$$;

-- Counts what an account has just spent, where somebody has limited it. The account is locked already.
create or replace function switchyard.count_spending(
  account switchyard.wallet_accounts, amount_micros bigint, at timestamptz
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if account.day_limit_micros is not null then
    update switchyard.wallet_accounts a
    set spent_on = greatest(a.spent_on, (count_spending.at at time zone 'UTC')::date),
        spent_micros = switchyard.spent_today(a, count_spending.at) + count_spending.amount_micros
    where a.id = account.id;
  end if;
end;
$$;

-- Opens a cash account of the tenant, and what it may come to owe in this currency: made later, in the
-- midst of a movement, it would be locked out of order.
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
  perform switchyard.open_receivable(create_wallet_account.tenant_id, account ->> 'currency');
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
