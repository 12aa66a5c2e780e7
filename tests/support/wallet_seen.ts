import type { Sql } from "./database.ts";
import type { WalletModel } from "./wallet_model.ts";
import type { Scene } from "./wallet_steps.ts";

/** What can be seen of a tenant's wallet. */
export interface Books {
  accounts: [posted: number, held: number, entries: number][];
  debt: number;
  holds: Record<string, [status: string, captured: number, released: number]>;
  /** Every row, to see that what changes nothing changes nothing. */
  rows: string;
  seen: string;
}

/** Reads it, in one statement. */
export async function readBooks(sql: Sql, { tenantId, accounts }: Scene): Promise<Books> {
  const [books] = await sql<[Omit<Books, "seen">]>`
    with account as materialized (
      select * from switchyard.wallet_accounts where tenant_id = ${tenantId}
    ),
    hold as materialized (
      select * from switchyard.wallet_holds where account_id = any (${accounts})
    )
    select
      (select jsonb_agg(jsonb_build_array(a.posted_micros, a.held_micros, a.last_sequence)
          order by array_position(${accounts}::uuid[], a.id))
        from account a where a.kind = 'cash') as accounts,
      (select coalesce(-sum(a.posted_micros), 0)::bigint from account a
        where a.kind = 'receivable') as debt,
      (select coalesce(jsonb_object_agg(h.id, jsonb_build_array(
          h.status, h.captured_micros, h.released_micros)), '{}') from hold h) as holds,
      md5(concat(
        (select string_agg(a::text, '' order by a.id) from account a where a.kind = 'cash'),
        (select string_agg(h::text, '' order by h.id) from hold h),
        (select string_agg(e::text, '' order by e.account_id, e.sequence)
          from account a join switchyard.wallet_entries e on e.account_id = a.id))) as rows`;
  const { accounts: balances, debt, holds } = books;
  return { ...books, seen: JSON.stringify({ accounts: balances, debt, holds }) };
}

/** Whether the wallet is what the model says. */
export function isSame({ accounts, debt, holds }: Books, { state }: WalletModel): boolean {
  const told = Object.entries(state.holds);
  return debt === state.debt && told.length === Object.keys(holds).length &&
    state.accounts.every(({ posted, held, entries }, nth) =>
      `${accounts[nth]}` === `${[posted, held, entries]}`
    ) &&
    told.every(([id, { status, captured, released }]) =>
      `${holds[id]}` === `${[status, captured, released]}`
    );
}

/** Whether a model is as it was, by what can be seen of it. */
export function isUnmoved({ state }: WalletModel, before: string): boolean {
  const { accounts, debt, holds } = JSON.parse(before);
  return JSON.stringify([accounts, debt, holds]) ===
    JSON.stringify([state.accounts, state.debt, state.holds]);
}
