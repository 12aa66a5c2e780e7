import { Hono } from "hono";
import { z, ZodError } from "zod";
import { numberRoutes } from "./number_routes.ts";
import { receivedRoutes } from "./received_routes.ts";
import { scriptRoutes } from "./script_routes.ts";
import { webhookRoutes } from "./webhook_routes.ts";
import type { World } from "../simulator.ts";

/** Everything under `/_control`, as README.md lists it. */
export function createControlApi(world: World): Hono {
  const api = new Hono();
  for (const part of [receivedRoutes, scriptRoutes, numberRoutes, webhookRoutes]) {
    api.route("/", part(world));
  }
  return refusingPlainly(api);
}

/** Answers what is malformed with 400 and a sentence about each fault. */
export function refusingPlainly(api: Hono): Hono {
  return api.onError((error, c) => {
    if (error instanceof ZodError) return c.json({ error: z.prettifyError(error) }, 400);
    if (error instanceof SyntaxError) return c.json({ error: "The body is not JSON." }, 400);
    throw error;
  });
}
