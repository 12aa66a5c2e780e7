import { strict as assert } from "node:assert";
import type { Sql } from "./database.ts";

/**
 * Fails unless the books hold: every transfer has entries and they sum to zero in each currency; the
 * entries of an account are numbered from one without a gap, each with the balance after it; the
 * account says what its last entry says, holds what its open holds hold, and owes no more than it
 * may; a key that answered with a transfer has one, and no transfer lacks its key; a key keeps its
 * answer, or names the hold that tells it; what a provider moved has its notice. With a tenant, its
 * books alone.
 */
export async function assertBooksHold(sql: Sql, tenantId?: string): Promise<void> {
  const of = tenantId === undefined ? sql`` : sql`where tenant_id = ${tenantId}`;
  const violations = await sql`
    with account as materialized (
      select * from switchyard.wallet_accounts ${of}
    ),
    transfer as materialized (
      select * from switchyard.wallet_transfers ${of}
    ),
    hold as materialized (
      select h.* from account a join switchyard.wallet_holds h on h.account_id = a.id
    ),
    idempotency_key as materialized (
      select * from switchyard.idempotency_keys ${of}
    )
    select 'a transfer sums to zero' as rule, t.id::text as of
    from transfer t
    left join switchyard.wallet_entries e on e.transfer_id = t.id
    left join switchyard.wallet_accounts a on a.id = e.account_id
    group by t.id, a.currency
    having coalesce(sum(e.amount_micros), 1) <> 0
    union all
    select 'entries follow each other', e.account_id || ' #' || e.sequence
    from (
      select e.*, row_number() over w as number, sum(e.amount_micros) over w as balance
      from account a
      join switchyard.wallet_entries e on e.account_id = a.id
      window w as (partition by e.account_id order by e.sequence)
    ) e
    where e.sequence <> e.number or e.balance_micros <> e.balance
    union all
    select 'an account is the sum of its entries', a.id::text
    from account a
    left join switchyard.wallet_entries e on e.account_id = a.id
    group by a.id, a.posted_micros, a.last_sequence
    having a.posted_micros <> coalesce(sum(e.amount_micros), 0)
      or a.last_sequence <> count(e.sequence)
    union all
    select 'held is the sum of open holds', a.id::text
    from account a
    left join hold h on h.account_id = a.id and h.status = 'open'
    group by a.id, a.held_micros
    having a.held_micros
      <> coalesce(sum(h.amount_micros - h.captured_micros - h.released_micros), 0)
    union all
    select 'no account is overdrawn', a.id::text
    from account a
    where a.posted_micros - a.held_micros < -a.credit_limit_micros
    union all
    select 'a hold has captured what its captures say', h.id::text
    from hold h
    left join switchyard.wallet_transfers t on t.hold_id = h.id
    left join switchyard.wallet_entries e on e.transfer_id = t.id and e.amount_micros > 0
    group by h.id, h.captured_micros
    having h.captured_micros <> coalesce(sum(e.amount_micros), 0)
    union all
    ${findBrokenKeys(sql)}`;
  assert.deepEqual([...violations], []);
}

// Of the keys, transfers and holds of the statement that it is a part of.
function findBrokenKeys(sql: Sql) {
  return sql`
    select 'a transfer has a key and a key its transfer', coalesce(t.id::text, k.key)
    from (
      select * from transfer
      where kind in ('transfer', 'top_up') and actor ->> 'kind' is distinct from 'provider'
    ) t
    full join (
      select k.key, k.resource_id from idempotency_key k
      where k.scope in ('wallet.transfer', 'wallet.topup')
        and k.response ->> 'outcome' = 'completed'
      union all
      select k.key, (leg ->> 'id')::uuid from idempotency_key k
      cross join jsonb_array_elements(k.response -> 'transfers') leg
      where k.scope = 'wallet.transfers' and k.response ->> 'outcome' = 'completed'
    ) k on k.resource_id = t.id
    where t.id is null or k.resource_id is null
    union all
    select 'what a provider credits or takes has its notice', t.id::text
    from transfer t
    where t.kind in ('top_up', 'refund', 'dispute', 'correction')
      and t.actor ->> 'kind' = 'provider'
      and not exists (
        select from switchyard.wallet_provider_events n
        where n.detail ->> 'id' = t.id::text and n.outcome = 'completed')
    union all
    select 'a key keeps its answer, or the hold that tells it', k.key
    from idempotency_key k
    left join hold h on h.id = k.resource_id
    where k.scope like 'wallet.%' and k.response is null and h.id is null`;
}
