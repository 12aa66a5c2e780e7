import * as z from "zod";
import { digestRequest } from "../_shared/canonical_json.ts";
import type { CallRpc } from "../_shared/database.ts";
import { contentOf } from "../_shared/whatsapp/outbound_message.ts";
import type { MessageRequest } from "../_shared/whatsapp/outbound_message.ts";
import { heldRow, unpaidRows } from "./payment.ts";
import type { Held, Unpaid } from "./payment.ts";

/** A valid message as enqueue_messages takes it; the position in the call is added there. */
export interface Submission {
  from: string;
  to: string;
  type: string;
  content: unknown;
  context?: unknown;
  lane?: string | undefined;
  send_at?: string | undefined;
  expires_at?: string | undefined;
  client_ref?: string | undefined;
  on_unknown?: string | undefined;
  idempotency_key?: string;
  fingerprint: string;
  field_digests: Record<string, string>;
}

/** What became of one submission. */
export type Acceptance =
  /** held: what its tenant pays for it at most; null when nobody pays. */
  | { outcome: "accepted" | "replayed"; id: string; planned_send_at: string; held: Held | null }
  | { outcome: "key_reused"; fields: string[] }
  | { outcome: "unknown_sender" }
  /** closed_at: when the recipient's customer service window closed, ISO 8601. */
  | { outcome: "window_closed"; closed_at: string }
  | { outcome: "unpaid"; unpaid: Unpaid }
  /** Another message of an all-or-nothing batch was refused. */
  | { outcome: "batch_refused" };

/** Accepts submissions of one tenant in one transaction; answers in their order. */
export type Enqueue = (tenantId: string, submissions: Submission[]) => Promise<Acceptance[]>;

const row = z.discriminatedUnion("outcome", [
  z.object({
    index: z.int(),
    outcome: z.enum(["accepted", "replayed"]),
    id: z.string(),
    planned_send_at: z.string(),
    detail: z.object({ hold: heldRow.optional() }).nullable(),
  }),
  z.object({
    index: z.int(),
    outcome: z.literal("key_reused"),
    detail: z.object({ fields: z.array(z.string()) }),
  }),
  z.object({ index: z.int(), outcome: z.literal("unknown_sender") }),
  z.object({
    index: z.int(),
    outcome: z.literal("window_closed"),
    detail: z.object({ closed_at: z.string() }),
  }),
  z.object({ index: z.int(), outcome: z.literal("batch_refused") }),
  ...unpaidRows,
]);

/** Which of a batch are taken when the wallet does not cover them all. */
export type BatchMode = "as_covered" | "all_or_nothing";

const ENQUEUE = {
  as_covered: "enqueue_messages",
  all_or_nothing: "enqueue_all_or_nothing",
} as const;

export function createEnqueue(call: CallRpc, mode: BatchMode = "as_covered"): Enqueue {
  return async (tenantId, submissions) => {
    const messages = submissions.map((submission, index) => ({ index, ...submission }));
    const rows = await call(ENQUEUE[mode], {
      tenant_id: tenantId,
      messages,
    });
    const acceptances = new Map(
      z.array(row).parse(rows).map((one) => [one.index, toAcceptance(one)]),
    );
    return submissions.map((_, index) => {
      const acceptance = acceptances.get(index);
      if (acceptance === undefined) throw new Error(`Cannot ${ENQUEUE[mode]}: no row ${index}`);
      return acceptance;
    });
  };
}

function toAcceptance(one: z.output<typeof row>): Acceptance {
  switch (one.outcome) {
    case "accepted":
    case "replayed": {
      const { outcome, id, planned_send_at, detail } = one;
      return { outcome, id, planned_send_at, held: detail?.hold ?? null };
    }
    case "key_reused":
      return { outcome: one.outcome, fields: one.detail.fields };
    case "unknown_sender":
    case "batch_refused":
      return { outcome: one.outcome };
    case "window_closed":
      return { outcome: one.outcome, closed_at: one.detail.closed_at };
    case "insufficient_funds":
    case "debt_outstanding":
    case "spending_limit_reached":
    case "no_rate":
      return { outcome: "unpaid", unpaid: one };
  }
}

/** The request as it is stored, with what recognises it if it comes again under the key. */
export function toSubmission(request: MessageRequest, idempotencyKey: string | null): Submission {
  const { from, to, type, context, lane, send_at, expires_at, client_ref, on_unknown } = request;
  return {
    from,
    to,
    type,
    content: contentOf(request),
    context,
    lane,
    send_at,
    expires_at,
    client_ref,
    on_unknown,
    ...(idempotencyKey === null ? {} : { idempotency_key: idempotencyKey }),
    ...digestRequest(request),
  };
}
