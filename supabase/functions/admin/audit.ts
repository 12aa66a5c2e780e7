import * as z from "zod";
import { parseQuery } from "../_shared/http/parse_body.ts";
import type { Command } from "./command.ts";

const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;

const page = z.object({
  cursor: z.string().regex(/^\d{1,15}$/, "must be the next_cursor of a page").transform(Number)
    .optional(),
  limit: z.string().regex(/^\d{1,9}$/, "must be a number").transform(Number)
    .pipe(z.int().min(1).max(MAX_PAGE)).optional(),
});

/** A page of the audit log, newest first: the caller's tenant, or all for a secret caller. */
export async function listAudit({ call, request, caller }: Command): Promise<Response> {
  const parsed = parseQuery(page, request);
  if (!parsed.ok) return parsed.response;
  const { cursor = null, limit = DEFAULT_PAGE } = parsed.value;
  const entries = await call("list_audit", {
    wanted_tenant_id: caller.tenantId,
    before_id: cursor,
    page_limit: limit,
  });
  const isFull = entries.length === limit;
  return Response.json({ entries, next_cursor: isFull ? String(entries.at(-1)?.id) : null });
}
