import type { Sql } from "./database.ts";
import type { Tenancy } from "./tenancy.ts";

export interface EnqueueAnswer {
  index: number;
  outcome: string;
  id: string | null;
  planned_send_at: Date | null;
  detail: { fields?: string[] } | null;
}

export interface MessageRow {
  id: string;
  status: string;
  recipient: string;
  attempt_count: number;
  failure_count: number;
  queue_entry_id: number | null;
  holds_pair: boolean;
  waits_turn: boolean;
  due_at: Date;
  wamid: string | null;
}

export interface Claim {
  id: string;
  attempt: number;
  recipient: string;
}

/** A text to one recipient, as the messages function hands it to SQL. */
export function anItem(tenancy: Tenancy, overrides: Record<string, unknown> = {}) {
  return {
    index: 0,
    from: tenancy.phoneNumberId,
    to: "+15550200001",
    type: "text",
    content: { body: "hello" },
    lane: "normal",
    ...overrides,
  };
}

/** Accepts items at a moment of the test's choosing. */
export async function enqueue(
  sql: Sql,
  tenancy: Tenancy,
  items: ReturnType<typeof anItem>[],
  at: Date,
): Promise<EnqueueAnswer[]> {
  const indexed = items.map((item, index) => ({ ...item, index }));
  return await sql<EnqueueAnswer[]>`
    select * from switchyard_api.enqueue_messages(
      ${tenancy.tenantId}, ${sql.json(indexed as never)}, ${at})`;
}

/** Claims at a moment of the test's choosing, under a lease of a minute. */
export async function claim(sql: Sql, batch: number, at: Date): Promise<Claim[]> {
  const claims = await sql<Claim[]>`
    select id, attempt, recipient from switchyard_api.claim_messages(${batch}, 60, 'worker', ${at})`;
  return [...claims];
}

/** Settles claims, each with the outcome that `outcomeOf` gives it. */
export async function settle(
  sql: Sql,
  claims: Claim[],
  outcomeOf: (claim: Claim) => Record<string, unknown>,
  at: Date,
): Promise<boolean[]> {
  const outcomes = claims.map((claimed) => ({
    id: claimed.id,
    attempt: claimed.attempt,
    ...outcomeOf(claimed),
  }));
  const rows = await sql<{ id: string; settled: boolean }[]>`
    select * from switchyard_api.settle_messages(${sql.json(outcomes as never)}, ${at})`;
  return claims.map(({ id }) => rows.find((row) => row.id === id)!.settled);
}

/** Accepted by Meta, with a wamid made of the message's id. */
export function accepted({ id }: Claim) {
  return { outcome: "accepted", wamid: `wamid.${id}` };
}

/** The messages of a tenant in the order of acceptance. */
export async function readMessages(sql: Sql, tenancy: Tenancy): Promise<MessageRow[]> {
  return await sql<MessageRow[]>`
    select id, status, recipient, attempt_count, failure_count, queue_entry_id, holds_pair,
      waits_turn, due_at, wamid
    from switchyard.messages where tenant_id = ${tenancy.tenantId} order by accepted_no`;
}

/** How many entries lie in the outbound queue, visible or not. */
export async function queueLength(sql: Sql): Promise<number> {
  const [row] = await sql`select count(*)::integer as entries from pgmq.q_wa_outbound`;
  return row!.entries;
}
