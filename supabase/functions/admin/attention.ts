import * as z from "zod";
import type { Command } from "./command.ts";
import { noSuchSender } from "./senders.ts";

const resumption = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("resumed"), causes: z.array(z.string()) }),
  z.object({ outcome: z.literal("sender_not_found") }),
]);

/**
 * Which senders wait for a person, since when and why, the latest first, at most 1,000:
 * the caller's tenant's, or all for a secret caller.
 */
export async function listAttention({ call, caller }: Command): Promise<Response> {
  const attention = await call("list_attention", { wanted_tenant_id: caller.tenantId });
  return Response.json({ attention });
}

/** Ends all that a sender waits for, since somebody has looked after it: it goes on at once. */
export async function resumeSender({ call, actor, param }: Command): Promise<Response> {
  const resumed = resumption.parse(
    await call("resume_sender", {
      tenant_id: param("id"),
      phone_number_id: param("phone_number_id"),
      actor,
    }),
  );
  switch (resumed.outcome) {
    case "resumed":
      return Response.json({ causes: resumed.causes });
    case "sender_not_found":
      return noSuchSender();
  }
}

/** A tenant's senders with what Meta told of them, at most 1,000. */
export async function listSenders({ call, param }: Command): Promise<Response> {
  return Response.json({
    senders: await call("list_senders", { wanted_tenant_id: param("id") }),
  });
}

/** What Meta told of the templates of a tenant's business accounts, at most 1,000. */
export async function listTemplates({ call, param }: Command): Promise<Response> {
  return Response.json({
    templates: await call("list_templates", { wanted_tenant_id: param("id") }),
  });
}
