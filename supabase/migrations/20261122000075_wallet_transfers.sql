-- Moving money between a tenant's own accounts. The key, the work and the answer are one transaction,
-- and what came of it is returned as {outcome, …}. Locks nothing. Undo: drop the functions.

-- Says why an account may not take part in a movement of the tenant in this currency; null when it
-- may. An account of another tenant is as unknown as one that never was.
create or replace function switchyard.refuse_account(
  account switchyard.wallet_accounts, tenant_id uuid, currency text, field text
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when account.tenant_id is distinct from refuse_account.tenant_id or account.kind <> 'cash'
      then jsonb_build_object('outcome', 'unknown_account', 'field', field)
    when account.currency <> refuse_account.currency
      then jsonb_build_object('outcome', 'currency_mismatch', 'field', field,
        'currency', account.currency)
  end;
end;
$$;

-- Says that a change would take an account's balance past what it can hold; null when it would not.
create or replace function switchyard.refuse_change_of(
  account switchyard.wallet_accounts, change_micros bigint
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when account.posted_micros + change_micros
      not between -4000000000000000000 and 4000000000000000000
      then jsonb_build_object('outcome', 'amount_too_large', 'field', 'amount_micros')
  end;
end;
$$;

-- Reads the amount of a request. One that is not positive, or so large that sums of it could
-- overflow, was to be refused before it came here.
create or replace function switchyard.read_amount_micros(request jsonb)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_amount bigint := request ->> 'amount_micros';
begin
  if v_amount between 1 and 1000000000000000000 then
    return v_amount;
  end if;
  raise exception 'Cannot read the amount %: it is not from 1 to 10^18 micro-units', v_amount
    using errcode = 'invalid_parameter_value';
end;
$$;

-- Pays what the tenant owes in the account's currency from what the account has to spend. The account
-- and the receivable are locked already; without a debt it does nothing.
create or replace function switchyard.repay_debt(account_id uuid, actor jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_payer switchyard.wallet_accounts;
  v_debt switchyard.wallet_accounts;
  v_amount bigint;
  v_id uuid;
begin
  select * into strict v_payer from switchyard.wallet_accounts a where a.id = repay_debt.account_id;
  select * into v_debt from switchyard.wallet_accounts a
  where a.id = switchyard.receivable_account(v_payer.tenant_id, v_payer.currency);
  v_amount := least(-v_debt.posted_micros, switchyard.available_micros(v_payer));
  if v_debt.id is null or v_amount <= 0 then
    return;
  end if;

  insert into switchyard.wallet_transfers (tenant_id, kind, actor)
  values (v_payer.tenant_id, 'repayment', repay_debt.actor)
  returning id into v_id;
  perform switchyard.post_entries(v_id, array[v_payer.id, v_debt.id], array[-v_amount, v_amount]);
end;
$$;

-- Moves money between two accounts of the tenant, or returns the refusal and has changed nothing.
create or replace function switchyard.move_funds(
  tenant_id uuid, transfer jsonb, actor jsonb, at timestamptz
)
returns jsonb
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_amount bigint := switchyard.read_amount_micros(transfer);
  v_currency text := transfer ->> 'currency';
  v_ids uuid[] := array[transfer ->> 'source_account_id', transfer ->> 'destination_account_id'];
  v_account switchyard.wallet_accounts;
  v_source switchyard.wallet_accounts;
  v_destination switchyard.wallet_accounts;
  v_refusal jsonb;
  v_id uuid;
begin
  if v_ids[1] = v_ids[2] then
    return jsonb_build_object('outcome', 'same_account', 'field', 'destination_account_id');
  end if;

  for v_account in
    select * from switchyard.wallet_accounts a
    where a.id = any (v_ids)
    order by a.id
    for no key update
  loop
    if v_account.id = v_ids[1] then
      v_source := v_account;
    else
      v_destination := v_account;
    end if;
  end loop;
  v_refusal := coalesce(
    switchyard.refuse_account(v_source, move_funds.tenant_id, v_currency, 'source_account_id'),
    switchyard.refuse_account(
      v_destination, move_funds.tenant_id, v_currency, 'destination_account_id'),
    switchyard.refuse_change_of(v_destination, v_amount));
  if v_refusal is not null then
    return v_refusal;
  end if;
  if switchyard.available_micros(v_source) < v_amount then
    return jsonb_build_object('outcome', 'insufficient_funds', 'currency', v_currency,
      'needed_micros', v_amount::text,
      'available_micros', switchyard.available_micros(v_source)::text);
  elsif v_amount > v_source.day_limit_micros - switchyard.spent_today(v_source, move_funds.at) then
    return switchyard.tell_day_limit(
      v_source, v_amount, switchyard.spent_today(v_source, move_funds.at), move_funds.at);
  end if;

  insert into switchyard.wallet_transfers (tenant_id, kind, actor)
  values (move_funds.tenant_id, 'transfer', move_funds.actor)
  returning id into v_id;
  perform switchyard.post_entries(v_id, v_ids, array[-v_amount, v_amount]);
  perform switchyard.count_spending(v_source, v_amount, move_funds.at);
  return jsonb_build_object('outcome', 'completed', 'id', v_id,
    'source_account_id', v_source.id, 'destination_account_id', v_destination.id,
    'amount_micros', v_amount::text, 'currency', v_currency);
end;
$$;

-- Moves money between two accounts of the tenant, once for each key.
create or replace function switchyard_api.transfer_funds(
  tenant_id uuid, transfer jsonb, idempotency jsonb, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  return switchyard.answer_once(tenant_id, 'wallet.transfer', transfer, idempotency, actor, at);
end;
$$;

-- Moves money several times, in the order given, all of it or none: the first that is refused takes the
-- others back, and is named by its place and why.
create or replace function switchyard.move_linked_funds(
  tenant_id uuid, transfers jsonb, actor jsonb, at timestamptz
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_leg record;
  v_answer jsonb;
  v_answers jsonb := '[]';
begin
  if jsonb_array_length(transfers) not between 1 and 100 then
    raise exception 'Cannot move % linked legs: from 1 to 100 at once', jsonb_array_length(transfers)
      using errcode = 'program_limit_exceeded';
  end if;
  -- All accounts in one order before the first leg, or two chains could wait for each other.
  perform switchyard.lock_wallet_accounts(array(
    select a.id from switchyard.wallet_accounts a
    where a.tenant_id = move_linked_funds.tenant_id and a.id in (
      select (t.leg ->> side.name)::uuid
      from jsonb_array_elements(transfers) as t (leg)
      cross join (values ('source_account_id'), ('destination_account_id')) as side (name))));
  begin
    for v_leg in
      select t.leg, t.place
      from jsonb_array_elements(transfers) with ordinality as t (leg, place)
      order by t.place
    loop
      v_answer := switchyard.move_funds(
        move_linked_funds.tenant_id, v_leg.leg, actor, move_linked_funds.at);
      if v_answer ->> 'outcome' <> 'completed' then
        raise exception 'a leg was refused' using errcode = 'SWLEG';
      end if;
      v_answers := v_answers || v_answer;
    end loop;
  exception
    when sqlstate 'SWLEG' then
      return jsonb_build_object('outcome', 'linked_transfer_refused', 'index', v_leg.place - 1,
        'refusal', v_answer);
  end;
  return jsonb_build_object('outcome', 'completed', 'transfers', v_answers);
end;
$$;

-- Moves money between accounts of the tenant several times, all of it or none, once for each key.
create or replace function switchyard_api.transfer_linked_funds(
  tenant_id uuid, transfers jsonb, idempotency jsonb, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  return switchyard.answer_once(tenant_id, 'wallet.transfers', transfers, idempotency, actor, at);
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
