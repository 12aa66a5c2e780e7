import * as z from "zod";
import type { CallRpc } from "../_shared/database.ts";
import { parseQuery } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { pageLimit } from "../_shared/http/query_fields.ts";
import { recipient } from "../_shared/whatsapp/recipient.ts";
import { noSuchMessage } from "./answers.ts";
import { withMinorUnits } from "./payment.ts";

const STATUSES = [
  "queued",
  "sending",
  "outcome_unknown",
  "sent",
  "delivered",
  "read",
  "failed",
  "expired",
  "cancelled",
  "dead",
] as const;

const page = z.object({
  status: z.enum(STATUSES).optional(),
  // A plus sign that was not escaped arrives as a space, which is no part of a number.
  to: recipient.optional(),
  cursor: z.string().regex(/^\d{1,18}$/, "must be the next_cursor of a page").optional(),
  limit: pageLimit({ usual: 50, most: 200 }),
});

const stored = z.record(z.string(), z.unknown());
const storedPage = z.looseObject({ messages: z.array(stored) });

const cancellation = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("cancelled") }),
  z.object({ outcome: z.literal("not_found") }),
  z.object({ outcome: z.literal("not_queued"), status: z.string() }),
]);

/** One message with its attempts and its timeline. */
export async function getMessage(call: CallRpc, tenantId: string, id: string): Promise<Response> {
  const message = await call("get_message", { tenant_id: tenantId, message_id: id });
  return message === null ? noSuchMessage() : Response.json(withMinorUnits(stored.parse(message)));
}

/** A page of messages, newest first; next_cursor is null on the last. */
export async function listMessages(
  call: CallRpc,
  tenantId: string,
  request: Request,
): Promise<Response> {
  const parsed = parseQuery(page, request);
  if (!parsed.ok) return parsed.response;
  const { status = null, to = null, cursor = null, limit } = parsed.value;
  const listed = storedPage.parse(
    await call("list_messages", {
      tenant_id: tenantId,
      filter: { status, to },
      cursor,
      page_limit: limit,
    }),
  );
  return Response.json({ ...listed, messages: listed.messages.map(withMinorUnits) });
}

/** Withdraws a message that is still queued. */
export async function cancelMessage(
  call: CallRpc,
  tenantId: string,
  id: string,
): Promise<Response> {
  const cancelled = cancellation.parse(
    await call("cancel_message", { tenant_id: tenantId, message_id: id }),
  );
  switch (cancelled.outcome) {
    case "cancelled":
      return Response.json({ id, status: "cancelled" });
    case "not_found":
      return noSuchMessage();
    case "not_queued":
      return problem(409, "not_queued", "The message is no longer queued.", {
        message_status: cancelled.status,
      });
  }
}
