import type { Caller, Identify } from "./caller.ts";
import { problem } from "./problem.ts";
import { mayDo, whoMay } from "./roles.ts";
import type { Action } from "./roles.ts";

export type Admitted = { ok: true; caller: Caller } | { ok: false; response: Response };
export type AdmittedToTenant =
  | { ok: true; caller: Caller; tenantId: string }
  | { ok: false; response: Response };

/** Lets in who is known and whose role names the action; the problem to answer otherwise. */
export async function admit(
  identify: Identify,
  request: Request,
  action: Action,
): Promise<Admitted> {
  const identified = await identify(request);
  if (!identified.ok || mayDo(identified.caller, action)) return identified;
  const detail = `The caller's role does not include this: it takes ${whoMay(action)}.`;
  return { ok: false, response: problem(403, "forbidden", detail) };
}

/** As admit, for routes that act for one tenant: a secret caller names it by x-tenant-id. */
export async function admitToTenant(
  identify: Identify,
  request: Request,
  action: Action,
): Promise<AdmittedToTenant> {
  const admitted = await admit(identify, request, action);
  if (!admitted.ok) return admitted;
  const { tenantId } = admitted.caller;
  if (tenantId !== null) return { ok: true, caller: admitted.caller, tenantId };
  const detail = "A secret caller names the tenant by the header x-tenant-id: " +
    "GET /admin/tenants lists them.";
  return { ok: false, response: problem(400, "invalid_tenant_id", detail) };
}

/** Who did it, for the audit log. */
export function actorOf(caller: Caller): { kind: string; id?: string } {
  switch (caller.kind) {
    case "secret":
      return { kind: "secret" };
    case "tenant":
      return { kind: "api_key", id: caller.keyId };
    case "user":
      return { kind: "user", id: caller.userId };
  }
}
