import { Hono } from "hono";
import { createControlApi } from "./control/control_api.ts";
import { createGraphApi } from "./graph/graph_api.ts";
import { createPhoneApi } from "./phone/phone_api.ts";
import { createPhonePage } from "./phone/phone_page.ts";
import type { World } from "./simulator.ts";

/** All addresses of the simulator. `Response.error()` stands for a broken connection. */
export function createRoutes(world: World): (request: Request) => Promise<Response> {
  const app = new Hono();
  app.route("/_control", createControlApi(world));
  app.route("/_phone", createPhoneApi(world));
  app.route("/", createPhonePage());
  app.route("/", createGraphApi(world));
  return async (request) => await app.fetch(request);
}
