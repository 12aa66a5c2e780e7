import type { Sql } from "./database.ts";
import { later, NOW } from "./now.ts";
import { anItem, claim, enqueue, readMessages, settle } from "./outbound.ts";
import type { Tenancy } from "./tenancy.ts";

export interface RedriveAnswer {
  redrive_id: string | null;
  messages: number;
  events: number;
  causes: { tenant_id: string; cause: string; count: number }[];
  starts_at: string;
  ends_at: string;
  left: number;
  uncovered: number;
  left_is_complete: boolean;
}

export interface Preview {
  messages: number;
  events: number;
  is_complete: boolean;
  oldest_at: string | null;
  newest_at: string | null;
  starts_at: string | null;
  ends_at: string | null;
  causes: { tenant_id: string; cause: string; count: number }[];
  held_back: Record<string, number>;
}

export interface LetterPage {
  causes: { cause: string; count: number; is_complete: boolean }[];
  dead_letters: Record<string, unknown>[];
  next_cursor: string | null;
}

/** Lets one message die for each cause, in this order, each a millisecond after the other. */
export async function letDie(
  sql: Sql,
  tenancy: Tenancy,
  causes: string[],
  at: Date,
  overrides: Record<string, unknown> = {},
): Promise<string[]> {
  const ids = [];
  for (const [index, cause] of causes.entries()) {
    const diedAt = new Date(at.getTime() + index);
    const item = anItem(tenancy, { to: `+155502${10_000 + index}`, ...overrides });
    const [answer] = await enqueue(sql, tenancy, [item], diedAt);
    const claims = await claim(sql, 1000, answer!.planned_send_at!);
    const died = claims.filter(({ id }) => id === answer!.id);
    const error = { cause, title: "Refused" };
    await settle(sql, died, () => ({ outcome: "rejected", error }), diedAt);
    ids.push(answer!.id!);
  }
  return ids;
}

/** Redrives as an operator would; null: letters of all tenants. */
export async function redrive(
  sql: Sql,
  tenantId: string | null,
  filter: Record<string, unknown>,
  options: { rate?: number; at: Date },
): Promise<RedriveAnswer> {
  const [row] = await sql`
    select switchyard_api.redrive_dead_letters(
      ${tenantId}, ${sql.json(filter as never)}, ${options.rate ?? 10}, '{"kind": "secret"}',
      ${options.at}) as answer`;
  return row!.answer;
}

/** Says what such a redrive would do. */
export async function preview(
  sql: Sql,
  tenantId: string | null,
  filter: Record<string, unknown>,
  options: { rate?: number; at: Date },
): Promise<Preview> {
  const [row] = await sql`
    select switchyard_api.preview_redrive(
      ${tenantId}, ${sql.json(filter as never)}, ${options.rate ?? 10}, ${options.at}) as answer`;
  return row!.answer;
}

/** Reads a page of open letters. */
export async function listLetters(
  sql: Sql,
  tenantId: string | null,
  filter: Record<string, unknown>,
  options: { at: Date; cursor?: string | null; limit?: number },
): Promise<LetterPage> {
  const [row] = await sql`
    select switchyard_api.list_dead_letters(
      ${tenantId}, ${sql.json(filter as never)}, ${options.cursor ?? null}, ${options.limit ?? 50},
      ${options.at}) as answer`;
  return row!.answer;
}

/** Dead messages with their letters, without the way there; the nth died n microseconds after NOW. */
export async function plantDead(sql: Sql, tenancy: Tenancy, count: number, cause = "api_unknown") {
  await sql`
    with message as (
      insert into switchyard.messages (
        tenant_id, sender_id, recipient, type, content, lane, status, planned_send_at, due_at,
        expires_at, ended_at)
      select ${tenancy.tenantId}, ${tenancy.senderId}, '+1555' || 1000000 + n, 'text', '{}',
        'normal', 'dead', ${NOW}, ${NOW}, ${later(24 * 3_600_000)},
        ${NOW}::timestamptz + n * interval '1 microsecond'
      from generate_series(1, ${count}) n
      returning id, tenant_id, ended_at
    )
    insert into switchyard.dead_letters (tenant_id, message_id, cause, created_at)
    select tenant_id, id, ${cause}, ended_at from message`;
}

/** Meta reports a status of a message. */
export async function report(sql: Sql, tenancy: Tenancy, messageId: string, status: string) {
  const [event] = await sql`
    insert into switchyard.inbound_events (event_key, kind, tenant_id, sender_id, field, payload)
    values (sha256(uuid_send(${messageId}::uuid)), 'status', ${tenancy.tenantId},
      ${tenancy.senderId}, 'messages', '{}')
    returning id`;
  await sql`
    insert into switchyard.message_statuses
      (message_id, sender_id, wamid, status, at, inbound_event_id)
    values (${messageId}, ${tenancy.senderId}, 'wamid.x', ${status}, ${NOW}, ${event!.id})`;
  await sql`select switchyard.follow_statuses(array[${messageId}::uuid])`;
}

/** Ids of the tenancy's dead messages, in the order of their acceptance. */
export async function readDead(sql: Sql, tenancy: Tenancy): Promise<string[]> {
  const rows = await readMessages(sql, tenancy);
  return rows.filter(({ status }) => status === "dead").map(({ id }) => id);
}
