import * as z from "zod";
import { parseQuery } from "../_shared/http/parse_body.ts";
import { numberedCursor, pageLimit } from "../_shared/http/query_fields.ts";
import type { Command } from "./command.ts";

const page = z.object({
  cursor: numberedCursor().optional(),
  limit: pageLimit({ usual: 50, most: 200 }),
});

/** A page of the audit log, newest first: the caller's tenant, or all for a secret caller. */
export async function listAudit({ call, request, caller }: Command): Promise<Response> {
  const parsed = parseQuery(page, request);
  if (!parsed.ok) return parsed.response;
  const { cursor = null, limit } = parsed.value;
  const entries = await call("list_audit", {
    wanted_tenant_id: caller.tenantId,
    before_id: cursor,
    page_limit: limit,
  });
  const isFull = entries.length === limit;
  return Response.json({ entries, next_cursor: isFull ? String(entries.at(-1)?.id) : null });
}
