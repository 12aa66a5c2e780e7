import type { Caller } from "../_shared/http/caller.ts";
import { serve } from "../_shared/http/serve.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { answerCalls } from "../_shared/test_database.ts";
import { createHandler } from "./messages.ts";

export const tenantId = "11111111-1111-4111-8111-111111111111";
export const messageId = "55555555-5555-4555-8555-555555555555";
export const plannedAt = "2026-11-22T04:00:01+00:00";
const operator: Caller = { kind: "tenant", tenantId, role: "operator", keyId: "k" };

/** A message as the database is given it. */
export type Item = Record<string, unknown> & { index: number };
type Rpc = (args: Record<string, unknown>) => unknown;

/** The database accepts every message. */
export const acceptAll: Rpc = ({ messages }) =>
  (messages as Item[]).map(({ index }) => ({
    index,
    outcome: "accepted",
    id: messageId,
    planned_send_at: plannedAt,
    detail: null,
  }));

/** The database answers every message with this row. */
export function answerWith(row: Record<string, unknown>): Rpc {
  return ({ messages }) => (messages as Item[]).map(({ index }) => ({ index, ...row }));
}

/** The database accepts every message but this one. */
export function acceptAllBut(refused: number, row: Record<string, unknown>): Rpc {
  return (args) =>
    (acceptAll(args) as Item[]).map((one) => one.index === refused ? { ...one, ...row } : one);
}

/** Rows that the database answers; each is told in the same words wherever a message is posted. */
export const replayed = {
  outcome: "replayed",
  id: messageId,
  planned_send_at: plannedAt,
  detail: null,
};
export const windowClosed = {
  outcome: "window_closed",
  id: null,
  planned_send_at: null,
  detail: { closed_at: "2026-11-21T04:00:00+00:00" },
};
export const unpaid = {
  outcome: "insufficient_funds",
  id: null,
  planned_send_at: null,
  detail: { currency: "USD", needed_micros: "120000", available_micros: "50000" },
};

/** The messages function with nothing but a database behind it, at 2026-11-22T04:00:00Z. */
export function createTestMessages(
  { rpc = {}, caller = operator }: { rpc?: Record<string, Rpc>; caller?: Caller } = {},
) {
  const { call, calls } = answerCalls({ enqueue_messages: acceptAll, ...rpc });
  const lines: string[] = [];
  const now = () => Date.parse("2026-11-22T04:00:00Z");
  const identify = () => Promise.resolve({ ok: true as const, caller });
  const log = createLog({ write: (line) => lines.push(line), now, fields: {} });
  const answer = serve("wa-messages", createHandler({ call, identify, now }), { log, now });
  const ask = (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = { "idempotency-key": "key-1" },
  ) => {
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const init = { method, headers, ...(text === undefined ? {} : { body: text }) };
    return answer(new Request(`http://localhost/wa-messages${path}`, init));
  };
  return { ask, calls, lines };
}
