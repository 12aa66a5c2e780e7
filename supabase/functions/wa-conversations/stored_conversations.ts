import * as z from "zod";
import type { CallRpc } from "../_shared/database.ts";
import { parseQuery } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { pageLimit } from "../_shared/http/query_fields.ts";
import { recipient } from "../_shared/whatsapp/recipient.ts";

const limit = pageLimit({ usual: 50, most: 200 });
const cursor = (key: string) =>
  z.string().regex(new RegExp(`^\\d{1,17}\\.${key}$`), "must be the next_cursor of a page")
    .optional();
const uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";

const conversationsPage = z.object({
  sender: z.string().regex(/^\d{1,32}$/, "must be a phone_number_id").optional(),
  // A plus sign that was not escaped arrives as a space, which is no part of a number.
  customer: recipient.optional(),
  cursor: cursor(uuid),
  limit,
});
const messagesPage = z.object({ cursor: cursor(`(i\\d{19}|o${uuid})`), limit });

/** A page of conversations, those whose customer was active last first. */
export async function listConversations(
  call: CallRpc,
  tenantId: string,
  request: Request,
): Promise<Response> {
  const parsed = parseQuery(conversationsPage, request);
  if (!parsed.ok) return parsed.response;
  const { sender = null, customer = null, cursor = null, limit } = parsed.value;
  return Response.json(
    await call("list_conversations", {
      tenant_id: tenantId,
      filter: { sender, customer },
      cursor,
      page_limit: limit,
    }),
  );
}

/** One conversation with its window. */
export async function getConversation(
  call: CallRpc,
  tenantId: string,
  id: string,
): Promise<Response> {
  const found = await call("get_conversation", { tenant_id: tenantId, conversation_id: id });
  return found === null ? noSuchConversation() : Response.json(found);
}

/** A page of what both sides wrote, the latest first. */
export async function listMessages(
  call: CallRpc,
  tenantId: string,
  id: string,
  request: Request,
): Promise<Response> {
  const parsed = parseQuery(messagesPage, request);
  if (!parsed.ok) return parsed.response;
  const { cursor = null, limit } = parsed.value;
  const page = await call("list_conversation_messages", {
    tenant_id: tenantId,
    conversation_id: id,
    cursor,
    page_limit: limit,
  });
  return page === null ? noSuchConversation() : Response.json(page);
}

export function noSuchConversation(): Response {
  return problem(404, "not_found", "The tenant has no such conversation.");
}
