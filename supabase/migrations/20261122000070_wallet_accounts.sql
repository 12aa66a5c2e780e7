-- Accounts of the wallet. Amounts are integers in micro-units (1 currency unit = 1,000,000), so that
-- a price below a cent is exact. Balances are told from the owner's side: positive is what we owe the
-- tenant; the house's clearing account goes negative by what payment providers took in, and the sum
-- over all accounts is always zero. What every movement calls is plpgsql, which keeps its plans: a sql
-- function that sets its search_path is never inlined, and planned at each call. Locks nothing on a
-- first install. Undo: drop the objects below, after those of the ledger.

create table if not exists switchyard.wallet_accounts (
  id uuid primary key default switchyard.new_id(),
  tenant_id uuid references switchyard.tenants (id),
  kind text not null default 'cash',
  currency text not null,
  name text,
  posted_micros bigint not null default 0,
  held_micros bigint not null default 0,
  credit_limit_micros bigint default 0,
  last_sequence bigint not null default 0,
  -- Below the one the owner is warned, once, until the balance has been above the other again.
  low_below_micros bigint,
  recovered_above_micros bigint,
  is_low boolean not null default false,
  -- What may be spent in a day of UTC, and what was spent on the last day on which something was.
  day_limit_micros bigint,
  spent_on date not null default '-infinity',
  spent_micros bigint not null default 0,
  actor jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint balance_is_not_negative
    check (credit_limit_micros is null or posted_micros - held_micros >= -credit_limit_micros),
  constraint only_the_house_has_no_credit_limit
    check (tenant_id is null or credit_limit_micros is not null),
  constraint credit_limit_is_not_negative check (credit_limit_micros >= 0),
  constraint held_is_not_negative check (held_micros >= 0),
  -- Far enough from the end of bigint that neither a sum nor a difference of two can overflow.
  constraint balance_is_within_bounds check (
    posted_micros between -4000000000000000000 and 4000000000000000000
    and held_micros <= 4000000000000000000
    and credit_limit_micros <= 1000000000000000000
  ),
  constraint recovery_is_not_below_low check (
    (low_below_micros is null) = (recovered_above_micros is null)
    and recovered_above_micros >= low_below_micros
  ),
  constraint day_limit_is_not_negative check (day_limit_micros >= 0),
  constraint spent_is_not_negative check (spent_micros >= 0),
  constraint currency_is_an_iso_code check (currency ~ '^[A-Z]{3}$'),
  constraint name_has_1_to_100_characters check (char_length(name) between 1 and 100),
  constraint kind_is_known check (
    (tenant_id is not null and kind in ('cash', 'promo', 'receivable', 'disputed'))
    or (tenant_id is null and kind in (
      'clearing', 'revenue', 'meta_payable', 'breakage', 'rounding', 'fx_clearing'))
  )
)
-- Room beside every row for its next version: a busy account is updated far more often than made.
with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200);

create index if not exists wallet_accounts_tenant_id on switchyard.wallet_accounts (tenant_id);
-- A tenant may have many cash accounts; of every other kind there is one for each currency.
create unique index if not exists wallet_accounts_one_of_a_kind
  on switchyard.wallet_accounts (tenant_id, kind, currency) nulls not distinct
  where kind <> 'cash';

-- Refuses the statement, whoever runs it: for what may be added but never changed.
create or replace function switchyard.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception 'Cannot % %.%: it is never changed, correct it by a new row',
    lower(tg_op), tg_table_schema, tg_table_name using errcode = 'restrict_violation';
end;
$$;

create or replace trigger wallet_accounts_identity_is_fixed
  before update of id, tenant_id, kind, currency on switchyard.wallet_accounts
  for each row execute function switchyard.refuse_change();
create or replace trigger wallet_accounts_are_not_deleted
  before delete on switchyard.wallet_accounts
  for each row execute function switchyard.refuse_change();
create or replace trigger wallet_accounts_are_not_truncated
  before truncate on switchyard.wallet_accounts
  for each statement execute function switchyard.refuse_change();
create or replace trigger wallet_accounts_updated_at
  before update on switchyard.wallet_accounts
  for each row execute function switchyard.touch_updated_at();

alter table switchyard.wallet_accounts enable row level security;

-- Returns the house's account of this kind and currency, made at its first use.
create or replace function switchyard.house_account(kind text, currency text)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_id uuid;
begin
  select a.id into v_id from switchyard.wallet_accounts a
  where a.tenant_id is null and a.kind = house_account.kind
    and a.currency = house_account.currency;
  if found then
    return v_id;
  end if;

  insert into switchyard.wallet_accounts (kind, currency, credit_limit_micros)
  values (house_account.kind, house_account.currency, null)
  on conflict do nothing;
  select a.id into strict v_id from switchyard.wallet_accounts a
  where a.tenant_id is null and a.kind = house_account.kind
    and a.currency = house_account.currency;
  return v_id;
end;
$$;

-- Returns the account of what the tenant owes in this currency; null when it never owed anything.
create or replace function switchyard.receivable_account(tenant_id uuid, currency text)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select a.id from switchyard.wallet_accounts a
    where a.tenant_id = receivable_account.tenant_id
      and a.kind = 'receivable'
      and a.currency = receivable_account.currency);
end;
$$;

-- Returns that account, made with the first account in the currency. Its credit limit is the largest there is: what Meta
-- has charged is owed, however much it is.
create or replace function switchyard.open_receivable(tenant_id uuid, currency text)
returns uuid
language plpgsql
set search_path = ''
as $$
begin
  if switchyard.receivable_account(open_receivable.tenant_id, open_receivable.currency) is null then
    insert into switchyard.wallet_accounts (tenant_id, kind, currency, credit_limit_micros)
    values (open_receivable.tenant_id, 'receivable', open_receivable.currency, 1000000000000000000)
    on conflict do nothing;
  end if;
  return switchyard.receivable_account(open_receivable.tenant_id, open_receivable.currency);
end;
$$;

-- Locks accounts until the end of the transaction, always in the order of their ids: two transfers
-- that cross each other wait, and never block each other for good.
create or replace function switchyard.lock_wallet_accounts(account_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform from switchyard.wallet_accounts a
  where a.id = any(lock_wallet_accounts.account_ids)
  order by a.id
  for no key update;
end;
$$;

revoke all on switchyard.wallet_accounts from public, anon, authenticated, service_role;
revoke delete, truncate on switchyard.wallet_accounts from current_user;
revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
