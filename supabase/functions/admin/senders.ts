import * as z from "zod";
import { text } from "../_shared/fields.ts";
import { parseBody } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";
import { limit, refuseLimits, throughput } from "./limit.ts";
import { noSuchTenant } from "./tenants.ts";

const META_ID = /^\d{1,32}$/;
const metaId = z.string().regex(META_ID, "must be an id of Meta: 1 to 32 digits");
const accessToken = text(4_096).regex(/^\S+$/, "must not contain white space");
const displayPhoneNumber = text(40);

const senderBody = z.strictObject({
  phone_number_id: metaId,
  business_account_id: metaId,
  display_phone_number: displayPhoneNumber,
  access_token: accessToken,
  limit: limit.optional(),
  throughput_per_second: throughput.optional(),
});
const changes = z.strictObject({
  display_phone_number: displayPhoneNumber.optional(),
  status: z.enum(["active", "paused"]).optional(),
  limit: limit.nullable().optional(),
  throughput_per_second: throughput.optional(),
}).refine((body) => Object.keys(body).length > 0, "must change something");
const credentialBody = z.strictObject({ access_token: accessToken });

const senderOutcome = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("created"), id: z.string() }),
  z.object({ outcome: z.literal("tenant_not_found") }),
  z.object({ outcome: z.literal("phone_number_id_taken") }),
]);
const change = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.enum(["changed", "unchanged"]), sender: z.looseObject({}) }),
  z.object({ outcome: z.literal("sender_not_found") }),
]);
const removal = z.object({ outcome: z.enum(["removed", "sender_not_found"]) });
const rotationOutcome = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("rotated"), credential_version: z.int() }),
  z.object({ outcome: z.literal("sender_not_found") }),
]);

/** Gives the tenant a WhatsApp number; the token goes to Vault and comes back to nobody. */
export async function addSender(
  { call, request, caller, actor, param }: Command,
): Promise<Response> {
  const body = await parseBody(senderBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const refused = refuseLimits(caller, body.value);
  if (refused) return refused;
  const added = senderOutcome.parse(
    await call("add_sender", { tenant_id: param("id"), sender: body.value, actor }),
  );
  switch (added.outcome) {
    case "created":
      return Response.json({ id: added.id }, { status: 201 });
    case "tenant_not_found":
      return noSuchTenant();
    case "phone_number_id_taken":
      return problem(409, "conflict", "The number is a sender already.", {
        errors: [{ pointer: "/phone_number_id", detail: "is taken" }],
      });
  }
}

/** Changes a sender; its limits hold from the next claim on, and new messages take slots at its rate. */
export async function changeSender(command: Command): Promise<Response> {
  const { call, request, caller, actor } = command;
  const named = nameSender(command);
  if (named === null) return noSuchSender();
  const body = await parseBody(changes, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const refused = refuseLimits(caller, body.value);
  if (refused) return refused;
  const changed = change.parse(
    await call("change_sender", { ...named, changes: body.value, actor }),
  );
  return changed.outcome === "sender_not_found" ? noSuchSender() : Response.json(changed.sender);
}

/** Takes the number from the tenant for good: what is queued of it becomes dead letters. */
export async function removeSender(command: Command): Promise<Response> {
  const named = nameSender(command);
  if (named === null) return noSuchSender();
  const { outcome } = removal.parse(
    await command.call("remove_sender", { ...named, actor: command.actor }),
  );
  const { phone_number_id } = named;
  return outcome === "removed" ? Response.json({ phone_number_id }) : noSuchSender();
}

/** Replaces the token of a sender: every claim after this uses the new one, and what waited for it goes. */
export async function rotateCredential(command: Command): Promise<Response> {
  const { call, request, actor } = command;
  const named = nameSender(command);
  if (named === null) return noSuchSender();
  const body = await parseBody(credentialBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const rotated = rotationOutcome.parse(
    await call("rotate_credential", { ...named, access_token: body.value.access_token, actor }),
  );
  switch (rotated.outcome) {
    case "rotated":
      return Response.json({ credential_version: rotated.credential_version });
    case "sender_not_found":
      return noSuchSender();
  }
}

export function noSuchSender(): Response {
  return problem(404, "unknown_sender", "There is no such sender.");
}

function nameSender({ param }: Command): { tenant_id: string; phone_number_id: string } | null {
  const phone_number_id = param("phone_number_id");
  return META_ID.test(phone_number_id) ? { tenant_id: param("id"), phone_number_id } : null;
}
