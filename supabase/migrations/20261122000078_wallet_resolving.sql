-- Ending holds: captured in one part or several, and the rest is released or expires. Locks are taken in
-- one order everywhere: keys, then holds by id, then accounts by id. Locks nothing. Undo: drop the
-- functions.

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

-- Gives back all that a hold still holds, and to the limit of the day on which it was placed. The hold
-- and its account are locked already.
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
  set held_micros = a.held_micros - v_rest,
      spent_micros = case when a.spent_on = (hold.created_at at time zone 'UTC')::date
        then greatest(a.spent_micros - v_rest, 0) else a.spent_micros end
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
  insert into switchyard.wallet_transfers
    (tenant_id, kind, hold_id, reference, detail, actor, event_at)
  values (v_account.tenant_id, 'capture', hold.id, capture ->> 'reference',
          coalesce(capture -> 'detail', '{}'), capture_hold.actor,
          coalesce((capture ->> 'event_at')::timestamptz, now()))
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
    where h.message_id = (resolution ->> 'message_id')::uuid
    order by h.status = 'open' desc, h.created_at desc, h.id desc
    limit 1;
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
-- payee? (the house's account, revenue unless said), event_at?, detail?}.
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

-- Resolves a hold that the tenant has placed itself: those of messages follow what becomes of them.
create or replace function switchyard.resolve_own_hold(
  tenant_id uuid, resolution jsonb, actor jsonb, at timestamptz
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_answer jsonb;
begin
  perform from switchyard.wallet_holds h
  join switchyard.wallet_accounts a on a.id = h.account_id
  where h.id = (resolution ->> 'hold_id')::uuid
    and a.tenant_id = resolve_own_hold.tenant_id
    and h.message_id is null;
  if not found then
    return jsonb_build_object('outcome', 'unknown_hold');
  end if;
  select r.answer into strict v_answer
  from switchyard.resolve_holds(jsonb_build_array(resolution || '{"index":0}'), actor, at) r;
  return v_answer;
end;
$$;

-- Captures a part of a hold or all of it, once for each key.
create or replace function switchyard_api.capture_wallet_hold(
  tenant_id uuid, capture jsonb, idempotency jsonb, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  return switchyard.answer_once(tenant_id, 'wallet.capture', jsonb_build_object(
    'action', 'capture', 'hold_id', capture -> 'hold_id',
    'amount_micros', capture -> 'amount_micros'), idempotency, actor, at);
end;
$$;

-- Releases what a hold still holds, once for each key.
create or replace function switchyard_api.release_wallet_hold(
  tenant_id uuid, release jsonb, idempotency jsonb, actor jsonb,
  at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  return switchyard.answer_once(tenant_id, 'wallet.release', jsonb_build_object(
    'action', 'release', 'hold_id', release -> 'hold_id'), idempotency, actor, at);
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
