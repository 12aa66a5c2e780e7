import { type Context, Hono } from "hono";
import { z } from "zod";
import { eventSchema, sampledFields } from "../webhooks/account_events.ts";
import { dashboardEvent } from "../webhooks/dashboard_event.ts";
import { shakeHands } from "../webhooks/handshake.ts";
import { inboundSchema } from "../webhooks/inbound.ts";
import { signatureModes } from "../webhooks/signature.ts";
import type { World } from "../simulator.ts";
import { toWireJson } from "../webhooks/wire_json.ts";

const rawQuery = z.strictObject({
  signature: z.enum(signatureModes).default("valid"),
  copies: z.coerce.number().int().min(1).max(1_000).default(1),
});
const subscriptionSchema = z.strictObject({
  url: z.url().optional(),
  verify_token: z.string().optional(),
  app_secret: z.string().min(1).optional(),
});

/** What comes to the business: customers' messages, events, and bodies made by hand. */
export function webhookRoutes(world: World): Hono {
  const api = new Hono();

  api.post("/inbound", async (c) => {
    const body: unknown = await c.req.json();
    if (!Array.isArray(body)) {
      return c.json({ message_id: world.receiveFromCustomer(inboundSchema.parse(body)) });
    }
    const messages = z.array(inboundSchema).max(10_000).parse(body);
    return c.json({ message_ids: messages.map(world.receiveFromCustomer) });
  });

  api.post("/events", async (c) => {
    world.publishEvent(eventSchema.parse(await c.req.json()));
    return c.json({ ok: true });
  });
  api.get("/events", (c) => c.json({ fields: sampledFields }));

  api.get("/webhooks", (c) =>
    c.json({
      ...world.poster.tally(),
      ...world.delivery.pending(),
      recent: world.poster.recent(),
    }));
  api.post("/webhooks/retry", (c) => {
    world.delivery.retryNow();
    return c.json({ ok: true });
  });
  api.post(
    "/webhooks/raw",
    async (c) => postNow(c, world, new Uint8Array(await c.req.arrayBuffer())),
  );
  api.post(
    "/webhooks/dashboard-test",
    (c) => postNow(c, world, new TextEncoder().encode(toWireJson(dashboardEvent))),
  );

  api.put("/subscription", async (c) => {
    const wanted = subscriptionSchema.parse(await c.req.json());
    const refused = await changeSubscription(world, wanted);
    const { url } = world.subscription;
    return refused === null ? c.json({ url }) : c.json({ error: refused, url }, 422);
  });

  return api;
}

/** Posts exactly these bytes at once, as often as asked and in parallel, and tells the answers. */
async function postNow(c: Context, world: World, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  const { signature, copies } = rawQuery.parse(c.req.query());
  const about = { updates: 0, attempt: 1 };
  const statuses = await Promise.all(
    Array.from(
      { length: copies },
      () => world.poster.post(world.subscription, body, signature, about),
    ),
  );
  return c.json({ statuses });
}

/** A new URL or token counts only once the callback has shaken hands; a secret counts at once. */
async function changeSubscription(
  { subscription, fetch, ids }: World,
  wanted: z.output<typeof subscriptionSchema>,
): Promise<string | null> {
  const url = wanted.url ?? subscription.url;
  const verifyToken = wanted.verify_token ?? subscription.verifyToken;
  if (wanted.url !== undefined || wanted.verify_token !== undefined) {
    const handshake = await shakeHands({ fetch, url, verifyToken, challenge: ids.media() });
    if (!handshake.ok) return handshake.reason;
  }
  subscription.url = url;
  subscription.verifyToken = verifyToken;
  if (wanted.app_secret === undefined) return null;
  subscription.secrets = { current: wanted.app_secret, previous: subscription.secrets.current };
  return null;
}
