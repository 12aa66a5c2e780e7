import * as z from "zod";
import { sha256Hex } from "../_shared/bytes.ts";
import { text } from "../_shared/fields.ts";
import { API_KEY_PREFIX, ROLES } from "../_shared/http/caller.ts";
import { parseBody } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { mayGrant } from "../_shared/http/roles.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";
import { noSuchTenant } from "./tenants.ts";

const KEY_BYTES = 32;
/** So much of a key is kept readable, to tell one from another. */
const SHOWN_CHARACTERS = API_KEY_PREFIX.length + 6;

const role = z.enum(ROLES);
const keyBody = z.strictObject({ name: text(200), role });
const memberBody = z.strictObject({ user_id: z.guid("must be the UUID of a user"), role });

const keyOutcome = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("created"), id: z.string() }),
  z.object({ outcome: z.literal("tenant_not_found") }),
]);
const memberOutcome = z.object({ outcome: z.enum(["set", "tenant_not_found", "user_not_found"]) });

/** Makes an API key and shows it this once: only its hash is kept. */
export async function createApiKey(command: Command): Promise<Response> {
  const { call, request, caller, actor, param, randomBytes } = command;
  const body = await parseBody(keyBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  if (!mayGrant(caller, body.value.role)) return mayNotGrant();
  const key = `${API_KEY_PREFIX}${toBase64Url(randomBytes(KEY_BYTES))}`;
  const created = keyOutcome.parse(
    await call("create_api_key", {
      tenant_id: param("id"),
      ...body.value,
      key_hash: await sha256Hex(key),
      key_prefix: key.slice(0, SHOWN_CHARACTERS),
      actor,
    }),
  );
  switch (created.outcome) {
    case "created":
      return Response.json({ id: created.id, key }, { status: 201 });
    case "tenant_not_found":
      return noSuchTenant();
  }
}

/** Gives a user a role in the tenant, or another one than before. */
export async function setMember(
  { call, request, caller, actor, param }: Command,
): Promise<Response> {
  const body = await parseBody(memberBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  if (!mayGrant(caller, body.value.role)) return mayNotGrant();
  const { outcome } = memberOutcome.parse(
    await call("set_member", { tenant_id: param("id"), ...body.value, actor }),
  );
  switch (outcome) {
    case "set":
      return Response.json(body.value);
    case "tenant_not_found":
      return noSuchTenant();
    case "user_not_found":
      return problem(422, "invalid_request", "There is no such user.", {
        errors: [{ pointer: "/user_id", detail: "is no user of this project" }],
      });
  }
}

function mayNotGrant(): Response {
  return problem(403, "forbidden", "Nobody gives a role with more rights than their own.");
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_")
    .replace(/=+$/, "");
}
