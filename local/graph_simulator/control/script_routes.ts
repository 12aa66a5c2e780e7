import { Hono } from "hono";
import { z } from "zod";
import { travel } from "../script/time_travel.ts";
import { resettableParts, type World } from "../simulator.ts";

const resetSchema = z.strictObject({ only: z.array(z.enum(resettableParts)).optional() });
const clockSchema = z.strictObject({ advance_ms: z.number().int().nonnegative() });
const idleQuery = z.strictObject({
  timeout_ms: z.coerce.number().int().min(0).max(120_000).default(10_000),
});

/** How long a journey through time waits for the webhooks of one moment. */
const LONGEST_ANSWER_MS = 250;

/** The script: rules of misbehaviour, settings, the clock, and back to the beginning. */
export function scriptRoutes(world: World): Hono {
  const { rules, settings, clock } = world;
  const api = new Hono();

  api.get("/rules", (c) => c.json({ rules: rules.all() }));
  api.post("/rules", async (c) => c.json(rules.add(await c.req.json()), 201));
  api.delete("/rules", (c) => {
    rules.clear();
    return c.json({ ok: true });
  });
  api.delete("/rules/:id", (c) => {
    const removed = rules.remove(Number(c.req.param("id")));
    return removed ? c.json({ ok: true }) : c.json({ error: "No such rule." }, 404);
  });

  api.get("/settings", (c) => c.json(settings.current));
  api.patch("/settings", async (c) => c.json(settings.patch(await c.req.json())));

  api.post("/clock", async (c) => {
    const { advance_ms } = clockSchema.parse(await c.req.json());
    await travel(clock, advance_ms, () => world.answered.wait(LONGEST_ANSWER_MS));
    return c.json({ now: clock.now() });
  });
  api.get("/clock", (c) => c.json({ now: clock.now() }));

  api.get("/idle", async (c) => {
    const { timeout_ms } = idleQuery.parse(c.req.query());
    const idle = await world.idleness.wait(timeout_ms);
    const pending = world.delivery.pending();
    return c.json({ idle, planned_statuses: world.statuses.planned(), ...pending });
  });

  api.post("/reset", async (c) => {
    const text = await c.req.text();
    const { only } = resetSchema.parse(text === "" ? {} : JSON.parse(text));
    world.reset(only);
    return c.json({ ok: true });
  });

  return api;
}
