-- What is due for messages, beside what was charged: it follows from what Meta has reported of them,
-- whatever came first or twice. Locks messages for a moment, to add a column. Undo: drop the table, the
-- column and the functions.

-- What is paid for a message and by whom, as it was accepted: {account_id, currency, market, category,
-- rate_micros}. Null for a message that nobody pays for.
alter table switchyard.messages
  add column if not exists charge jsonb;

-- What was charged, once for each delivery that Meta reported: a message has several when it was sent
-- twice, or to a group.
create table if not exists switchyard.message_charges (
  message_id uuid not null references switchyard.messages (id) on delete restrict,
  wamid text not null,
  recipient text not null,
  account_id uuid not null references switchyard.wallet_accounts (id),
  -- The first movement of money, which later ones correct; null while nothing had to be paid.
  transfer_id uuid references switchyard.wallet_transfers (id),
  amount_micros bigint not null,
  pricing_type text,
  category text not null,
  is_estimated boolean not null,
  delivered_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (message_id, wamid, recipient),
  constraint amount_is_not_negative check (amount_micros >= 0),
  constraint what_costs_has_a_transfer check (amount_micros = 0 or transfer_id is not null)
);
create index if not exists message_charges_account_id on switchyard.message_charges (account_id);
create index if not exists message_charges_transfer_id on switchyard.message_charges (transfer_id);
create index if not exists message_charges_created_at on switchyard.message_charges (created_at);
create index if not exists message_charges_estimated on switchyard.message_charges (created_at)
  where is_estimated;

create or replace trigger message_charges_updated_at before update on switchyard.message_charges
  for each row execute function switchyard.touch_updated_at();

alter table switchyard.message_charges enable row level security;

-- Finds the deliveries that Meta reported of messages, each with the price that it told: on the report
-- of the delivery itself, else on that of the sending. What counts does not depend on the order in which
-- the reports came.
create or replace function switchyard.find_deliveries(message_ids uuid[])
returns table (
  message_id uuid, wamid text, recipient text, delivered_at timestamptz, pricing jsonb
)
language sql
stable
set search_path = ''
as $$
  with report as (
    select t.message_id, t.wamid, t.participant, t.at, t.pricing,
      t.status in ('delivered', 'read', 'played') as is_delivery
    from switchyard.message_statuses t
    where t.message_id = any (message_ids)
      and t.status in ('sent', 'delivered', 'read', 'played')
  )
  select d.message_id, d.wamid, coalesce(d.participant, m.recipient), d.at, told.pricing
  from (
    select r.message_id, r.wamid, r.participant, min(r.at) as at
    from report r
    where r.is_delivery
    group by r.message_id, r.wamid, r.participant
  ) d
  join switchyard.messages m on m.id = d.message_id
  left join lateral (
    select r.pricing from report r
    where r.message_id = d.message_id and r.wamid = d.wamid
      and (r.participant is null or r.participant is not distinct from d.participant)
      and jsonb_typeof(r.pricing) = 'object'
    order by r.is_delivery desc, r.at desc, r.pricing::text
    limit 1
  ) told on true;
$$;

-- Says what is to be paid for a delivery: nothing of a free type, else the card's price for the category
-- that Meta told. Where Meta told none yet, or the card has no price for it, what was reckoned with when
-- the message was accepted is taken for it, and said to be estimated.
-- https://developers.facebook.com/docs/whatsapp/pricing (2026-10)
create or replace function switchyard.price_delivery(
  charge jsonb, pricing jsonb, delivered_at timestamptz,
  out amount_micros bigint, out category text, out pricing_type text, out is_estimated boolean
)
language plpgsql
stable
set search_path = ''
as $$
begin
  pricing_type := pricing ->> 'type';
  category := coalesce(pricing ->> 'category', charge ->> 'category');
  if starts_with(pricing_type, 'free_')
    or pricing_type <> 'regular' and pricing -> 'billable' = 'false'
  then
    amount_micros := 0;
    is_estimated := false;
    return;
  end if;

  select r.price_micros into amount_micros
  from switchyard.rate_at(
    charge ->> 'currency', charge ->> 'market', category, delivered_at) r;
  is_estimated := amount_micros is null or pricing_type is distinct from 'regular'
    or pricing ->> 'category' is null;
  amount_micros := coalesce(amount_micros, (charge ->> 'rate_micros')::bigint);
end;
$$;

-- Lists what the books do not say yet of deliveries of these messages: what is due beside what was
-- charged, in the order of the deliveries.
create or replace function switchyard.find_open_charges(message_ids uuid[])
returns table (
  message_id uuid, wamid text, recipient text, charge jsonb, delivered_at timestamptz,
  amount_micros bigint, category text, pricing_type text, is_estimated boolean,
  charged_micros bigint, transfer_id uuid
)
language sql
stable
set search_path = ''
as $$
  select d.message_id, d.wamid, d.recipient, m.charge, d.delivered_at, due.amount_micros,
    due.category, due.pricing_type, due.is_estimated, done.amount_micros, done.transfer_id
  from switchyard.find_deliveries(message_ids) d
  join switchyard.messages m on m.id = d.message_id
  cross join lateral switchyard.price_delivery(m.charge, d.pricing, d.delivered_at) due
  left join switchyard.message_charges done on done.message_id = d.message_id
    and done.wamid = d.wamid and done.recipient = d.recipient
  where m.charge is not null
    and (done.amount_micros, done.category, done.pricing_type, done.is_estimated)
      is distinct from (due.amount_micros, due.category, due.pricing_type, due.is_estimated)
  order by d.delivered_at, d.message_id, d.wamid, d.recipient;
$$;
-- Tells what a message costs: what is held for it now, what was charged and what was given back, in
-- micro-units. Null for a message that nobody pays for.
create or replace function switchyard.tell_price(message switchyard.messages)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'currency', message.charge -> 'currency',
    'market', message.charge -> 'market',
    'category', coalesce(charged.category, message.charge ->> 'category'),
    'type', charged.pricing_type,
    'estimated', coalesce(charged.is_estimated, false),
    'held_micros', coalesce(held.held_micros, 0)::text,
    'captured_micros', coalesce(charged.amount_micros, 0)::text,
    'released_micros', coalesce(held.released_micros, 0)::text,
    'charges', case when charged.deliveries > 1 then charged.charges end
  ))
  from (
    select sum(h.amount_micros - h.captured_micros - h.released_micros) as held_micros,
      sum(h.released_micros) as released_micros
    from switchyard.wallet_holds h
    where h.message_id = message.id
  ) held
  cross join (
    select sum(c.amount_micros) as amount_micros, bool_or(c.is_estimated) as is_estimated,
      count(*) as deliveries,
      (array_agg(c.category order by c.delivered_at, c.wamid, c.recipient))[1] as category,
      (array_agg(c.pricing_type order by c.delivered_at, c.wamid, c.recipient))[1] as pricing_type,
      jsonb_agg(jsonb_build_object('wamid', c.wamid, 'recipient', c.recipient,
        'captured_micros', c.amount_micros::text, 'category', c.category,
        'estimated', c.is_estimated) order by c.delivered_at, c.wamid, c.recipient) as charges
    from switchyard.message_charges c
    where c.message_id = message.id
  ) charged
  where message.charge is not null;
$$;

revoke all on switchyard.message_charges from public, anon, authenticated, service_role;
revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
