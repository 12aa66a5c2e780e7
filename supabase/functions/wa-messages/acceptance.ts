import * as z from "zod";
import { digestRequest } from "../_shared/canonical_json.ts";
import type { CallRpc } from "../_shared/database.ts";
import type { Json } from "../_shared/database_types.ts";
import { contentOf } from "../_shared/whatsapp/outbound_message.ts";
import type { MessageRequest } from "../_shared/whatsapp/outbound_message.ts";

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
  | { outcome: "accepted" | "replayed"; id: string; planned_send_at: string }
  | { outcome: "key_reused"; fields: string[] }
  | { outcome: "unknown_sender" }
  /** closed_at: when the recipient's customer service window closed, ISO 8601. */
  | { outcome: "window_closed"; closed_at: string };

/** Accepts submissions of one tenant in one transaction; answers in their order. */
export type Enqueue = (tenantId: string, submissions: Submission[]) => Promise<Acceptance[]>;

const row = z.discriminatedUnion("outcome", [
  z.object({
    index: z.int(),
    outcome: z.enum(["accepted", "replayed"]),
    id: z.string(),
    planned_send_at: z.string(),
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
]);

export function createEnqueue(call: CallRpc): Enqueue {
  return async (tenantId, submissions) => {
    const messages = submissions.map((submission, index) => ({ index, ...submission }));
    const rows = await call("enqueue_messages", {
      tenant_id: tenantId,
      messages: messages as unknown as Json,
    });
    const acceptances = new Map(
      z.array(row).parse(rows).map((one) => [one.index, toAcceptance(one)]),
    );
    return submissions.map((_, index) => {
      const acceptance = acceptances.get(index);
      if (acceptance === undefined) throw new Error(`Cannot enqueue_messages: no row ${index}`);
      return acceptance;
    });
  };
}

function toAcceptance(one: z.output<typeof row>): Acceptance {
  switch (one.outcome) {
    case "accepted":
    case "replayed":
      return { outcome: one.outcome, id: one.id, planned_send_at: one.planned_send_at };
    case "key_reused":
      return { outcome: one.outcome, fields: one.detail.fields };
    case "unknown_sender":
      return { outcome: one.outcome };
    case "window_closed":
      return { outcome: one.outcome, closed_at: one.detail.closed_at };
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
