import type { Sql } from "./database.ts";
import type { Tenancy } from "./tenancy.ts";

/** A delivery that a test has claimed. */
export interface CallbackClaim {
  id: number;
  attempt: number;
  endpoint_id: string;
  tenant_id: string;
  url: string;
  secrets: string[];
  event_id: string;
  type: string;
  payload: Record<string, unknown>;
  order_key: string;
  failure_count: number;
}

export const SECRET = `whsec_${btoa("a secret of thirty-two bytes.....")}`;
const ACTOR = { kind: "secret" };

/** Gives the tenant an endpoint through the same function as the admin API. */
export async function addEndpoint(
  sql: Sql,
  tenancy: Tenancy,
  overrides: { url?: string; events?: string[] } = {},
): Promise<string> {
  const callback = { url: "https://example.com/hook", events: ["message.status"], ...overrides };
  const [row] = await sql`
    select switchyard_api.create_callback(
      ${tenancy.tenantId}, ${sql.json(callback)}, ${SECRET}, ${sql.json(ACTOR)}) ->> 'id' as id`;
  // Long before whatever the test does, at moments of its own.
  await sql`
    update switchyard.callback_endpoints set enabled_at = '2026-01-01' where id = ${row!.id}`;
  return row!.id;
}

/** An event in the line `a line`, as producers hand it over. */
export function anEvent(tenancy: Tenancy, overrides: Record<string, unknown> = {}) {
  return {
    tenant_id: tenancy.tenantId,
    type: "message.status",
    order_key: "a line",
    data: { status: "sent" },
    ...overrides,
  };
}

/** Tells tenants of events at a moment of the test's choosing. */
export async function emit(
  sql: Sql,
  events: ReturnType<typeof anEvent>[],
  at: Date,
): Promise<void> {
  await sql`select switchyard.emit_callbacks(${sql.json(events as never)}, ${at})`;
}

/** Claims under a lease of a minute, by default four at once of one endpoint. */
export async function claimCallbacks(
  sql: Sql,
  at: Date,
  { batch = 100, perEndpoint = 4 } = {},
): Promise<CallbackClaim[]> {
  const rows = await sql<CallbackClaim[]>`
    select * from switchyard_api.claim_callbacks(${batch}, 60, ${perEndpoint}, ${at})`;
  return [...rows];
}

/** Settles claims, each with the outcome that `outcomeOf` gives it; the results in their order. */
export async function settleCallbacks(
  sql: Sql,
  claims: CallbackClaim[],
  outcomeOf: (claim: CallbackClaim) => Record<string, unknown>,
  at: Date,
): Promise<string[]> {
  const outcomes = claims.map((claimed) => ({
    id: claimed.id,
    attempt: claimed.attempt,
    ...outcomeOf(claimed),
  }));
  const rows = await sql<{ id: number; result: string }[]>`
    select * from switchyard_api.settle_callbacks(${sql.json(outcomes as never)}, ${at})`;
  return claims.map(({ id }) => rows.find((row) => row.id === id)!.result);
}
