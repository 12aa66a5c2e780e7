-- What the wallet does by itself, every minute. Each job is a transaction of its own, so that the
-- accounts of each are locked in one order. Locks nothing. Undo: unschedule the jobs, drop the
-- functions and the table.

-- Pays debts from what came into the tenant's accounts by other ways than a top-up. Returns how many
-- debts it paid something of.
create or replace function switchyard.repay_debts(account_limit integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_payers uuid[];
  v_debts uuid[];
begin
  select coalesce(array_agg(distinct able.id), '{}'), coalesce(array_agg(distinct able.debt_id), '{}')
  into v_payers, v_debts
  from (
    select a.id, r.id as debt_id
    from switchyard.wallet_accounts r
    join switchyard.wallet_accounts a on a.tenant_id = r.tenant_id and a.currency = r.currency
    where r.kind = 'receivable' and r.posted_micros < 0
      and a.kind = 'cash' and switchyard.available_micros(a) > 0
    limit account_limit
  ) able;
  perform switchyard.lock_wallet_accounts(v_payers || v_debts);
  perform switchyard.repay_debt(payer.id, '{"kind":"tick"}') from unnest(v_payers) as payer (id);
  return cardinality(v_debts);
end;
$$;

select cron.schedule('switchyard-wallet-tick', '* * * * *',
  'select switchyard.expire_holds(clock_timestamp(), 10000)');
select cron.schedule('switchyard-wallet-answers', '*/10 * * * *',
  $$select switchyard.forget_wallet_answers(clock_timestamp() - interval '7 days', 20000)$$);
select cron.schedule('switchyard-wallet-debts', '* * * * *', 'select switchyard.repay_debts(1000)');

-- What was found to be wrong with the books. Found, told and left: a book that repairs itself hides why
-- it was wrong.
create table if not exists switchyard.wallet_findings (
  id bigint generated always as identity primary key,
  rule text not null,
  subject text not null,
  tenant_id uuid references switchyard.tenants (id),
  detail jsonb not null default '{}',
  found_at timestamptz not null,
  last_found_at timestamptz not null,
  gone_at timestamptz,
  constraint found_before_found_again check (last_found_at >= found_at)
);
create unique index if not exists finding_is_open_once
  on switchyard.wallet_findings (rule, subject) where gone_at is null;
create index if not exists wallet_findings_tenant_id on switchyard.wallet_findings (tenant_id);

alter table switchyard.wallet_findings enable row level security;

-- Lists what is wrong with the entries, transfers and balances of accounts that changed since then:
-- each entry follows the one before it in number, balance and time, the account says what its last
-- entry says, and each transfer sums to zero in each currency. So the balance is the sum of all entries.
create or replace function switchyard.find_broken_entries(since timestamptz)
returns table (rule text, subject text, tenant_id uuid, detail jsonb)
language sql
stable
set search_path = ''
as $$
  with changed as materialized (
    select a.* from switchyard.wallet_accounts a where a.updated_at >= since
  ),
  entry as materialized (
    select e.*, c.tenant_id from changed c
    join switchyard.wallet_entries e on e.account_id = c.id and e.created_at >= since
  )
  select 'entries_follow_each_other', e.account_id || ' #' || e.sequence, e.tenant_id,
    jsonb_build_object('balance_micros', e.balance_micros::text,
      'before_micros', p.balance_micros::text, 'amount_micros', e.amount_micros::text)
  from entry e
  left join switchyard.wallet_entries p
    on p.account_id = e.account_id and p.sequence = e.sequence - 1
  where (e.sequence > 1 and p.account_id is null)
    or e.balance_micros <> coalesce(p.balance_micros, 0) + e.amount_micros
    or e.created_at < p.created_at
  union all
  select 'balance_is_told_by_entries', c.id::text, c.tenant_id,
    jsonb_build_object('posted_micros', c.posted_micros::text, 'sequence', c.last_sequence,
      'told_micros', last.balance_micros::text, 'told_sequence', last.sequence)
  from changed c
  left join lateral (
    select e.sequence, e.balance_micros from switchyard.wallet_entries e
    where e.account_id = c.id order by e.sequence desc limit 1
  ) last on true
  where c.posted_micros <> coalesce(last.balance_micros, 0)
    or c.last_sequence <> coalesce(last.sequence, 0)
  union all
  select 'transfer_sums_to_zero', e.transfer_id::text, null,
    jsonb_build_object('currency', a.currency, 'sum_micros', sum(e.amount_micros)::text)
  from switchyard.wallet_entries e
  join switchyard.wallet_accounts a on a.id = e.account_id
  where e.transfer_id in (select entry.transfer_id from entry)
  group by e.transfer_id, a.currency
  having sum(e.amount_micros) <> 0;
$$;

-- Lists what is wrong with the books as a whole: every currency sums to zero, no account owes more than
-- it may, and no hold stays open an hour after its time.
create or replace function switchyard.find_broken_totals(at timestamptz)
returns table (rule text, subject text, tenant_id uuid, detail jsonb)
language sql
stable
set search_path = ''
as $$
  select 'currency_sums_to_zero', a.currency, null::uuid,
    jsonb_build_object('sum_micros', sum(a.posted_micros)::text)
  from switchyard.wallet_accounts a
  group by a.currency
  having sum(a.posted_micros) <> 0
  union all
  select 'account_is_not_overdrawn', a.id::text, a.tenant_id,
    jsonb_build_object('posted_micros', a.posted_micros::text, 'held_micros', a.held_micros::text)
  from switchyard.wallet_accounts a
  where a.posted_micros - a.held_micros < -a.credit_limit_micros
  union all
  select 'hold_has_not_expired', h.id::text, a.tenant_id,
    jsonb_build_object('expires_at', h.expires_at)
  from switchyard.wallet_holds h
  join switchyard.wallet_accounts a on a.id = h.account_id
  where h.status = 'open' and h.expires_at < find_broken_totals.at - interval '1 hour';
$$;

-- Lists what is wrong with holds: an account holds what its open holds hold, and a hold has captured
-- what its captures say. Reads every hold there ever was.
create or replace function switchyard.find_broken_holds()
returns table (rule text, subject text, tenant_id uuid, detail jsonb)
language sql
stable
set search_path = ''
as $$
  select 'held_is_told_by_holds', a.id::text, a.tenant_id,
    jsonb_build_object('held_micros', a.held_micros::text, 'told_micros', coalesce(open.held, 0)::text)
  from switchyard.wallet_accounts a
  left join (
    select h.account_id, sum(h.amount_micros - h.captured_micros - h.released_micros) as held
    from switchyard.wallet_holds h where h.status = 'open' group by h.account_id
  ) open on open.account_id = a.id
  where a.held_micros <> coalesce(open.held, 0)
  union all
  select 'captured_is_told_by_captures', h.id::text, a.tenant_id,
    jsonb_build_object('captured_micros', h.captured_micros::text,
      'told_micros', coalesce(taken.amount, 0)::text)
  from switchyard.wallet_holds h
  join switchyard.wallet_accounts a on a.id = h.account_id
  left join (
    select t.hold_id, sum(e.amount_micros) as amount
    from switchyard.wallet_transfers t
    join switchyard.wallet_entries e on e.transfer_id = t.id and e.amount_micros > 0
    where t.kind = 'capture'
    group by t.hold_id
  ) taken on taken.hold_id = h.id
  where h.captured_micros <> coalesce(taken.amount, 0);
$$;

-- Writes down what was found: a finding that stands already is seen again.
create or replace function switchyard.write_findings(found jsonb, at timestamptz)
returns void
language sql
set search_path = ''
as $$
  insert into switchyard.wallet_findings as w
    (rule, subject, tenant_id, detail, found_at, last_found_at)
  select f.rule, f.subject, f.tenant_id, f.detail, write_findings.at,
         write_findings.at
  from jsonb_to_recordset(found) as f (rule text, subject text, tenant_id uuid, detail jsonb)
  on conflict (rule, subject) where gone_at is null
  do update set last_found_at = greatest(w.found_at, excluded.last_found_at), detail = excluded.detail;
$$;

-- Proves the books, writes down what does not hold and warns of it; it repairs nothing. With `since` it
-- reads what changed from then on; without, everything there ever was, and what is found no more is
-- marked so. Returns how many rules are broken now.
create or replace function switchyard.check_wallet_invariants(
  since timestamptz default '-infinity', at timestamptz default clock_timestamp()
)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_found jsonb;
begin
  -- One statement sees one moment, in which all rules hold together.
  select coalesce(jsonb_agg(f), '[]') into v_found
  from (
    select * from switchyard.find_broken_entries(check_wallet_invariants.since)
    union all
    select * from switchyard.find_broken_totals(check_wallet_invariants.at)
    union all
    select * from switchyard.find_unapplied_notices(check_wallet_invariants.at)
    union all
    select f.* from switchyard.find_broken_holds() f where since = '-infinity'
    union all
    select f.* from switchyard.find_broken_seals(0, 9223372036854775806) f
    where since = '-infinity'
    union all
    select * from switchyard.find_broken_charges(
      check_wallet_invariants.since, check_wallet_invariants.at)
    union all
    select f.* from switchyard.find_uncharged_messages(check_wallet_invariants.at) f
    where since = '-infinity'
    union all
    select f.* from switchyard.find_standing_differences() f where since = '-infinity'
  ) f;

  perform switchyard.write_findings(v_found, check_wallet_invariants.at);

  update switchyard.wallet_findings w
  set gone_at = check_wallet_invariants.at
  where w.gone_at is null and check_wallet_invariants.since = '-infinity'
    and not exists (
      select from jsonb_to_recordset(v_found) as f (rule text, subject text)
      where f.rule = w.rule and f.subject = w.subject);

  if v_found <> '[]' then
    raise warning 'wallet: % broken rules, the first: %', jsonb_array_length(v_found), v_found -> 0;
  end if;
  return jsonb_array_length(v_found);
end;
$$;

-- Lists findings that still stand, the newest first.
create or replace function switchyard_api.list_wallet_findings(page_limit integer)
returns table (
  id bigint, rule text, subject text, tenant_id uuid, detail jsonb, found_at timestamptz,
  last_found_at timestamptz
)
language sql
stable
security definer
set search_path = ''
as $$
  select w.id, w.rule, w.subject, w.tenant_id, w.detail, w.found_at, w.last_found_at
  from switchyard.wallet_findings w
  where w.gone_at is null
  order by w.id desc
  limit greatest(1, least(page_limit, 1000));
$$;

select cron.schedule('switchyard-wallet-checks', '* * * * *',
  $$select switchyard.check_wallet_invariants(clock_timestamp() - interval '10 minutes')$$);
select cron.schedule('switchyard-wallet-proof', '41 2 * * *',
  'select switchyard.check_wallet_invariants()');

revoke all on switchyard.wallet_findings from public, anon, authenticated, service_role;
revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
