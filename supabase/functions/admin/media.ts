import * as z from "zod";
import { parseBody } from "../_shared/http/parse_body.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";
import { noSuchTenant } from "./tenants.ts";

const mediaBody = z.strictObject({
  keep: z.enum(["none", "all"]),
  days: z.int().min(1).max(3650).optional(),
});
const outcome = z.object({ outcome: z.enum(["set", "tenant_not_found"]) });

/** Says whether the files of a tenant's customers are kept in Storage, and for how many days. */
export async function setMedia({ call, request, actor, param }: Command): Promise<Response> {
  const body = await parseBody(mediaBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const { keep, days = null } = body.value;
  const set = outcome.parse(
    await call("set_media", { tenant_id: param("id"), keep, days, actor }),
  );
  return set.outcome === "set" ? Response.json({ keep, days }) : noSuchTenant();
}
