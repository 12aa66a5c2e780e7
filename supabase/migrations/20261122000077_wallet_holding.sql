-- The life of a hold: money is set aside, captured in one part or several, and the rest is released or
-- expires. Locks are taken in one order everywhere: keys, then holds by id, then accounts by id.
-- Locks nothing. Undo: drop the functions.

-- Tells, for each of these amounts in turn, what those before it have taken of what is available. Each
-- takes its amount if that is covered: many at once are decided as they would be one after the other,
-- and one that is too large takes nothing from those behind it.
create or replace function switchyard.spend_in_turn(amounts_micros bigint[], available_micros bigint)
returns bigint[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_spent bigint := 0;
  v_amount bigint;
  v_spent_before bigint[] := '{}';
begin
  foreach v_amount in array amounts_micros loop
    v_spent_before := v_spent_before || v_spent;
    if v_spent + v_amount <= available_micros then
      v_spent := v_spent + v_amount;
    end if;
  end loop;
  return v_spent_before;
end;
$$;

-- Says why no hold may be placed in this currency by a tenant that owes money; null when it owes none.
create or replace function switchyard.refuse_debtor(tenant_id uuid, currency text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('outcome', 'debt_outstanding', 'currency', a.currency,
    'owed_micros', (-a.posted_micros)::text)
  from switchyard.wallet_accounts a
  where a.id = switchyard.receivable_account(refuse_debtor.tenant_id, refuse_debtor.currency)
    and a.posted_micros < 0;
$$;

-- Sets money aside for many things in one statement and answers each by its index, as if they had come
-- one after the other in that order. For callers with keys of their own in the same transaction.
-- holds: array of {index, account_id, amount_micros, currency, expires_at?, message_id?, detail?}.
create or replace function switchyard.place_holds(
  tenant_id uuid, holds jsonb, actor jsonb, at timestamptz
)
returns table (index integer, answer jsonb)
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
begin
  perform switchyard.read_amount_micros(h.hold)
  from jsonb_array_elements(place_holds.holds) as h (hold)
  where ((h.hold ->> 'amount_micros')::bigint between 1 and 1000000000000000000) is not true;

  perform switchyard.lock_wallet_accounts(array(
    select distinct a.id
    from jsonb_to_recordset(place_holds.holds) as h (account_id uuid)
    join switchyard.wallet_accounts a
      on a.id = h.account_id and a.tenant_id = place_holds.tenant_id));

  return query
  with asked as materialized (
    select h.*
    from jsonb_to_recordset(place_holds.holds) as h (
      index integer, account_id uuid, amount_micros bigint, currency text,
      expires_at timestamptz, message_id uuid, detail jsonb)
  ),
  term as materialized (
    select pair.account_id, pair.currency, switchyard.available_micros(a) as available_micros,
      coalesce(
        switchyard.refuse_account(a, place_holds.tenant_id, pair.currency, 'account_id'),
        switchyard.refuse_debtor(place_holds.tenant_id, pair.currency)) as refusal
    from (select distinct asked.account_id, asked.currency from asked) pair
    left join switchyard.wallet_accounts a on a.id = pair.account_id
  ),
  judged as materialized (
    select asked.*, term.available_micros,
      case
        when term.refusal is not null then term.refusal
        when asked.expires_at <= place_holds.at
          then jsonb_build_object('outcome', 'already_expired', 'field', 'expires_at')
      end as refusal
    from asked
    join term on term.account_id = asked.account_id and term.currency = asked.currency
  ),
  turn as (
    select unnest(queue.indexes) as index,
      unnest(switchyard.spend_in_turn(queue.amounts, queue.available_micros)) as spent_before
    from (
      select array_agg(j.index order by j.index) as indexes,
        array_agg(case when j.refusal is null then j.amount_micros else 0 end order by j.index)
          as amounts,
        coalesce(max(j.available_micros), 0) as available_micros
      from judged j
      group by j.account_id
    ) queue
  ),
  decided as materialized (
    select j.*, switchyard.new_id() as id,
      j.available_micros - turn.spent_before as left_micros,
      j.refusal is null and turn.spent_before + j.amount_micros <= j.available_micros as is_covered
    from judged j
    join turn on turn.index = j.index
  ),
  placed as (
    insert into switchyard.wallet_holds
      (id, account_id, message_id, amount_micros, detail, actor, expires_at)
    select d.id, d.account_id, d.message_id, d.amount_micros, coalesce(d.detail, '{}'),
           place_holds.actor, d.expires_at
    from decided d
    where d.is_covered
    returning account_id, amount_micros
  ),
  set_aside as (
    update switchyard.wallet_accounts a
    set held_micros = a.held_micros + p.total
    from (
      select account_id, sum(amount_micros)::bigint as total from placed group by account_id
    ) p
    where a.id = p.account_id
  )
  select d.index,
    case
      when d.is_covered then jsonb_build_object('outcome', 'completed', 'id', d.id,
        'account_id', d.account_id, 'amount_micros', d.amount_micros::text,
        'currency', d.currency, 'expires_at', d.expires_at)
      when d.refusal is not null then d.refusal
      else jsonb_build_object('outcome', 'insufficient_funds', 'currency', d.currency,
        'needed_micros', d.amount_micros::text, 'available_micros', d.left_micros::text)
    end
  from decided d
  order by d.index;
end;
$$;

-- Says which came first when a hold is no longer open; null while it is. Past its time it counts as
-- expired, whether or not anybody has looked since.
create or replace function switchyard.refuse_resolved(hold switchyard.wallet_holds, at timestamptz)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('outcome', 'hold_' || ended.status,
    'captured_micros', hold.captured_micros::text,
    'released_micros', hold.released_micros::text)
  from (
    select case
      when hold.status <> 'open' then hold.status
      when hold.expires_at <= refuse_resolved.at then 'expired'
    end as status
  ) ended
  where ended.status is not null;
$$;

-- Tells a hold as it stands, with what became of it just now.
create or replace function switchyard.tell_hold(hold_id uuid, told jsonb)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('outcome', 'completed', 'id', h.id, 'status', h.status,
    'account_id', h.account_id, 'currency', a.currency,
    'held_micros', (h.amount_micros - h.captured_micros - h.released_micros)::text,
    'captured_micros', h.captured_micros::text,
    'released_micros', h.released_micros::text) || tell_hold.told
  from switchyard.wallet_holds h
  join switchyard.wallet_accounts a on a.id = h.account_id
  where h.id = tell_hold.hold_id;
$$;

-- Shows a hold of the tenant.
create or replace function switchyard_api.get_wallet_hold(tenant_id uuid, hold_id uuid)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(
    (
      select switchyard.tell_hold(h.id, jsonb_build_object('outcome', 'found',
        'amount_micros', h.amount_micros::text))
      from switchyard.wallet_holds h
      join switchyard.wallet_accounts a on a.id = h.account_id
      where h.id = get_wallet_hold.hold_id and a.tenant_id = get_wallet_hold.tenant_id
    ),
    jsonb_build_object('outcome', 'unknown_hold')
  );
$$;

-- Gives back all that a hold still holds. The hold and its account are locked already.
create or replace function switchyard.release_hold(
  hold switchyard.wallet_holds, status text, at timestamptz
)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_rest bigint := hold.amount_micros - hold.captured_micros - hold.released_micros;
begin
  update switchyard.wallet_holds h
  set status = release_hold.status,
      released_micros = h.released_micros + v_rest,
      resolved_at = release_hold.at
  where h.id = hold.id;
  update switchyard.wallet_accounts a
  set held_micros = a.held_micros - v_rest
  where a.id = hold.account_id;
  return v_rest;
end;
$$;

-- Takes a part of a hold for the house. A capture that comes late, after the release, is a charge that
-- was made all the same: it turns the release back, takes what the account has to spend, and what is
-- missing is owed. The hold and all accounts are locked already.
create or replace function switchyard.capture_hold(
  hold switchyard.wallet_holds, capture jsonb, actor jsonb, at timestamptz
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_amount bigint := switchyard.read_amount_micros(capture);
  v_account switchyard.wallet_accounts;
  v_receivable uuid;
  v_owed bigint := 0;
  v_id uuid;
begin
  if v_amount > hold.amount_micros - hold.captured_micros then
    return jsonb_build_object('outcome', 'amount_exceeds_hold', 'field', 'amount_micros',
      'held_micros', (hold.amount_micros - hold.captured_micros - hold.released_micros)::text);
  end if;
  select * into strict v_account from switchyard.wallet_accounts a where a.id = hold.account_id;
  if hold.status = 'open' then
    update switchyard.wallet_accounts a set held_micros = a.held_micros - v_amount
    where a.id = hold.account_id;
  else
    v_receivable := switchyard.receivable_account(v_account.tenant_id, v_account.currency);
    v_owed := v_amount - least(v_amount, switchyard.available_micros(v_account));
  end if;

  update switchyard.wallet_holds h
  set captured_micros = h.captured_micros + v_amount,
      released_micros = case when h.status = 'open' then 0 else h.released_micros - v_amount end,
      status = case
        when h.captured_micros + v_amount = h.amount_micros then 'captured' else h.status end,
      resolved_at = case
        when h.captured_micros + v_amount = h.amount_micros then capture_hold.at
        else h.resolved_at end
  where h.id = hold.id;
  insert into switchyard.wallet_transfers (tenant_id, kind, hold_id, reference, detail, actor)
  values (v_account.tenant_id, 'capture', hold.id, capture ->> 'reference',
          coalesce(capture -> 'detail', '{}'), capture_hold.actor)
  returning id into v_id;
  perform switchyard.post_entries(v_id, array_agg(leg.account_id), array_agg(leg.amount_micros))
  from (values
    (v_account.id, v_owed - v_amount),
    (v_receivable, -v_owed),
    (switchyard.house_account(coalesce(capture ->> 'payee', 'revenue'), v_account.currency),
      v_amount)
  ) as leg (account_id, amount_micros)
  where leg.amount_micros <> 0;
  return switchyard.tell_hold(hold.id, jsonb_build_object('transfer_id', v_id,
    'amount_micros', v_amount::text, 'owed_micros', v_owed::text));
end;
$$;

-- Resolves one of many; see resolve_holds.
create or replace function switchyard.resolve_hold(resolution jsonb, actor jsonb, at timestamptz)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_hold switchyard.wallet_holds;
  v_earlier uuid;
  v_refusal jsonb;
  v_released bigint;
begin
  select * into v_hold from switchyard.wallet_holds h
  where h.id = (resolution ->> 'hold_id')::uuid;
  if not found then
    select * into v_hold from switchyard.wallet_holds h
    where h.message_id = (resolution ->> 'message_id')::uuid;
  end if;
  if v_hold.id is null then
    return jsonb_build_object('outcome', 'unknown_hold');
  end if;

  v_refusal := switchyard.refuse_resolved(v_hold, resolve_hold.at);
  if resolution ->> 'action' = 'release' then
    if v_refusal is not null then
      return v_refusal;
    end if;
    v_released := switchyard.release_hold(v_hold, 'released', resolve_hold.at);
    return switchyard.tell_hold(
      v_hold.id, jsonb_build_object('amount_micros', v_released::text));
  elsif resolution ->> 'action' is distinct from 'capture' then
    raise exception 'Cannot resolve a hold by %', resolution ->> 'action'
      using errcode = 'invalid_parameter_value';
  end if;

  select t.id into v_earlier from switchyard.wallet_transfers t
  where t.hold_id = v_hold.id and t.reference = resolution ->> 'reference';
  if found then
    return jsonb_build_object('outcome', 'already_captured', 'transfer_id', v_earlier);
  elsif v_refusal is not null and not coalesce((resolution ->> 'even_late')::boolean, false) then
    return v_refusal;
  end if;
  return switchyard.capture_hold(v_hold, resolution, actor, resolve_hold.at);
end;
$$;

-- Captures from holds and releases them, in the order given, each with its own answer by its index. All
-- rows are locked first, in one order: call it once in a transaction, with everything in it.
-- resolutions: array of {index, hold_id or message_id, action: capture or release, and for a capture
-- amount_micros, reference? (the same is captured once), even_late? (after the release too),
-- payee? (the house's account, revenue unless said), detail?}.
create or replace function switchyard.resolve_holds(
  resolutions jsonb, actor jsonb, at timestamptz
)
returns table (index integer, answer jsonb)
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_ids uuid[] := array(
    select h.id from jsonb_to_recordset(resolutions) as r (hold_id uuid)
    join switchyard.wallet_holds h on h.id = r.hold_id
    union
    select h.id from jsonb_to_recordset(resolutions) as r (message_id uuid)
    join switchyard.wallet_holds h on h.message_id = r.message_id);
begin
  perform from switchyard.wallet_holds h where h.id = any(v_ids) order by h.id for no key update;
  perform switchyard.lock_wallet_accounts(array(
    select h.account_id from switchyard.wallet_holds h where h.id = any(v_ids)
    union
    select switchyard.house_account(payee.kind, owner.currency)
    from (
      select distinct a.currency from switchyard.wallet_holds h
      join switchyard.wallet_accounts a on a.id = h.account_id
      where h.id = any(v_ids)
    ) owner
    cross join (
      select distinct coalesce(r.payee, 'revenue') as kind
      from jsonb_to_recordset(resolutions) as r (action text, payee text)
      where r.action = 'capture'
    ) payee
    union
    select switchyard.open_receivable(owner.tenant_id, owner.currency)
    from (
      select distinct a.tenant_id, a.currency from switchyard.wallet_holds h
      join switchyard.wallet_accounts a on a.id = h.account_id
      where h.id = any(v_ids) and h.status in ('released', 'expired')
        and exists (
          select from jsonb_to_recordset(resolutions) as r (action text, even_late boolean)
          where r.action = 'capture' and r.even_late)
    ) owner));

  for index, answer in
    select (r.resolution ->> 'index')::integer, r.resolution
    from jsonb_array_elements(resolutions) with ordinality as r (resolution, place)
    order by r.place
  loop
    answer := switchyard.resolve_hold(answer, actor, resolve_holds.at);
    return next;
  end loop;
end;
$$;

-- Ends holds whose time has passed, the oldest first; those that somebody is resolving just now are
-- left to the next call. Returns how many.
create or replace function switchyard.expire_holds(at timestamptz, hold_limit integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_ids uuid[] := array(
    select h.id from switchyard.wallet_holds h
    where h.status = 'open' and h.expires_at <= expire_holds.at
    order by h.expires_at
    limit hold_limit
    for no key update skip locked);
begin
  perform switchyard.lock_wallet_accounts(array(
    select distinct h.account_id from switchyard.wallet_holds h where h.id = any(v_ids)));
  perform switchyard.release_hold(h, 'expired', expire_holds.at)
  from switchyard.wallet_holds h
  where h.id = any(v_ids);
  return cardinality(v_ids);
end;
$$;

-- Sets money aside on an account of the tenant, once for each key.
create or replace function switchyard_api.place_wallet_hold(
  tenant_id uuid, hold jsonb, idempotency jsonb, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_answer jsonb := switchyard.take_wallet_key(tenant_id, 'wallet.hold', idempotency);
begin
  if v_answer is null then
    select p.answer into strict v_answer
    from switchyard.place_holds(
      tenant_id, jsonb_build_array((hold - 'message_id') || '{"index":0}'), actor, at) p;
    perform switchyard.keep_wallet_answer(tenant_id, 'wallet.hold', idempotency, v_answer);
  end if;
  return v_answer;
end;
$$;

-- Sets money aside for many requests of a tenant in three statements, however many they are, each under
-- its own key and with its own answer, as if they had come one after the other. Keys are taken in one
-- order. Where a key stays in flight too long it raises, and nothing was done: ask again one by one.
-- holds: array of {index, key, fingerprint, field_digests, account_id, amount_micros, currency,
-- expires_at?}, at most 1,000.
create or replace function switchyard_api.place_wallet_holds(
  tenant_id uuid, holds jsonb, actor jsonb, at timestamptz default clock_timestamp()
)
returns table (index integer, answer jsonb)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
  v_taken integer[];
  -- Where the keys stand that were taken: nobody else can move them before this transaction ends. By
  -- their names Postgres, which knows nothing of a tenant's first keys, would look through all of them.
  v_places tid[];
begin
  if jsonb_array_length(holds) > 1000 then
    raise exception 'Cannot place % holds: at most 1000 at once', jsonb_array_length(holds)
      using errcode = 'program_limit_exceeded';
  end if;

  with first as materialized (
    select distinct on (h.key) h.key, h.index, h.fingerprint, h.field_digests
    from jsonb_to_recordset(holds) as h (
      index integer, key text, fingerprint text, field_digests jsonb)
    order by h.key, h.index
  ),
  taken as (
    insert into switchyard.idempotency_keys (tenant_id, scope, key, fingerprint, field_digests)
    select t.id, 'wallet.hold', f.key, f.fingerprint, f.field_digests
    from first f
    join switchyard.tenants t on t.id = place_wallet_holds.tenant_id
    order by f.key
    on conflict do nothing
    returning key, ctid as place
  )
  select coalesce(array_agg(f.index), '{}'), array_agg(taken.place) into v_taken, v_places
  from taken join first f on f.key = taken.key;

  with asked as (
    select (h.hold ->> 'index')::integer as index, h.hold - 'message_id' as hold
    from jsonb_array_elements(holds) as h (hold)
    join unnest(v_taken) as t (index) on t.index = (h.hold ->> 'index')::integer
  ),
  placed as materialized (
    select p.index, p.answer
    from switchyard.place_holds(place_wallet_holds.tenant_id,
      (select coalesce(jsonb_agg(a.hold), '[]') from asked a), actor, place_wallet_holds.at) p
  )
  update switchyard.idempotency_keys k
  set response = p.answer,
      resource_id = (p.answer ->> 'id')::uuid
  from placed p
  join unnest(v_taken, v_places) as t (index, place) on t.index = p.index
  where k.ctid = t.place;

  return query
  select h.index,
    case
      when t.index is not null then k.response
      when k.key is null then jsonb_build_object('outcome', 'tenant_not_found')
      when k.fingerprint <> h.fingerprint then jsonb_build_object('outcome', 'key_reused',
        'fields', switchyard.differing_fields(k.field_digests, h.field_digests))
      else jsonb_build_object('outcome', 'replayed', 'answer', k.response)
    end
  from jsonb_to_recordset(holds) as h (
    index integer, key text, fingerprint text, field_digests jsonb)
  left join unnest(v_taken) as t (index) on t.index = h.index
  left join lateral (
    select k.* from switchyard.idempotency_keys k
    where k.tenant_id = place_wallet_holds.tenant_id
      and k.scope = 'wallet.hold'
      and k.key = h.key
    limit 1
  ) k on true
  order by h.index;
end;
$$;

-- Resolves a hold that the tenant has placed itself: those of messages follow what becomes of them.
create or replace function switchyard.resolve_own_hold(
  tenant_id uuid, resolution jsonb, idempotency jsonb, actor jsonb, at timestamptz
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_scope text := 'wallet.' || (resolution ->> 'action');
  v_answer jsonb := switchyard.take_wallet_key(
    resolve_own_hold.tenant_id, v_scope, idempotency);
begin
  if v_answer is not null then
    return v_answer;
  end if;
  perform from switchyard.wallet_holds h
  join switchyard.wallet_accounts a on a.id = h.account_id
  where h.id = (resolution ->> 'hold_id')::uuid
    and a.tenant_id = resolve_own_hold.tenant_id
    and h.message_id is null;
  v_answer := jsonb_build_object('outcome', 'unknown_hold');
  if found then
    select r.answer into strict v_answer
    from switchyard.resolve_holds(jsonb_build_array(resolution || '{"index":0}'), actor, at) r;
  end if;
  perform switchyard.keep_wallet_answer(
    resolve_own_hold.tenant_id, v_scope, idempotency, v_answer);
  return v_answer;
end;
$$;

-- Captures a part of a hold or all of it, once for each key.
create or replace function switchyard_api.capture_wallet_hold(
  tenant_id uuid, capture jsonb, idempotency jsonb, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language sql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
  select switchyard.resolve_own_hold(tenant_id, jsonb_build_object('action', 'capture',
    'hold_id', capture -> 'hold_id', 'amount_micros', capture -> 'amount_micros'),
    idempotency, actor, at);
$$;

-- Releases what a hold still holds, once for each key.
create or replace function switchyard_api.release_wallet_hold(
  tenant_id uuid, release jsonb, idempotency jsonb, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language sql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
  select switchyard.resolve_own_hold(tenant_id, jsonb_build_object('action', 'release',
    'hold_id', release -> 'hold_id'), idempotency, actor, at);
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
