import { strict as assert } from "node:assert";
import { createTestSimulator, type Item, NUMBER } from "../test_simulator.ts";

Deno.test("a number shows its usual fields, or those asked for with its id", async () => {
  const { json } = createTestSimulator();
  const usual = await json("GET", `/v25.0/${NUMBER}`);
  assert.equal(usual.display_phone_number, "+1 555 010 0001");
  assert.deepEqual(usual.throughput, { level: "STANDARD" });
  assert.deepEqual(await json("GET", `/v25.0/${NUMBER}?fields=quality_rating,nothing`), {
    quality_rating: "GREEN",
    id: NUMBER,
  });
});

Deno.test("health_status tells of a blocked number with an error code", async () => {
  const { json } = createTestSimulator();
  await json("PUT", `/_control/numbers/${NUMBER}`, { can_send_message: "BLOCKED" });
  const { health_status } = await json("GET", `/v25.0/${NUMBER}?fields=health_status`);
  const { can_send_message, entities } = health_status as {
    can_send_message: string;
    entities: Item[];
  };
  assert.equal(can_send_message, "BLOCKED");
  assert.equal((entities[0]?.errors as Item[])[0]?.error_code, 141002);
});

Deno.test("an account has a health_status too", async () => {
  const { json, world } = createTestSimulator();
  world.numbers.resolve(NUMBER);
  const account = await json("GET", "/v25.0/200000000000001?fields=health_status");
  assert.deepEqual(Object.keys(account), ["health_status", "id"]);
});

Deno.test("an unknown object is 100/33 when the settings are strict", async () => {
  const { request, world } = createTestSimulator();
  world.settings.patch({ strict: true });
  const response = await request("GET", "/v25.0/404");
  assert.equal(response.status, 400);
  assert.equal((await response.json()).error.error_subcode, 33);
});

Deno.test("an expired token may not look at its number", async () => {
  const { request, json } = createTestSimulator();
  await json("POST", `/_control/numbers/${NUMBER}/expire-token`, { token: "token" });
  assert.equal((await request("GET", `/v25.0/${NUMBER}`)).status, 401);
});
