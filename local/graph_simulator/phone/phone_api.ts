import { Hono } from "hono";
import { z } from "zod";
import { refusingPlainly } from "../control/control_api.ts";
import { customerSchema } from "./customers.ts";
import { inboundSchema } from "../webhooks/inbound.ts";
import { INBOUND_KEPT_MS } from "../graph/media.ts";
import { phoneEvents } from "./phone_events.ts";
import { digitsOf, displayPhone, rewriteWaId } from "../phone_numbers.ts";
import type { World } from "../simulator.ts";

const MOST_PICTURE_BYTES = 16 * 1024 * 1024;
const sendSchema = z.looseObject({ type: z.string() });

/** What the phone page talks to: one customer's phone and its chats. */
export function createPhoneApi(world: World): Hono {
  const { numbers, customers, chats, media, statuses } = world;
  const api = new Hono();
  const waIdOf = (phone: string) => rewriteWaId(digitsOf(phone));

  api.get("/:phone{[0-9]+}", (c) => {
    const waId = waIdOf(c.req.param("phone"));
    return c.json({
      customer: { ...customers.look(waId), display: displayPhone(waId) },
      businesses: numbers.all().map((number) => ({
        phone_number_id: number.phoneNumberId,
        name: number.verifiedName,
        display: number.displayPhoneNumber,
      })),
      chats: chats.of(waId),
      now: world.clock.now(),
    });
  });

  api.get("/:phone{[0-9]+}/events", (c) => phoneEvents(chats, waIdOf(c.req.param("phone"))));

  api.patch("/:phone{[0-9]+}", async (c) => {
    const patch = customerSchema.parse(await c.req.json());
    const customer = customers.put(waIdOf(c.req.param("phone")), patch);
    if (customer.online) statuses.release(customer.waId, "phone_online");
    if (customer.receipts === "auto") statuses.release(customer.waId, "chat_read");
    return c.json(customer);
  });

  api.post("/:phone{[0-9]+}/:business{[0-9]+}/messages", async (c) => {
    const message = sendSchema.parse(await c.req.json());
    const { phone, business } = c.req.param();
    const inbound = inboundSchema.parse({ ...message, from: phone, phone_number_id: business });
    return c.json({ message_id: world.receiveFromCustomer(inbound) });
  });

  api.post("/:phone{[0-9]+}/:business{[0-9]+}/media", async (c) => {
    const bytes = new Uint8Array(await c.req.arrayBuffer());
    if (bytes.length > MOST_PICTURE_BYTES) {
      return c.json({ error: "The picture is larger than 16 MB." }, 413);
    }
    const mimeType = c.req.header("content-type") ?? "application/octet-stream";
    const phoneNumberId = c.req.param("business");
    return c.json({ id: media.put({ phoneNumberId, mimeType, bytes }, INBOUND_KEPT_MS).id });
  });

  /** The owner looks at a chat: what waited to be read is read. */
  api.post("/:phone{[0-9]+}/:business{[0-9]+}/opened", (c) => {
    const { phone, business } = c.req.param();
    const waId = waIdOf(phone);
    if (customers.look(waId).receipts !== "off") statuses.release(waId, "chat_read", business);
    return c.json({ ok: true });
  });

  api.post("/retry", (c) => {
    world.delivery.retryNow();
    return c.json({ ok: true });
  });

  /** A phone needs no token to show a picture that it sent or got. */
  api.get("/media/:id{[0-9]+}", (c) => {
    const file = media.find(c.req.param("id"));
    if (file === undefined || file === "expired") return c.text("Not Found", 404);
    const headers = { "content-type": file.mimeType, "x-content-type-options": "nosniff" };
    return new Response(file.bytes, { headers });
  });

  return refusingPlainly(api);
}
