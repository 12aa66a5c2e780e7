import { strict as assert } from "node:assert";
import { createLog } from "../telemetry/log.ts";
import { createRouter, route } from "./router.ts";

const log = createLog({ write: () => {}, now: () => 0, fields: {} });

function setup() {
  const router = createRouter("example");
  route(router, "/", { GET: () => new Response("root") });
  route(router, "/things/:id", {
    GET: (c) => new Response(`${c.req.param("id")} ${c.env.requestId}`),
    DELETE: () => {
      throw new Error("broken");
    },
  });
  return (method: string, path: string) =>
    Promise.resolve(
      router.fetch(new Request(`http://localhost${path}`, { method }), { requestId: "r", log }),
    );
}

Deno.test("a route is below the function's name, with or without a slash at the end", async () => {
  const ask = setup();
  assert.equal(await (await ask("GET", "/example")).text(), "root");
  assert.equal(await (await ask("GET", "/example/")).text(), "root");
  assert.equal(await (await ask("GET", "/example/things/5")).text(), "5 r");
});

Deno.test("an unknown address is a 404 problem", async () => {
  const response = await setup()("GET", "/example/nothing");
  assert.equal(response.status, 404);
  assert.equal((await response.json()).code, "not_found");
});

Deno.test("an unknown method is a 405 problem that lists the known ones", async () => {
  const response = await setup()("POST", "/example/things/5");
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "GET, DELETE");
  assert.equal((await response.json()).code, "method_not_allowed");
});

Deno.test("what a route throws is left to the wrapper outside", async () => {
  await assert.rejects(setup()("DELETE", "/example/things/5"), /broken/);
});
