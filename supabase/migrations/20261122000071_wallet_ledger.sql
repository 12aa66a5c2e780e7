-- The ledger: a transfer is one movement of money, its entries are the sides of it. Both are only ever
-- added. What the database itself guarantees at every commit: a transfer has entries, which sum to zero in
-- each currency; an account's entries are numbered 1, 2, 3 … without a gap, each carrying the balance
-- after it; the account's row says what its last entry says. Locks nothing on a first install.
-- Undo: drop the objects below.

create table if not exists switchyard.wallet_transfers (
  id uuid primary key default switchyard.new_id(),
  tenant_id uuid references switchyard.tenants (id),
  kind text not null,
  payment_id text,
  hold_id uuid,
  -- What was captured, in the words of who captures: the same is captured from a hold once.
  reference text,
  corrects_transfer_id uuid references switchyard.wallet_transfers (id),
  detail jsonb not null default '{}',
  actor jsonb not null,
  event_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  constraint kind_is_known check (
    kind in ('transfer', 'top_up', 'capture', 'repayment', 'correction', 'refund', 'dispute',
      'breakage', 'fx')
  ),
  constraint reference_has_1_to_255_characters check (char_length(reference) between 1 and 255),
  constraint payment_id_has_1_to_255_characters check (char_length(payment_id) between 1 and 255),
  constraint a_top_up_names_its_payment check (kind <> 'top_up' or payment_id is not null),
  constraint a_capture_names_its_hold check (kind <> 'capture' or hold_id is not null)
);
create index if not exists wallet_transfers_tenant_id on switchyard.wallet_transfers (tenant_id);
create index if not exists wallet_transfers_hold_id on switchyard.wallet_transfers (hold_id)
  where hold_id is not null;
create index if not exists wallet_transfers_corrects_transfer_id
  on switchyard.wallet_transfers (corrects_transfer_id) where corrects_transfer_id is not null;
-- A payment is credited once, whichever key and whichever of the provider's notices brought it.
create unique index if not exists payment_is_credited_once
  on switchyard.wallet_transfers (tenant_id, payment_id) where kind = 'top_up';
create unique index if not exists reference_is_captured_once
  on switchyard.wallet_transfers (hold_id, reference) where reference is not null;

create table if not exists switchyard.wallet_entries (
  account_id uuid not null references switchyard.wallet_accounts (id),
  sequence bigint not null,
  transfer_id uuid not null references switchyard.wallet_transfers (id),
  amount_micros bigint not null,
  balance_micros bigint not null,
  event_at timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (account_id, sequence),
  constraint an_account_has_one_entry_in_a_transfer unique (transfer_id, account_id),
  constraint sequence_begins_at_one check (sequence >= 1),
  constraint amount_is_not_zero check (amount_micros <> 0)
);
create index if not exists wallet_entries_account_id_created_at
  on switchyard.wallet_entries (account_id, created_at, sequence);

-- The checks run as their owner: what is deferred to the commit runs when the function that wrote has
-- already returned, as a role that may not read these tables.

-- Refuses the commit of a transfer that has no entries.
create or replace function switchyard.refuse_transfer_without_entries()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform from switchyard.wallet_entries e where e.transfer_id = new.id;
  if not found then
    raise exception 'Cannot commit transfer %: entries are missing', new.id
      using errcode = 'check_violation', constraint = 'transfer_has_entries';
  end if;
  return null;
end;
$$;

-- Refuses a statement whose entries do not sum to zero, for each transfer in each currency. Entries are
-- never changed, so what each statement keeps every commit keeps.
create or replace function switchyard.refuse_unbalanced_entries()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_transfer_id uuid;
begin
  select i.transfer_id into v_transfer_id
  from inserted i
  join switchyard.wallet_accounts a on a.id = i.account_id
  group by i.transfer_id, a.currency
  having sum(i.amount_micros) <> 0
  limit 1;
  if found then
    raise exception 'Cannot post transfer %: its entries do not sum to zero', v_transfer_id
      using errcode = 'check_violation', constraint = 'entries_sum_to_zero';
  end if;
  return null;
end;
$$;

-- Refuses entries that do not follow the last one of their account in number, balance and time.
create or replace function switchyard.refuse_broken_sequence()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_account_id uuid;
begin
  select i.account_id into v_account_id
  from inserted i
  join switchyard.wallet_accounts a on a.id = i.account_id
  left join switchyard.wallet_entries p
    on p.account_id = i.account_id and p.sequence = i.sequence - 1
  where i.sequence > a.last_sequence
    or (i.sequence > 1 and p.account_id is null)
    or i.balance_micros <> coalesce(p.balance_micros, 0) + i.amount_micros
    or i.created_at < p.created_at
  limit 1;
  if found then
    raise exception 'Cannot post to account %: the entry does not follow the last one', v_account_id
      using errcode = 'check_violation', constraint = 'entries_follow_each_other';
  end if;
  return null;
end;
$$;

-- Refuses the commit of a balance that its entries do not tell.
create or replace function switchyard.refuse_unexplained_balance()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if new.last_sequence = 0 and new.posted_micros = 0 then
    return null;
  end if;
  perform from switchyard.wallet_entries e
  where e.account_id = new.id and e.sequence = new.last_sequence
    and e.balance_micros = new.posted_micros;
  if not found then
    raise exception 'Cannot commit account %: its entries tell another balance', new.id
      using errcode = 'check_violation', constraint = 'balance_is_told_by_entries';
  end if;
  return null;
end;
$$;

drop trigger if exists transfer_has_entries on switchyard.wallet_transfers;
create constraint trigger transfer_has_entries
  after insert on switchyard.wallet_transfers
  deferrable initially deferred
  for each row execute function switchyard.refuse_transfer_without_entries();

create or replace trigger entries_sum_to_zero
  after insert on switchyard.wallet_entries
  referencing new table as inserted
  for each statement execute function switchyard.refuse_unbalanced_entries();

drop trigger if exists balance_is_told_by_entries on switchyard.wallet_accounts;
create constraint trigger balance_is_told_by_entries
  after insert or update of posted_micros, last_sequence on switchyard.wallet_accounts
  deferrable initially deferred
  for each row execute function switchyard.refuse_unexplained_balance();

create or replace trigger entries_follow_each_other
  after insert on switchyard.wallet_entries
  referencing new table as inserted
  for each statement execute function switchyard.refuse_broken_sequence();

create or replace trigger wallet_transfers_are_immutable
  before update or delete on switchyard.wallet_transfers
  for each row execute function switchyard.refuse_change();
create or replace trigger wallet_transfers_are_not_truncated
  before truncate on switchyard.wallet_transfers
  for each statement execute function switchyard.refuse_change();
create or replace trigger wallet_entries_are_immutable
  before update or delete on switchyard.wallet_entries
  for each row execute function switchyard.refuse_change();
create or replace trigger wallet_entries_are_not_truncated
  before truncate on switchyard.wallet_entries
  for each statement execute function switchyard.refuse_change();

alter table switchyard.wallet_transfers enable row level security;
alter table switchyard.wallet_entries enable row level security;

-- Posts one entry an account for a transfer: moves the balances, and writes what moved them. The
-- accounts are locked already, and each is named once. An entry's time is never before that of the one
-- before it, even if the clock was moved back: a period of time is then a range of numbers.
create or replace function switchyard.post_entries(
  transfer_id uuid, account_ids uuid[], amounts_micros bigint[]
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  with leg as (
    select l.account_id, l.amount_micros
    from unnest(post_entries.account_ids, post_entries.amounts_micros)
      as l (account_id, amount_micros)
  ),
  moved as (
    update switchyard.wallet_accounts a
    set posted_micros = a.posted_micros + leg.amount_micros,
        last_sequence = a.last_sequence + 1
    from leg
    where a.id = leg.account_id
    returning a.id as account_id, a.last_sequence, a.posted_micros, leg.amount_micros
  )
  insert into switchyard.wallet_entries
    (account_id, sequence, transfer_id, amount_micros, balance_micros, event_at, created_at)
  select m.account_id, m.last_sequence, t.id, m.amount_micros, m.posted_micros, t.event_at,
         greatest(clock_timestamp(), p.created_at)
  from moved m
  join switchyard.wallet_transfers t on t.id = post_entries.transfer_id
  left join switchyard.wallet_entries p
    on p.account_id = m.account_id and p.sequence = m.last_sequence - 1;
end;
$$;

revoke all on switchyard.wallet_transfers, switchyard.wallet_entries
  from public, anon, authenticated, service_role;
-- The owner too gives up what it never needs. It keeps update on transfers, without which Postgres
-- cannot check the foreign keys that point there; the trigger refuses its use.
revoke delete, truncate on switchyard.wallet_transfers from current_user;
revoke update, delete, truncate on switchyard.wallet_entries from current_user;
revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
