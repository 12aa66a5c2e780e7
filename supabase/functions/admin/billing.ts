import * as z from "zod";
import { parseBody } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";
import { noSuchTenant } from "./tenants.ts";

const billingBody = z.discriminatedUnion("billing", [
  z.strictObject({ billing: z.literal("none") }),
  z.strictObject({
    billing: z.literal("prepaid"),
    account_id: z.guid("must be the id of an account"),
  }),
]);

const billingOutcome = z.discriminatedUnion("outcome", [
  z.looseObject({ outcome: z.literal("set") }),
  z.object({ outcome: z.literal("tenant_not_found") }),
  z.object({ outcome: z.literal("unknown_account") }),
  z.object({ outcome: z.literal("no_rates"), currency: z.string() }),
]);

/** Says whether a tenant pays for its messages, from the next one on, and from which account. */
export async function setBilling({ call, request, actor, param }: Command): Promise<Response> {
  const body = await parseBody(billingBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const answer = billingOutcome.parse(
    await call("set_billing", { tenant_id: param("id"), billing: body.value, actor }),
  );
  switch (answer.outcome) {
    case "set": {
      const { outcome: _, ...set } = answer;
      return Response.json(set);
    }
    case "tenant_not_found":
      return noSuchTenant();
    case "unknown_account":
      return problem(422, "invalid_request", "The tenant has no such account.", {
        errors: [{ pointer: "/account_id", detail: "names no cash account of the tenant" }],
      });
    case "no_rates":
      return problem(422, "no_rate", `No rate card has prices in ${answer.currency}.`, {
        errors: [{ pointer: "/account_id", detail: "is in a currency without prices" }],
        currency: answer.currency,
      });
  }
}
