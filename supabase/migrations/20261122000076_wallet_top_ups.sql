-- Crediting what a payment provider took in. Locks nothing. Undo: drop the functions.

-- Tells a top-up from what the ledger holds; null when the payment was never credited.
create or replace function switchyard.tell_top_up(tenant_id uuid, payment_id text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('outcome', 'completed', 'id', t.id, 'account_id', a.id,
    'amount_micros', e.amount_micros::text, 'currency', a.currency, 'payment_id', t.payment_id)
  from switchyard.wallet_transfers t
  join switchyard.wallet_entries e on e.transfer_id = t.id
  join switchyard.wallet_accounts a on a.id = e.account_id and a.tenant_id = t.tenant_id
  where t.kind = 'top_up'
    and t.tenant_id = tell_top_up.tenant_id
    and t.payment_id = tell_top_up.payment_id;
$$;

-- Answers a payment that was credited before: as the first time, or naming what differs from it; null
-- when it never was.
create or replace function switchyard.answer_repeated_top_up(tenant_id uuid, top_up jsonb)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select case differing.fields
    when '[]' then jsonb_build_object('outcome', 'replayed', 'answer', told.top_up)
    else jsonb_build_object('outcome', 'payment_reused', 'fields', differing.fields)
  end
  from switchyard.tell_top_up(
    answer_repeated_top_up.tenant_id, answer_repeated_top_up.top_up ->> 'payment_id') as told (top_up),
  lateral switchyard.differing_fields(
    told.top_up - '{outcome,id}'::text[],
    answer_repeated_top_up.top_up || jsonb_build_object(
      'account_id', (answer_repeated_top_up.top_up ->> 'account_id')::uuid)) as differing (fields)
  where told.top_up is not null;
$$;

-- Credits a payment to an account of the tenant, against what the provider owes the house for it.
-- A payment is credited once, whichever key brings it. What the tenant owes is paid from it at once.
create or replace function switchyard.credit_payment(tenant_id uuid, top_up jsonb, actor jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_amount bigint := switchyard.read_amount_micros(top_up);
  v_payment_id text := top_up ->> 'payment_id';
  v_account switchyard.wallet_accounts;
  v_clearing switchyard.wallet_accounts;
  v_answer jsonb;
  v_id uuid;
begin
  select * into v_account from switchyard.wallet_accounts
  where id = (top_up ->> 'account_id')::uuid;
  v_answer := switchyard.refuse_account(
    v_account, credit_payment.tenant_id, top_up ->> 'currency', 'account_id');
  if v_answer is not null then
    return v_answer;
  end if;

  v_clearing.id := switchyard.house_account('clearing', v_account.currency);
  perform switchyard.lock_wallet_accounts(array[v_account.id, v_clearing.id,
    switchyard.receivable_account(v_account.tenant_id, v_account.currency)]);
  select * into v_account from switchyard.wallet_accounts where id = v_account.id;
  select * into v_clearing from switchyard.wallet_accounts where id = v_clearing.id;
  v_answer := coalesce(
    switchyard.answer_repeated_top_up(credit_payment.tenant_id, top_up - 'event_at'),
    switchyard.refuse_change_of(v_account, v_amount),
    switchyard.refuse_change_of(v_clearing, -v_amount));
  if v_answer is not null then
    return v_answer;
  end if;

  insert into switchyard.wallet_transfers (tenant_id, kind, payment_id, actor, event_at)
  values (credit_payment.tenant_id, 'top_up', v_payment_id, credit_payment.actor,
          coalesce((top_up ->> 'event_at')::timestamptz, now()))
  on conflict (tenant_id, payment_id) where kind = 'top_up' do nothing
  returning id into v_id;
  -- The same payment for an account in another currency shares no lock with this one: it waits here.
  if v_id is null then
    return switchyard.answer_repeated_top_up(credit_payment.tenant_id, top_up - 'event_at');
  end if;
  perform switchyard.post_entries(
    v_id, array[v_clearing.id, v_account.id], array[-v_amount, v_amount]);
  perform switchyard.repay_debt(v_account.id, credit_payment.actor);
  perform switchyard.answer_top_up_request(v_account.id, v_id);
  return switchyard.tell_top_up(credit_payment.tenant_id, v_payment_id);
end;
$$;

-- Credits a payment, once for each key and once for each payment.
create or replace function switchyard_api.top_up_account(
  tenant_id uuid, top_up jsonb, idempotency jsonb, actor jsonb
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  return switchyard.answer_once(tenant_id, 'wallet.topup', top_up, idempotency, actor, clock_timestamp());
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
