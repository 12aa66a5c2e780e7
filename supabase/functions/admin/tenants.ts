import * as z from "zod";
import { text } from "../_shared/fields.ts";
import { parseBody, parseQuery } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const META_ID = /^\d{1,32}$/;
const metaId = z.string().regex(META_ID, "must be an id of Meta: 1 to 32 digits");
const accessToken = text(4_096).regex(/^\S+$/, "must not contain white space");

const tenantBody = z.strictObject({
  slug: z.string().regex(DNS_LABEL, "must be small letters, digits and inner hyphens, at most 63"),
  name: text(200),
});
const senderBody = z.strictObject({
  phone_number_id: metaId,
  business_account_id: metaId,
  display_phone_number: text(40),
  access_token: accessToken,
  limit: z.strictObject({
    messages: z.int().min(1).max(1_000_000),
    window_seconds: z.int().min(1).max(86_400),
  }).optional(),
  throughput_per_second: z.int().min(1).max(1_000).optional(),
});
const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;
const page = z.object({
  search: text(200).optional(),
  cursor: z.string().regex(DNS_LABEL, "must be the next_cursor of a page").optional(),
  limit: z.string().regex(/^\d{1,9}$/, "must be a number").transform(Number)
    .pipe(z.int().min(1).max(MAX_PAGE)).optional(),
});
const credentialBody = z.strictObject({ access_token: accessToken });

const tenantOutcome = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("created"), id: z.string() }),
  z.object({ outcome: z.literal("slug_taken") }),
]);
const senderOutcome = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("created"), id: z.string() }),
  z.object({ outcome: z.literal("tenant_not_found") }),
  z.object({ outcome: z.literal("phone_number_id_taken") }),
]);
const rotationOutcome = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("rotated"), credential_version: z.int() }),
  z.object({ outcome: z.literal("sender_not_found") }),
]);

/** A page of the tenants by slug; `search` is looked for in slugs and names. */
export async function listTenants({ call, request }: Command): Promise<Response> {
  const parsed = parseQuery(page, request);
  if (!parsed.ok) return parsed.response;
  const { search = null, cursor = null, limit = DEFAULT_PAGE } = parsed.value;
  const tenants = await call("list_tenants", { search, after_slug: cursor, page_limit: limit });
  const isFull = tenants.length === limit;
  return Response.json({ tenants, next_cursor: isFull ? tenants.at(-1)?.slug : null });
}

/** Makes a tenant; its slug is its own for ever. */
export async function createTenant({ call, request, actor }: Command): Promise<Response> {
  const body = await parseBody(tenantBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const created = tenantOutcome.parse(await call("create_tenant", { ...body.value, actor }));
  switch (created.outcome) {
    case "created":
      return Response.json({ id: created.id }, { status: 201 });
    case "slug_taken":
      return problem(409, "conflict", "Another tenant has this slug.", {
        errors: [{ pointer: "/slug", detail: "is taken" }],
      });
  }
}

/** Gives the tenant a WhatsApp number; the token goes to Vault and comes back to nobody. */
export async function addSender({ call, request, actor, param }: Command): Promise<Response> {
  const body = await parseBody(senderBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
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

/** Replaces the token of a sender: every claim after this uses the new one, and what waited for it goes. */
export async function rotateCredential(command: Command): Promise<Response> {
  const { call, request, actor, param } = command;
  if (!META_ID.test(param("phone_number_id"))) return noSuchSender();
  const body = await parseBody(credentialBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const rotated = rotationOutcome.parse(
    await call("rotate_credential", {
      tenant_id: param("id"),
      phone_number_id: param("phone_number_id"),
      access_token: body.value.access_token,
      actor,
    }),
  );
  switch (rotated.outcome) {
    case "rotated":
      return Response.json({ credential_version: rotated.credential_version });
    case "sender_not_found":
      return noSuchSender();
  }
}

export function noSuchTenant(): Response {
  return problem(404, "not_found", "There is no such tenant.");
}

export function noSuchSender(): Response {
  return problem(404, "unknown_sender", "There is no such sender.");
}
