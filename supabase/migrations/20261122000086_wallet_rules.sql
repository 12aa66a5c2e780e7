-- What the owner of an account may ask of it: to be warned when it runs low, not to spend more than so
-- much in a day, and to be asked for a top-up. Locks nothing on a first install. Undo: drop the
-- objects below.

-- Warns once when a commit leaves less than the threshold, and again only after the balance was above
-- the other. Judged at the commit, as a capture moves a balance twice.
create or replace function switchyard.follow_low_balance()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_account switchyard.wallet_accounts;
  v_available bigint;
begin
  select * into strict v_account from switchyard.wallet_accounts a where a.id = new.id;
  v_available := switchyard.available_micros(v_account);
  if v_account.is_low and v_available >= v_account.recovered_above_micros then
    update switchyard.wallet_accounts a set is_low = false where a.id = new.id;
  elsif not v_account.is_low and v_available < v_account.low_below_micros then
    update switchyard.wallet_accounts a set is_low = true where a.id = new.id;
    perform switchyard.emit_callbacks(jsonb_build_array(jsonb_build_object(
      'tenant_id', v_account.tenant_id,
      'type', 'wallet.low',
      'order_key', 'wallet:' || v_account.id,
      'data', jsonb_build_object('account_id', v_account.id, 'currency', v_account.currency,
        'available_micros', v_available::text,
        'low_below_micros', v_account.low_below_micros::text,
        'recovered_above_micros', v_account.recovered_above_micros::text))), clock_timestamp());
  end if;
  return null;
end;
$$;

drop trigger if exists low_balance_is_told on switchyard.wallet_accounts;
create constraint trigger low_balance_is_told
  after update of posted_micros, held_micros, credit_limit_micros, low_below_micros,
    recovered_above_micros
  on switchyard.wallet_accounts
  deferrable initially deferred
  for each row
  when (new.low_below_micros is not null)
  execute function switchyard.follow_low_balance();

-- When an account wants to be topped up, and what keeps a mistake from asking for ever.
create table if not exists switchyard.wallet_top_up_rules (
  account_id uuid primary key references switchyard.wallet_accounts (id),
  below_micros bigint not null,
  amount_micros bigint not null,
  max_per_day integer not null default 3,
  cool_down_seconds integer not null default 3600,
  updated_at timestamptz not null default now(),
  constraint below_is_not_negative check (below_micros >= 0),
  constraint amount_is_positive check (amount_micros > 0),
  constraint asks_1_to_24_times_a_day check (max_per_day between 1 and 24),
  constraint cools_down_for_a_minute_to_a_day check (cool_down_seconds between 60 and 86400)
);

-- What was asked for; the next top-up of the account answers it, and after a day nobody will.
create table if not exists switchyard.wallet_top_up_requests (
  id uuid primary key default switchyard.new_id(),
  account_id uuid not null references switchyard.wallet_accounts (id),
  amount_micros bigint not null,
  asked_at timestamptz not null,
  closed_at timestamptz,
  transfer_id uuid references switchyard.wallet_transfers (id),
  constraint answered_when_closed check (transfer_id is null or closed_at is not null)
);
create unique index if not exists one_request_of_an_account_at_a_time
  on switchyard.wallet_top_up_requests (account_id) where closed_at is null;
create index if not exists wallet_top_up_requests_account_id
  on switchyard.wallet_top_up_requests (account_id, asked_at);
create index if not exists wallet_top_up_requests_transfer_id
  on switchyard.wallet_top_up_requests (transfer_id) where transfer_id is not null;

alter table switchyard.wallet_top_up_rules enable row level security;
alter table switchyard.wallet_top_up_requests enable row level security;

-- Asks the owners of accounts that are below what they chose for a top-up: one request at a time, not
-- within the cool-down, and so often a day at most. Returns how many it asked.
create or replace function switchyard.want_top_ups(at timestamptz, account_limit integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_events jsonb;
begin
  update switchyard.wallet_top_up_requests r
  set closed_at = want_top_ups.at
  where r.closed_at is null and r.asked_at <= want_top_ups.at - interval '1 day';

  with asked as (
    insert into switchyard.wallet_top_up_requests (account_id, amount_micros, asked_at)
    select a.id, rule.amount_micros, want_top_ups.at
    from switchyard.wallet_top_up_rules rule
    join switchyard.wallet_accounts a on a.id = rule.account_id
    cross join lateral (
      select max(r.asked_at) as last_at,
        count(*) filter (where r.asked_at > want_top_ups.at - interval '1 day') as in_a_day
      from switchyard.wallet_top_up_requests r
      where r.account_id = a.id
    ) earlier
    where switchyard.available_micros(a) < rule.below_micros
      and (earlier.last_at is null
        or earlier.last_at <= want_top_ups.at - make_interval(secs => rule.cool_down_seconds))
      and earlier.in_a_day < rule.max_per_day
    order by a.id
    limit account_limit
    on conflict (account_id) where closed_at is null do nothing
    returning *
  )
  select jsonb_agg(jsonb_build_object(
      'tenant_id', a.tenant_id,
      'type', 'wallet.top_up_wanted',
      'order_key', 'wallet:' || a.id,
      'key', 'wallet.top_up_wanted:' || asked.id,
      'data', jsonb_build_object('request_id', asked.id, 'account_id', a.id,
        'currency', a.currency, 'amount_micros', asked.amount_micros::text,
        'available_micros', switchyard.available_micros(a)::text)))
  into v_events
  from asked
  join switchyard.wallet_accounts a on a.id = asked.account_id;

  if v_events is null then
    return 0;
  end if;
  perform switchyard.emit_callbacks(v_events, want_top_ups.at);
  return jsonb_array_length(v_events);
end;
$$;

-- Closes what the account asked for: money has come.
create or replace function switchyard.answer_top_up_request(account_id uuid, transfer_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update switchyard.wallet_top_up_requests r
  set closed_at = clock_timestamp(),
      transfer_id = answer_top_up_request.transfer_id
  where r.account_id = answer_top_up_request.account_id and r.closed_at is null;
end;
$$;

-- Tells the rules of an account of the tenant.
create or replace function switchyard_api.get_wallet_rules(
  tenant_id uuid, account_id uuid, at timestamptz default clock_timestamp()
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
        'low_below_micros', a.low_below_micros::text,
        'recovered_above_micros', a.recovered_above_micros::text,
        'is_low', a.is_low,
        'day_limit_micros', a.day_limit_micros::text,
        'spent_micros', switchyard.spent_today(a, get_wallet_rules.at)::text,
        'top_up', (
          select jsonb_build_object('below_micros', r.below_micros::text,
            'amount_micros', r.amount_micros::text, 'max_per_day', r.max_per_day,
            'cool_down_seconds', r.cool_down_seconds)
          from switchyard.wallet_top_up_rules r where r.account_id = a.id))
      from switchyard.wallet_accounts a
      where a.id = get_wallet_rules.account_id and a.tenant_id = get_wallet_rules.tenant_id
        and a.kind = 'cash'
    ),
    jsonb_build_object('outcome', 'unknown_account', 'field', 'account_id')
  );
$$;

-- Changes those rules of an account that are named, to null for none, and tells all of them. Other
-- thresholds than before warn anew. What was spent counts from the moment at which there is a limit.
-- rules: {low_below_micros, recovered_above_micros}, {day_limit_micros} or {top_up: {below_micros,
-- amount_micros, max_per_day, cool_down_seconds}}, one or several of them.
create or replace function switchyard_api.set_wallet_rules(
  tenant_id uuid, account_id uuid, rules jsonb, actor jsonb
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_account switchyard.wallet_accounts;
begin
  select * into v_account from switchyard.wallet_accounts a
  where a.id = set_wallet_rules.account_id and a.tenant_id = set_wallet_rules.tenant_id
    and a.kind = 'cash'
  for no key update;
  if not found then
    return jsonb_build_object('outcome', 'unknown_account', 'field', 'account_id');
  end if;

  if rules ? 'low_below_micros' and (
    (v_account.low_below_micros, v_account.recovered_above_micros) is distinct from
    ((rules ->> 'low_below_micros')::bigint, (rules ->> 'recovered_above_micros')::bigint))
  then
    update switchyard.wallet_accounts a
    set is_low = false,
        low_below_micros = (rules ->> 'low_below_micros')::bigint,
        recovered_above_micros = (rules ->> 'recovered_above_micros')::bigint
    where a.id = v_account.id;
  end if;
  if rules ? 'day_limit_micros' then
    update switchyard.wallet_accounts a
    set day_limit_micros = (rules ->> 'day_limit_micros')::bigint,
        spent_micros = case when a.day_limit_micros is null then 0 else a.spent_micros end
    where a.id = v_account.id;
  end if;
  if rules -> 'top_up' = 'null' then
    delete from switchyard.wallet_top_up_rules r where r.account_id = v_account.id;
  elsif rules ? 'top_up' then
    insert into switchyard.wallet_top_up_rules as r
      (account_id, below_micros, amount_micros, max_per_day, cool_down_seconds)
    select v_account.id, t.below_micros, t.amount_micros, t.max_per_day, t.cool_down_seconds
    from jsonb_to_record(rules -> 'top_up') as t (
      below_micros bigint, amount_micros bigint, max_per_day integer, cool_down_seconds integer)
    on conflict on constraint wallet_top_up_rules_pkey do update
    set below_micros = excluded.below_micros,
        amount_micros = excluded.amount_micros,
        max_per_day = excluded.max_per_day,
        cool_down_seconds = excluded.cool_down_seconds,
        updated_at = now();
  end if;

  perform switchyard.write_audit(v_account.tenant_id, actor, 'wallet.rules_set',
    v_account.id::text, rules);
  return switchyard_api.get_wallet_rules(v_account.tenant_id, v_account.id);
end;
$$;

select cron.schedule('switchyard-wallet-top-ups', '* * * * *',
  'select switchyard.want_top_ups(clock_timestamp(), 1000)');

revoke all on switchyard.wallet_top_up_rules, switchyard.wallet_top_up_requests
  from public, anon, authenticated, service_role;
revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
