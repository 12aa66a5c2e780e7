import * as z from "zod";
import { MACHINE_IDS } from "../_shared/conversation/released.ts";
import { parseBody } from "../_shared/http/parse_body.ts";
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
