import * as z from "zod";
import { text } from "../_shared/fields.ts";
import { parseBody, parseQuery } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { pageLimit } from "../_shared/http/query_fields.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";
import { limit } from "./limit.ts";

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

const tenantBody = z.strictObject({
  slug: z.string().regex(DNS_LABEL, "must be small letters, digits and inner hyphens, at most 63"),
  name: text(200),
});
const changes = z.strictObject({
  name: text(200).optional(),
  status: z.enum(["active", "suspended"]).optional(),
  limit: limit.optional(),
}).refine((body) => Object.keys(body).length > 0, "must change something");
const page = z.object({
  search: text(200).optional(),
  cursor: z.string().regex(DNS_LABEL, "must be the next_cursor of a page").optional(),
  limit: pageLimit({ usual: 50, most: 200 }),
});

const tenantOutcome = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("created"), id: z.string() }),
  z.object({ outcome: z.literal("slug_taken") }),
]);
const change = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.enum(["changed", "unchanged"]), tenant: z.looseObject({}) }),
  z.object({ outcome: z.literal("tenant_not_found") }),
]);

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

/** A page of the tenants by slug; `search` is looked for in slugs and names. */
export async function listTenants({ call, request }: Command): Promise<Response> {
  const parsed = parseQuery(page, request);
  if (!parsed.ok) return parsed.response;
  const { search = null, cursor = null, limit } = parsed.value;
  return Response.json(
    await call("list_tenants", { search, after_slug: cursor, page_limit: limit }),
  );
}

/** One tenant, with its limit and how many senders it has. */
export async function readTenant({ call, param }: Command): Promise<Response> {
  const tenant = await call("read_tenant", { wanted_tenant_id: param("id") });
  return tenant === null ? noSuchTenant() : Response.json(tenant);
}

/** Changes a tenant. Once it is suspended nothing of it is claimed; once it is active, all at once. */
export async function changeTenant({ call, request, actor, param }: Command): Promise<Response> {
  const body = await parseBody(changes, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const changed = change.parse(
    await call("change_tenant", { tenant_id: param("id"), changes: body.value, actor }),
  );
  return changed.outcome === "tenant_not_found" ? noSuchTenant() : Response.json(changed.tenant);
}

export function noSuchTenant(): Response {
  return problem(404, "not_found", "There is no such tenant.");
}
