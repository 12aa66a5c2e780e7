-- What Meta itself has counted, held against what was charged: an operator hands in the answer of a
-- business account's pricing_analytics for a period, and where the two differ is a finding. Nothing is
-- repaired by it.
-- Locks message_charges for a moment, to add an index. Undo: drop the table, index and functions.

-- The last answer for each account and period; points as Meta told them, without their country and tier.
create table if not exists switchyard.wallet_meta_analytics (
  business_account_id text not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  -- That of the account at Meta, where amounts are to be compared.
  currency text,
  -- {phone_number?, category, type, volume, cost_micros?}
  points jsonb not null,
  received_at timestamptz not null,
  primary key (business_account_id, starts_at, ends_at),
  constraint starts_before_it_ends check (starts_at < ends_at),
  constraint points_are_a_list check (jsonb_typeof(points) = 'array')
);
alter table switchyard.wallet_meta_analytics enable row level security;

-- Charges are written nearly in the order of their deliveries: a small index finds a period.
create index if not exists message_charges_delivered_at
  on switchyard.message_charges using brin (delivered_at) with (autosummarize = on);

-- So near to a period's beginning or end a message may count on either side of it, since Meta does not
-- say by which of its times it counts.
create or replace function switchyard.analytics_edge()
returns interval
language sql
immutable
set search_path = ''
as $$ select interval '15 minutes'; $$;

-- So much may the amount of a point be off: Meta calls it approximate.
create or replace function switchyard.analytics_rounding_micros()
returns bigint
language sql
immutable
set search_path = ''
as $$ select 5000::bigint; $$;

-- What the findings of an answer begin with.
create or replace function switchyard.name_analytics(answer jsonb)
returns text
language sql
stable
set search_path = ''
as $$
  select (answer ->> 'business_account_id') || ' ' ||
    to_char((answer ->> 'starts_at')::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    || '/' ||
    to_char((answer ->> 'ends_at')::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    || ' ';
$$;

-- Lists the numbers of an account of which Meta told or that belong to it here, and why one of them
-- cannot be compared. An answer that names no numbers is about all of the account's together.
create or replace function switchyard.analytics_senders(answer jsonb)
returns table (sender_id uuid, tenant_id uuid, sender text, told_as text, obstacle text)
language sql
stable
set search_path = ''
as $$
  with told as (
    select distinct p.phone_number
    from jsonb_to_recordset(answer -> 'points') as p (phone_number text)
  ),
  scope as (
    select not exists (select from told where told.phone_number is null) as is_by_number
  ),
  ours as (
    -- A number that was registered again has another id; Meta counts by the number.
    select s.id, s.tenant_id, s.phone_number_id, s.digits, t.billing = 'prepaid' as pays,
      min(s.phone_number_id) over (partition by s.digits) as sender
    from (
      select *, regexp_replace(s.display_phone_number, '\D', '', 'g') as digits
      from switchyard.senders s
      where s.business_account_id = answer ->> 'business_account_id'
    ) s
    join switchyard.tenants t on t.id = s.tenant_id
  )
  select o.id, o.tenant_id, case when scope.is_by_number then o.sender end, told.phone_number,
    case when not bool_and(o.pays) over (partition by case when scope.is_by_number then o.sender end)
      then 'nobody_pays' end
  from scope
  cross join ours o
  left join told on told.phone_number in (o.digits, o.phone_number_id)
  union all
  select null, null, null, told.phone_number, 'unknown_phone_number'
  from told
  where told.phone_number is not null
    and not exists (
      select from ours where told.phone_number in (ours.digits, ours.phone_number_id));
$$;

-- Holds what Meta counted against what was charged, by sender, category and type, each worded as a finding
-- in case that the two differ. What was delivered at an edge of the period may be missing or be there.
create or replace function switchyard.compare_analytics(answer jsonb)
returns table (
  rule text, subject text, tenant_id uuid, detail jsonb, is_different boolean
)
language sql
stable
set search_path = ''
as $$
  with period as materialized (
    select (answer ->> 'starts_at')::timestamptz as starts_at,
      (answer ->> 'ends_at')::timestamptz as ends_at,
      answer ->> 'currency' as currency, switchyard.analytics_edge() as edge
  ),
  sender as materialized (
    select * from switchyard.analytics_senders(answer) s where s.obstacle is null
  ),
  point as (
    select coalesce(s.sender, '') as sender, p.category, p.type, p.volume, p.cost_micros
    from jsonb_to_recordset(answer -> 'points') as p (
      phone_number text, category text, type text, volume bigint, cost_micros bigint)
    join (select distinct s.sender, s.told_as from sender s) s
      on s.told_as is not distinct from p.phone_number
  ),
  told as (
    select p.sender, p.category, p.type, sum(p.volume)::bigint as volume,
      case when bool_and(p.cost_micros is not null) then sum(p.cost_micros)::bigint end as micros,
      count(*) * switchyard.analytics_rounding_micros() as rounding
    from point p
    group by p.sender, p.category, p.type
  ),
  charge as (
    select coalesce(s.sender, '') as sender, replace(c.category, '-', '_') as category,
      coalesce(c.pricing_type, 'regular') as type, c.amount_micros,
      a.currency is not distinct from period.currency as is_in_currency,
      c.delivered_at >= period.starts_at and c.delivered_at < period.ends_at as is_within,
      c.delivered_at >= period.starts_at + period.edge
        and c.delivered_at < period.ends_at - period.edge as is_well_within
    from period
    join switchyard.message_charges c on c.delivered_at >= period.starts_at - period.edge
      and c.delivered_at < period.ends_at + period.edge
    join switchyard.messages m on m.id = c.message_id
    join (select distinct s.sender_id, s.sender from sender s) s on s.sender_id = m.sender_id
    join switchyard.wallet_accounts a on a.id = c.account_id
  ),
  charged as (
    select c.sender, c.category, c.type, bool_and(c.is_in_currency) as is_in_currency,
      count(*) filter (where c.is_within) as volume,
      count(*) filter (where c.is_well_within) as least_volume,
      count(*) as most_volume,
      sum(c.amount_micros) filter (where c.is_within) as micros,
      sum(c.amount_micros) filter (where c.is_well_within) as least_micros,
      sum(c.amount_micros) as most_micros
    from charge c
    group by c.sender, c.category, c.type
  ),
  pair as (
    select coalesce(t.sender, c.sender) as sender, coalesce(t.category, c.category) as category,
      coalesce(t.type, c.type) as type, coalesce(t.volume, 0) as meta_volume,
      coalesce(c.volume, 0) as our_volume, coalesce(c.least_volume, 0) as least_volume,
      coalesce(c.most_volume, 0) as most_volume,
      case when period.currency is not null and coalesce(c.is_in_currency, true)
        then t.micros end as meta_micros,
      coalesce(c.micros, 0)::bigint as our_micros,
      coalesce(c.least_micros, 0) - t.rounding as least_micros,
      coalesce(c.most_micros, 0) + t.rounding as most_micros
    from told t
    full join charged c on c.sender = t.sender and c.category = t.category and c.type = t.type
    cross join period
  )
  select 'meta_counts_what_is_charged',
    switchyard.name_analytics(answer) || coalesce(nullif(p.sender, ''), 'all') || ' ' || p.category
      || ' ' || p.type,
    (select s.tenant_id from sender s where s.sender = p.sender limit 1),
    jsonb_strip_nulls(jsonb_build_object('sender', nullif(p.sender, ''), 'category', p.category,
      'type', p.type, 'meta_volume', p.meta_volume, 'our_volume', p.our_volume,
      'meta_micros', p.meta_micros::text,
      'our_micros', case when p.meta_micros is not null then p.our_micros::text end)),
    p.meta_volume not between p.least_volume and p.most_volume
      or coalesce(p.meta_micros not between p.least_micros and p.most_micros, false)
  from pair p
  where p.meta_volume > 0 or p.our_volume > 0 or p.meta_micros > 0;
$$;

-- Looks again where Meta's answers differed when they were last looked at: what came late may have
-- settled it. An answer that agreed is not read again.
create or replace function switchyard.find_standing_differences()
returns table (rule text, subject text, tenant_id uuid, detail jsonb)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select c.rule, c.subject, c.tenant_id, c.detail
  from switchyard.wallet_meta_analytics a
  cross join lateral switchyard.compare_analytics(to_jsonb(a)) c
  where c.is_different and exists (
    select from switchyard.wallet_findings w
    where w.gone_at is null and w.rule = 'meta_counts_what_is_charged'
      and starts_with(w.subject, switchyard.name_analytics(to_jsonb(a))));
end;
$$;

-- Keeps an answer of Meta's in the place of an earlier one for the account and period, and says where it
-- differs from what was charged; what differs is a finding, what no longer does is one that is gone.
-- With dry_run it only says.
create or replace function switchyard_api.compare_meta_analytics(
  answer jsonb, dry_run boolean, actor jsonb, at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_account text := answer ->> 'business_account_id';
  v_compared bigint;
  v_found jsonb;
  v_told jsonb;
begin
  if not exists (select from switchyard.senders s where s.business_account_id = v_account) then
    return jsonb_build_object('outcome', 'unknown_business_account');
  end if;
  perform pg_advisory_xact_lock(hashtextextended('switchyard.compare_meta_analytics', 0));

  select count(*), coalesce(jsonb_agg(c order by c.subject) filter (where c.is_different), '[]')
  into v_compared, v_found
  from switchyard.compare_analytics(answer) c;
  select jsonb_build_object('compared', v_compared,
    'differences', coalesce((
      select jsonb_agg(f.finding -> 'detail') from jsonb_array_elements(v_found) as f (finding)), '[]'),
    'not_compared', coalesce((
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('sender', n.sender,
        'phone_number', n.told_as, 'reason', n.obstacle)) order by n.obstacle, n.sender, n.told_as)
      from (
        select distinct s.sender, s.told_as, s.obstacle
        from switchyard.analytics_senders(answer) s where s.obstacle is not null
      ) n), '[]'))
  into v_told;
  if dry_run then
    return jsonb_build_object('outcome', 'previewed') || v_told;
  end if;

  insert into switchyard.wallet_meta_analytics as w
    (business_account_id, starts_at, ends_at, currency, points, received_at)
  values (v_account, (answer ->> 'starts_at')::timestamptz, (answer ->> 'ends_at')::timestamptz,
          answer ->> 'currency', answer -> 'points', compare_meta_analytics.at)
  on conflict (business_account_id, starts_at, ends_at) do update
  set currency = excluded.currency, points = excluded.points, received_at = excluded.received_at;
  perform switchyard.write_findings(v_found, compare_meta_analytics.at);
  update switchyard.wallet_findings w
  set gone_at = compare_meta_analytics.at
  where w.gone_at is null and w.rule = 'meta_counts_what_is_charged'
    and starts_with(w.subject, switchyard.name_analytics(answer))
    and not exists (
      select from jsonb_to_recordset(v_found) as f (subject text) where f.subject = w.subject);
  perform switchyard.write_audit(null, compare_meta_analytics.actor, 'meta_analytics.compared',
    v_account, jsonb_build_object('starts_at', answer -> 'starts_at', 'ends_at', answer -> 'ends_at',
      'compared', v_told -> 'compared', 'differences', jsonb_array_length(v_found)));
  return jsonb_build_object('outcome', 'compared') || v_told;
end;
$$;

revoke all on switchyard.wallet_meta_analytics from public, anon, authenticated, service_role;
revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
