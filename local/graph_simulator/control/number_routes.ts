import { Hono } from "hono";
import { z } from "zod";
import { type BusinessNumber, numberSchema } from "../graph/business_numbers.ts";
import { customerSchema } from "../phone/customers.ts";
import { digitsOf, rewriteWaId } from "../phone_numbers.ts";
import type { World } from "../simulator.ts";
import { templateSchema } from "../graph/templates.ts";
import { expireTokens } from "../graph/tokens.ts";

const expirySchema = z.strictObject({
  token: z.string().optional(),
  replacement: z.string().optional(),
});
const upgradeSchema = z.strictObject({
  maintenance_ms: z.number().int().nonnegative().default(60_000),
  throughput_mps: z.number().positive().default(1_000),
});

/** Who there is: numbers with their accounts and tokens, customers, templates. */
export function numberRoutes(world: World): Hono {
  const { numbers, customers, templates, statuses } = world;
  const api = new Hono();

  api.get("/numbers", (c) => c.json({ numbers: numbers.all().map(numberJson) }));
  api.put("/numbers/:id{[0-9]+}", async (c) => {
    const patch = numberSchema.parse(await c.req.json());
    return c.json(numberJson(numbers.put(c.req.param("id"), patch)));
  });
  api.post("/numbers/:id{[0-9]+}/expire-token", async (c) => {
    const { token, replacement } = expirySchema.parse(await c.req.json());
    const number = numbers.resolve(c.req.param("id"));
    expireTokens(number, token, replacement);
    return c.json(numberJson(number));
  });
  api.post("/numbers/:id{[0-9]+}/upgrade", async (c) => {
    const upgrade = upgradeSchema.parse(await c.req.json());
    const number = numbers.resolve(c.req.param("id"));
    upgradeThroughput(world, number, upgrade.maintenance_ms, upgrade.throughput_mps);
    return c.json(numberJson(number));
  });

  api.put("/customers/:phone", async (c) => {
    const patch = customerSchema.parse(await c.req.json());
    const customer = customers.put(rewriteWaId(digitsOf(c.req.param("phone"))), patch);
    if (customer.online) statuses.release(customer.waId, "phone_online");
    return c.json(customer);
  });

  api.get("/templates", (c) => c.json({ templates: templates.all() }));
  api.put("/templates", async (c) => {
    const template = templateSchema.parse(await c.req.json());
    templates.put(template);
    return c.json(template);
  });

  return api;
}

/** A minute of maintenance, then the new rate and the event that tells of it. */
function upgradeThroughput(
  { clock, publishEvent }: World,
  number: BusinessNumber,
  maintenanceMs: number,
  throughputMps: number,
): void {
  number.maintenanceUntil = clock.now() + maintenanceMs;
  clock.after(maintenanceMs, () => {
    number.throughputMps = throughputMps;
    publishEvent({
      field: "phone_number_quality_update",
      phone_number_id: number.phoneNumberId,
      value: {},
    });
  });
}

function numberJson(number: BusinessNumber): Record<string, unknown> {
  const { acceptedTokens, expiredTokens, allowedRecipients } = number;
  return {
    phone_number_id: number.phoneNumberId,
    business_account_id: number.businessAccountId,
    portfolio_id: number.portfolioId,
    display_phone_number: number.displayPhoneNumber,
    verified_name: number.verifiedName,
    country_code: number.countryCode,
    access_tokens: acceptedTokens && [...acceptedTokens],
    expired_tokens: [...expiredTokens],
    throughput_mps: number.throughputMps,
    messaging_limit: number.messagingLimit,
    quality_rating: number.qualityRating,
    can_send_message: number.canSendMessage,
    registered: number.registered,
    allowed_recipients: allowedRecipients && [...allowedRecipients],
  };
}
