import type { Sql } from "./database.ts";
import type { Tenancy } from "./tenancy.ts";

export interface ClaimedRow {
  id: number;
  attempt: number;
  kind: string;
  tenant_id: string;
  queue_entry_id: number;
}

let made = 0;

/** A status event of a sender, as the webhook function hands it to SQL. */
export function anEvent(tenancy: Tenancy, overrides: Record<string, unknown> = {}) {
  made += 1;
  return {
    key: made.toString(16).padStart(64, "0"),
    kind: "status",
    business_account_id: tenancy.businessAccountId,
    phone_number_id: tenancy.phoneNumberId as string | null,
    field: "messages",
    event_at: "2026-11-22T12:00:00Z",
    payload: { nth: made },
    ...overrides,
  };
}

/** Stores events and says how many were new, known already and quarantined. */
export async function store(
  sql: Sql,
  events: ReturnType<typeof anEvent>[],
): Promise<{ stored: number; duplicates: number; quarantined: number }> {
  const [counts] = await sql<{ stored: number; duplicates: number; quarantined: number }[]>`
    select * from switchyard_api.store_events(${sql.json(events as never)})`;
  return { ...counts! };
}

/** Claims events under a lease of a minute. */
export async function claimEvents(sql: Sql, batch: number): Promise<ClaimedRow[]> {
  const rows = await sql<ClaimedRow[]>`
    select id, attempt, kind, tenant_id, queue_entry_id
    from switchyard_api.claim_events(${batch}, 60)`;
  return [...rows];
}

/** Applies claimed events, each with the effect that `effectOf` gives it. */
export async function apply(
  sql: Sql,
  events: ClaimedRow[],
  effectOf: (event: ClaimedRow) => Record<string, unknown>,
): Promise<boolean[]> {
  const items = events.map(({ id, attempt, queue_entry_id }, index) => ({
    id,
    attempt,
    queue_entry_id,
    ...effectOf(events[index]!),
  }));
  const rows = await sql<{ id: number; applied: boolean }[]>`
    select * from switchyard_api.apply_events(${sql.json(items as never)})`;
  return events.map(({ id }) => rows.find((row) => row.id === id)!.applied);
}
