-- Looking back: what an account had at any moment, and what happened to it in a period. Times are those
-- at which entries were recorded, which never run backwards in an account. Locks nothing.
-- Undo: drop the functions.

-- The number of the last entry recorded before this moment, 0 when there was none.
create or replace function switchyard.last_entry_before(account_id uuid, at timestamptz)
returns bigint
language sql
stable
set search_path = ''
as $$
  select coalesce((
    select e.sequence from switchyard.wallet_entries e
    where e.account_id = last_entry_before.account_id and e.created_at < last_entry_before.at
    order by e.created_at desc, e.sequence desc
    limit 1), 0);
$$;

-- What an account had once this many entries were posted.
create or replace function switchyard.balance_after(account_id uuid, sequence bigint)
returns bigint
language sql
stable
set search_path = ''
as $$
  select coalesce((
    select e.balance_micros from switchyard.wallet_entries e
    where e.account_id = balance_after.account_id and e.sequence = balance_after.sequence), 0);
$$;

-- What an account had at a moment, with all that was recorded before it.
create or replace function switchyard.balance_at(account_id uuid, at timestamptz)
returns bigint
language sql
stable
set search_path = ''
as $$
  select switchyard.balance_after(balance_at.account_id,
    switchyard.last_entry_before(balance_at.account_id, balance_at.at));
$$;

-- Tells an entry with what it belongs to.
create or replace function switchyard.tell_entry(entry switchyard.wallet_entries)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('sequence', entry.sequence, 'recorded_at', entry.created_at,
    'event_at', entry.event_at, 'transfer_id', t.id, 'kind', t.kind, 'payment_id', t.payment_id,
    'hold_id', t.hold_id, 'message_id', h.message_id, 'reference', t.reference,
    'amount_micros', entry.amount_micros::text, 'balance_micros', entry.balance_micros::text)
  from switchyard.wallet_transfers t
  left join switchyard.wallet_holds h on h.id = t.hold_id
  where t.id = entry.transfer_id;
$$;

-- Tells what happened to an account of the tenant from one moment until before another, a page at a
-- time: opening_micros and the amounts of the page add up to closing_micros, with which the next opens.
-- after_sequence is the next_sequence of the page before.
create or replace function switchyard_api.read_wallet_statement(
  tenant_id uuid, account_id uuid, page_limit integer, after_sequence bigint default 0,
  from_at timestamptz default '-infinity', to_at timestamptz default 'infinity'
)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with account as (
    select a.id, a.currency, a.name,
      greatest(after_sequence, switchyard.last_entry_before(a.id, from_at)) as start,
      switchyard.last_entry_before(a.id, to_at) as stop
    from switchyard.wallet_accounts a
    where a.id = read_wallet_statement.account_id and a.tenant_id = read_wallet_statement.tenant_id
  ),
  page as (
    select account.*, greatest(account.start,
      least(account.stop, account.start + greatest(1, least(page_limit, 1000)))) as last_sequence
    from account
  )
  select coalesce(
    (
      select jsonb_build_object('outcome', 'found', 'id', page.id, 'currency', page.currency,
        'name', page.name, 'from', nullif(from_at, '-infinity'), 'to', nullif(to_at, 'infinity'),
        'opening_micros', switchyard.balance_after(page.id, page.start)::text,
        'closing_micros', switchyard.balance_after(page.id, page.last_sequence)::text,
        'checkpoint', switchyard.tell_checkpoint(page.id, greatest(page.last_sequence, 1)),
        'next_sequence', case when page.last_sequence < page.stop then page.last_sequence end,
        'entries', (
          select coalesce(jsonb_agg(switchyard.tell_entry(e) order by e.sequence), '[]')
          from switchyard.wallet_entries e
          where e.account_id = page.id
            and e.sequence > page.start and e.sequence <= page.last_sequence))
      from page
    ),
    jsonb_build_object('outcome', 'unknown_account', 'field', 'account_id')
  );
$$;

-- Tells what an account of the tenant had at any moment of the past.
create or replace function switchyard_api.read_wallet_balance(
  tenant_id uuid, account_id uuid, at timestamptz
)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(
    (
      select jsonb_build_object('outcome', 'found', 'id', a.id, 'currency', a.currency,
        'at', read_wallet_balance.at,
        'posted_micros', switchyard.balance_at(a.id, read_wallet_balance.at)::text)
      from switchyard.wallet_accounts a
      where a.id = read_wallet_balance.account_id
        and a.tenant_id = read_wallet_balance.tenant_id
    ),
    jsonb_build_object('outcome', 'unknown_account', 'field', 'account_id')
  );
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
