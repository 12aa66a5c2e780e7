import type { Command } from "./command.ts";

/**
 * Which senders are paused and wait for a person, since when and why, the latest first, at most 1,000:
 * the caller's tenant's, or all for a secret caller.
 */
export async function listAttention({ call, caller }: Command): Promise<Response> {
  const attention = await call("list_attention", { wanted_tenant_id: caller.tenantId });
  return Response.json({ attention });
}
