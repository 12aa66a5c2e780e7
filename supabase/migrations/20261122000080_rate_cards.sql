-- What Meta charges for a message, by category, destination market and currency, and when it holds.
-- Prices are imported as a card; one that has been in force is never changed, since messages were
-- charged by it. Locks nothing on a first install. Undo: drop the objects below.

create extension if not exists btree_gist with schema extensions;

create table if not exists switchyard.rate_cards (
  id bigint generated always as identity primary key,
  name text not null,
  row_count integer not null,
  actor jsonb not null,
  imported_at timestamptz not null,
  constraint name_has_1_to_200_characters check (char_length(name) between 1 and 200)
);

-- Which market a recipient belongs to: that of the longest prefix which the number begins with, or of
-- the country with which a business-scoped user id does. The empty prefix is of all that no other has.
create table if not exists switchyard.market_prefixes (
  prefix text primary key,
  market text not null,
  rate_card_id bigint not null references switchyard.rate_cards (id),
  constraint prefix_has_at_most_7_digits_or_names_a_country
    check (prefix ~ '^([1-9][0-9]{0,6}|[A-Z]{2})?$'),
  constraint market_has_1_to_100_characters check (char_length(market) between 1 and 100)
);
create index if not exists market_prefixes_market on switchyard.market_prefixes (market);
create index if not exists market_prefixes_rate_card_id on switchyard.market_prefixes (rate_card_id);

create table if not exists switchyard.rates (
  id bigint generated always as identity primary key,
  currency text not null,
  market text not null,
  category text not null,
  price_micros bigint not null,
  valid tstzrange not null,
  rate_card_id bigint not null references switchyard.rate_cards (id),
  constraint currency_is_an_iso_code check (currency ~ '^[A-Z]{3}$'),
  constraint price_is_not_negative check (price_micros between 0 and 1000000000000),
  constraint rate_is_valid_for_some_time check (not isempty(valid) and not lower_inf(valid)),
  constraint one_price_at_any_time exclude using gist (
    currency with =, market with =, category with =, valid with &&)
);
create index if not exists rates_of_market on switchyard.rates (currency, market, category);
create index if not exists rates_rate_card_id on switchyard.rates (rate_card_id);

alter table switchyard.rate_cards enable row level security;
alter table switchyard.market_prefixes enable row level security;
alter table switchyard.rates enable row level security;

-- The market of a number in E.164 or of a user id; null when no prefix is known for it.
create or replace function switchyard.market_of(recipient text)
returns text
language sql
stable
set search_path = ''
as $$
  select p.market from switchyard.market_prefixes p
  where p.prefix = any (
    case when recipient like '+%'
      then array(select substr(recipient, 2, length) from generate_series(0, 7) as length)
      else array[left(recipient, 2), ''] end)
  order by length(p.prefix) desc
  limit 1;
$$;

-- The categories whose price holds for this one, the first that the card has: Meta prices a reply in
-- the customer window as utility, and a card may leave out what is rarely sent.
create or replace function switchyard.categories_priced_as(category text)
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_category text := replace(
    regexp_replace(category, '^group_', ''), '_international', '-international');
  v_steps text[] := case v_category
    when 'authentication-international' then '{authentication-international,authentication}'
    when 'marketing_lite' then '{marketing_lite,marketing}'
    when 'service' then '{service,utility}'
    when 'referral_conversion' then '{referral_conversion,service,utility}'
    else array[v_category]
  end;
begin
  return case when starts_with(category, 'group_') then array[category] || v_steps else v_steps end;
end;
$$;

-- The price of a message of a category to a market at a moment; no row when no card tells it. In
-- plpgsql, which keeps its plan: it is asked for every delivery.
create or replace function switchyard.rate_at(
  currency text, market text, category text, at timestamptz
)
returns table (price_micros bigint, priced_as text)
language plpgsql
stable
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_step text;
begin
  foreach v_step in array switchyard.categories_priced_as(rate_at.category) loop
    select r.price_micros, r.category into price_micros, priced_as
    from switchyard.rates r
    where r.currency = rate_at.currency and r.market = rate_at.market
      and r.category = v_step and r.valid @> rate_at.at;
    if found then
      return next;
      return;
    end if;
  end loop;
end;
$$;

-- Lays a card beside what is known and says what is wrong with it, by line and column.
-- rows: array of {line, market, prefixes: [..], currency, category, price_micros, valid_from, valid_to?}
create or replace function switchyard.find_card_faults(rows jsonb, at timestamptz)
returns table (line integer, field text, detail text)
language sql
stable
set search_path = ''
as $$
  with card as materialized (
    select r.*, tstzrange(r.valid_from, r.valid_to) as valid
    from jsonb_to_recordset(rows) as r (
      line integer, market text, prefixes jsonb, currency text, category text, price_micros bigint,
      valid_from timestamptz, valid_to timestamptz)
    where r.valid_to is null or r.valid_to > r.valid_from
  ),
  named as (
    select c.line, c.market, p.prefix from card c
    cross join lateral jsonb_array_elements_text(c.prefixes) as p (prefix)
  )
  select c.line, 'valid_from', format('overlaps line %s, which has the same market, category and currency',
    min(other.line))
  from card c
  join card other on other.line < c.line and other.currency = c.currency
    and other.market = c.market and other.category = c.category and other.valid && c.valid
  group by c.line
  union all
  select c.line, 'valid_from', format(
    'would change a price that has been in force since %s; begin in the future',
    to_char(min(lower(r.valid)) at time zone 'utc', 'YYYY-MM-DD'))
  from card c
  join switchyard.rates r on r.currency = c.currency and r.market = c.market
    and r.category = c.category and r.valid && c.valid and r.price_micros <> c.price_micros
    and lower(r.valid * c.valid) < find_card_faults.at
  group by c.line
  union all
  select n.line, 'prefixes', format('%s belongs to %s on line %s',
    coalesce(nullif(n.prefix, ''), '*'), min(other.market), min(other.line))
  from named n
  join named other on other.prefix = n.prefix and other.market <> n.market and other.line < n.line
  group by n.line, n.prefix
  union all
  select min(c.line), 'prefixes', format('%s has no prefixes, neither here nor before', c.market)
  from card c
  where not exists (select from named n where n.market = c.market)
    and not exists (select from switchyard.market_prefixes p where p.market = c.market)
  group by c.market
  order by 1, 2, 3;
$$;

-- Says what a card would change: each price with the one that it replaces, and each prefix that comes
-- to a market or moves there from another.
create or replace function switchyard.compare_card(rows jsonb)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with card as (
    select r.* from jsonb_to_recordset(rows) as r (
      line integer, market text, prefixes jsonb, currency text, category text, price_micros bigint,
      valid_from timestamptz, valid_to timestamptz)
  ),
  compared as (
    select c.*, was.price_micros as was_micros,
      case
        when was.price_micros is null then 'added'
        when was.price_micros = c.price_micros
          and was.valid @> tstzrange(c.valid_from, c.valid_to) then 'unchanged'
        else 'changed'
      end as change
    from card c
    left join switchyard.rates was on was.currency = c.currency and was.market = c.market
      and was.category = c.category and was.valid @> c.valid_from
  ),
  moved as (
    select distinct n.prefix, c.market, p.market as was
    from card c
    cross join lateral jsonb_array_elements_text(c.prefixes) as n (prefix)
    left join switchyard.market_prefixes p on p.prefix = n.prefix
    where p.market is distinct from c.market
  )
  select jsonb_build_object(
    'added', count(*) filter (where change = 'added'),
    'changed', count(*) filter (where change = 'changed'),
    'unchanged', count(*) filter (where change = 'unchanged'),
    'prices', coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'line', line, 'change', change, 'market', market, 'category', category,
      'currency', currency, 'price_micros', price_micros::text, 'was_micros', was_micros::text,
      'valid_from', valid_from, 'valid_to', valid_to)) order by line)
      filter (where change <> 'unchanged'), '[]'),
    'prefixes', (
      select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'prefix', prefix, 'market', market, 'was', was)) order by prefix), '[]')
      from moved))
  from compared;
$$;

-- Lets a price hold from its first moment to its last: what another said of that time gives way, and
-- keeps what is left of its own.
create or replace function switchyard.set_rate(
  currency text, market text, category text, price_micros bigint, valid tstzrange, rate_card_id bigint
)
returns void
language sql
set search_path = ''
as $$
  with replaced as (
    delete from switchyard.rates r
    where r.currency = set_rate.currency and r.market = set_rate.market
      and r.category = set_rate.category and r.valid && set_rate.valid
    returning r.*
  )
  insert into switchyard.rates as r (currency, market, category, price_micros, valid, rate_card_id)
  select o.currency, o.market, o.category, o.price_micros, rest, o.rate_card_id
  from replaced o
  cross join lateral unnest(tstzmultirange(o.valid) - tstzmultirange(set_rate.valid)) as rest;

  insert into switchyard.rates (currency, market, category, price_micros, valid, rate_card_id)
  values (set_rate.currency, set_rate.market, set_rate.category, set_rate.price_micros,
          set_rate.valid, set_rate.rate_card_id);
$$;

-- Imports a card as a whole, or says what is wrong with each of its lines and changes nothing. With
-- dry_run it says what it would change. A card that changes nothing is not kept. A price without a beginning holds from now on.
create or replace function switchyard_api.import_rate_card(
  card jsonb, dry_run boolean, actor jsonb, at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_rows jsonb;
  v_faults jsonb;
  v_changes jsonb;
  v_id bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('switchyard.import_rate_card', 0));
  select jsonb_agg(jsonb_build_object('valid_from', import_rate_card.at) || jsonb_strip_nulls(r.row))
  into v_rows
  from jsonb_array_elements(card -> 'rows') as r (row);
  select jsonb_agg(to_jsonb(f)) into v_faults
  from switchyard.find_card_faults(v_rows, import_rate_card.at) f;
  if v_faults is not null then
    return jsonb_build_object('outcome', 'invalid', 'faults', v_faults);
  end if;
  v_changes := switchyard.compare_card(v_rows);
  if dry_run then
    return jsonb_build_object('outcome', 'previewed') || v_changes;
  elsif v_changes -> 'prices' = '[]' and v_changes -> 'prefixes' = '[]' then
    return jsonb_build_object('outcome', 'unchanged') || v_changes;
  end if;

  insert into switchyard.rate_cards (name, row_count, actor, imported_at)
  values (card ->> 'name', jsonb_array_length(v_rows), import_rate_card.actor,
          import_rate_card.at)
  returning id into v_id;
  insert into switchyard.market_prefixes as p (prefix, market, rate_card_id)
  select distinct n.prefix, r.row ->> 'market', v_id
  from jsonb_array_elements(v_rows) as r (row)
  cross join lateral jsonb_array_elements_text(r.row -> 'prefixes') as n (prefix)
  on conflict (prefix) do update set market = excluded.market, rate_card_id = excluded.rate_card_id
  where p.market <> excluded.market;
  perform switchyard.set_rate(c.currency, c.market, c.category, c.price_micros,
    tstzrange(c.valid_from, c.valid_to), v_id)
  from jsonb_to_recordset(v_changes -> 'prices') as c (
    currency text, market text, category text, price_micros bigint, valid_from timestamptz,
    valid_to timestamptz);

  perform switchyard.write_audit(null, import_rate_card.actor, 'rate_card.imported', v_id::text,
    jsonb_build_object('name', card ->> 'name', 'added', v_changes -> 'added',
      'changed', v_changes -> 'changed'));
  return jsonb_build_object('outcome', 'imported', 'id', v_id) || v_changes;
end;
$$;

-- Lists prices that hold at a moment or later, market by market; the cursor is the last line's id.
create or replace function switchyard_api.list_rates(
  filter jsonb, after_id bigint, page_limit integer, at timestamptz default clock_timestamp()
)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with page as (
    select r.* from switchyard.rates r
    where r.id > after_id
      and not r.valid << tstzrange(list_rates.at, null)
      and (filter ->> 'currency' is null or r.currency = filter ->> 'currency')
      and (filter ->> 'market' is null or r.market = filter ->> 'market')
      and (filter ->> 'category' is null or r.category = filter ->> 'category')
    order by r.id
    limit least(greatest(page_limit, 1), 1000) + 1
  ), shown as (
    select * from page order by id limit least(greatest(page_limit, 1), 1000)
  )
  select jsonb_build_object(
    'rates', coalesce((
      select jsonb_agg(jsonb_build_object('market', market, 'category', category,
        'currency', currency, 'price_micros', price_micros::text, 'valid_from', lower(valid),
        'valid_to', upper(valid), 'rate_card_id', rate_card_id,
        'prefixes', (
          select coalesce(jsonb_agg(p.prefix order by p.prefix), '[]')
          from switchyard.market_prefixes p where p.market = shown.market)) order by id)
      from shown), '[]'),
    'cards', (
      select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name,
        'rows', c.row_count, 'imported_at', c.imported_at) order by c.id desc), '[]')
      from (select * from switchyard.rate_cards order by id desc limit 20) c),
    'next_cursor', case when (select count(*) from page) > (select count(*) from shown)
      then (select max(id)::text from shown) end);
$$;

revoke all on switchyard.rate_cards, switchyard.market_prefixes, switchyard.rates
  from public, anon, authenticated, service_role;
revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
