import * as z from "zod";
import { sha256Hex } from "../_shared/bytes.ts";
import { text } from "../_shared/fields.ts";
import { API_KEY_PREFIX, ROLES } from "../_shared/http/caller.ts";
import { parseBody } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { mayGrant } from "../_shared/http/roles.ts";
import { UUID } from "../_shared/uuid.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";
import { mayNotGrant } from "./members.ts";
import { noSuchTenant } from "./tenants.ts";

const KEY_BYTES = 32;
/** So much of a key is kept readable, to tell one from another. */
const SHOWN_CHARACTERS = API_KEY_PREFIX.length + 6;

const keyBody = z.strictObject({ name: text(200), role: z.enum(ROLES) });

const keyOutcome = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("created"), id: z.string() }),
  z.object({ outcome: z.literal("tenant_not_found") }),
]);
const revocation = z.object({ outcome: z.enum(["revoked", "not_found"]) });

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

/** The tenant's keys by how they begin, with when each was last used to within five minutes; at most 1,000. */
export async function listApiKeys({ call, param }: Command): Promise<Response> {
  return Response.json({
    api_keys: await call("list_api_keys", { wanted_tenant_id: param("id") }),
  });
}

/** Ends a key: whoever calls with it from now on is answered 401. */
export async function revokeApiKey({ call, actor, param }: Command): Promise<Response> {
  const key_id = param("key_id");
  if (!UUID.test(key_id)) return noSuchKey();
  const { outcome } = revocation.parse(
    await call("revoke_api_key", { tenant_id: param("id"), key_id, actor }),
  );
  return outcome === "revoked" ? Response.json({ id: key_id }) : noSuchKey();
}

function noSuchKey(): Response {
  return problem(404, "not_found", "The tenant has no such key, or it is revoked already.");
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_")
    .replace(/=+$/, "");
}
