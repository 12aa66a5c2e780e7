import * as z from "zod";
import { MACHINE_IDS } from "../_shared/conversation/released.ts";
import { parseBody } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { UUID } from "../_shared/uuid.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";
import { noSuchTenant } from "./tenants.ts";

const machine = z.string().refine(
  (id) => MACHINE_IDS.includes(id),
  `must be a machine of this project: ${MACHINE_IDS.join(", ")}`,
);
const botBody = z.strictObject({ machine }).nullable();
const outcome = z.object({ outcome: z.enum(["set", "tenant_not_found"]) });

/** Chooses the machine that answers the tenant's customers; null lets nobody answer but the tenant. */
export async function setBot({ call, request, actor, param }: Command): Promise<Response> {
  const body = await parseBody(botBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const chosen = body.value?.machine ?? null;
  const set = outcome.parse(
    await call("set_bot", { tenant_id: param("id"), machine: chosen, actor }),
  );
  return set.outcome === "set" ? Response.json(body.value) : noSuchTenant();
}

const eventBody = z.strictObject({ type: z.enum(["agent.took", "agent.returned"]) });
const told = z.enum(["told", "no_machine", "conversation_not_found"]);

/** Tells the conversation's machine that a person took it, or gave it back. */
export async function tellConversation(
  { call, request, param }: Command,
): Promise<Response> {
  const conversationId = param("conversation_id");
  if (!UUID.test(conversationId)) return noSuchConversation();
  const body = await parseBody(eventBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const outcome = told.parse(
    await call("tell_conversation", {
      tenant_id: param("id"),
      conversation_id: conversationId,
      event: body.value.type,
    }),
  );
  switch (outcome) {
    case "told":
      return Response.json(body.value, { status: 202 });
    case "no_machine":
      return problem(409, "conflict", "No machine leads this conversation, or it is parked.");
    case "conversation_not_found":
      return noSuchConversation();
  }
}

function noSuchConversation(): Response {
  return problem(404, "not_found", "There is no such conversation.");
}
