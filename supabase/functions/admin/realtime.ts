import * as z from "zod";
import { parseBody } from "../_shared/http/parse_body.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";
import { noSuchTenant } from "./tenants.ts";

const realtimeBody = z.strictObject({ enabled: z.boolean() });
const outcome = z.object({ outcome: z.enum(["set", "tenant_not_found"]) });

/** Says whether a tenant's changes are broadcast to Supabase Realtime. */
export async function setRealtime({ call, request, actor, param }: Command): Promise<Response> {
  const body = await parseBody(realtimeBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const { enabled } = body.value;
  const set = outcome.parse(await call("set_realtime", { tenant_id: param("id"), enabled, actor }));
  return set.outcome === "set" ? Response.json({ enabled }) : noSuchTenant();
}
