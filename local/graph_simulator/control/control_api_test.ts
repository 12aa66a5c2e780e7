import { strict as assert } from "node:assert";
import { createTestSimulator, type Item, NOON, NUMBER, SECRET } from "../test_simulator.ts";
import { hmacHex } from "../webhooks/signature.ts";

const hello = { from: "15550200001", phone_number_id: NUMBER, type: "text", text: { body: "Hi" } };

Deno.test("received calls are listed with their time and their whole body", async () => {
  const { json, send } = createTestSimulator();
  await send({ biz_opaque_callback_data: "a" });
  const { received, next_cursor } = await json("GET", "/_control/received");
  const [call] = received as Item[];
  assert.deepEqual([call?.at, call?.access_token, call?.outcome], [NOON, "token", "accepted"]);
  assert.equal((call?.body as Item).biz_opaque_callback_data, "a");
  assert.equal(next_cursor, 1);
  const rest = await json("GET", `/_control/received?since=${next_cursor}`);
  assert.deepEqual(rest, { received: [], next_cursor: 1 });
});

Deno.test("a body that was no JSON is listed as text", async () => {
  const { json, world } = createTestSimulator();
  await world.send({ phoneNumberId: NUMBER, authorization: "Bearer x", body: "{oops" });
  const { received } = await json("GET", "/_control/received?outcome=refused");
  assert.equal((received as Item[])[0]?.body, "{oops");
});

Deno.test("received waits until as many calls came as asked for", async () => {
  const { json, send } = createTestSimulator();
  let isAnswered = false;
  const listed = json("GET", "/_control/received?wait_for=2&to=%2B15550200001").then((answer) => {
    isAnswered = true;
    return answer;
  });
  await send();
  await send({ to: "+15550200002" });
  assert.equal(isAnswered, false);
  await send();
  assert.equal(((await listed).received as Item[]).length, 2);
});

Deno.test("received gives up waiting when its time is over", async () => {
  const { json, advance } = createTestSimulator();
  const listed = json("GET", "/_control/received?wait_for=1&timeout_ms=5000");
  await new Promise((resolve) => setTimeout(resolve));
  await advance(5_000);
  assert.deepEqual((await listed).received, []);
});

Deno.test("idle waits until every status was reported", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await send();
  const idle = json("GET", "/_control/idle");
  await new Promise((resolve) => setTimeout(resolve));
  await advance(1_000);
  assert.deepEqual(await idle, {
    idle: true,
    planned_statuses: 0,
    waiting: 0,
    in_flight: 0,
    waiting_for_retry: 0,
  });
  assert.equal(statuses().length, 3);
});

Deno.test("the clock moves when told, and everything due happens", async () => {
  const { json, send, statuses } = createTestSimulator();
  await send();
  assert.deepEqual(await json("POST", "/_control/clock", { advance_ms: 1_000 }), {
    now: NOON + 1_000,
  });
  assert.equal(statuses().length, 3);
});

Deno.test("reset clears all, or only what it names", async () => {
  const { json, send } = createTestSimulator();
  await send();
  await json("POST", "/_control/rules", { then: { error: 1 } });
  await json("POST", "/_control/reset", { only: ["rules"] });
  assert.deepEqual((await json("GET", "/_control/rules")).rules, []);
  assert.equal((await json("GET", "/_control/counts")).received, 1);
  await json("POST", "/_control/reset");
  assert.equal((await json("GET", "/_control/counts")).received, 0);
  assert.deepEqual((await json("GET", "/_control/numbers")).numbers, []);
});

Deno.test("a number gets its account, its display number and its rate", async () => {
  const { json, advance, webhooks } = createTestSimulator();
  await json("PUT", `/_control/numbers/${NUMBER}`, {
    business_account_id: "777",
    display_phone_number: "+49 30 901820",
    throughput_mps: 20,
  });
  await json("POST", "/_control/inbound", hello);
  await advance(10);
  const [entry] = JSON.parse(webhooks[0]?.text ?? "").entry;
  assert.equal(entry.id, "777");
  assert.deepEqual(entry.changes[0].value.metadata, {
    display_phone_number: "4930901820",
    phone_number_id: NUMBER,
  });
});

Deno.test("an upgrade is a minute of maintenance, then the new rate and an event", async () => {
  const { json, send, advance, webhooks, world } = createTestSimulator();
  await json("POST", `/_control/numbers/${NUMBER}/upgrade`, {});
  assert.equal((await (await send()).json()).error.code, 131057);
  await advance(60_010);
  assert.equal((await send()).status, 200);
  assert.equal(world.numbers.find(NUMBER)?.throughputMps, 1_000);
  assert.match(webhooks[0]?.text ?? "", /THROUGHPUT_UPGRADE/);
});

Deno.test("raw bytes are posted as they are, signed as asked, as often as asked", async () => {
  const { world, webhooks } = createTestSimulator();
  const { createRoutes } = await import("../routes.ts");
  const raw = '{"object" : "whatsapp_business_account", "x":"é"}';
  const url = "http://simulator.test/_control/webhooks/raw?copies=2&signature=wrong_secret";
  const response = await createRoutes(world)(new Request(url, { method: "POST", body: raw }));
  assert.deepEqual(await response.json(), { statuses: [200, 200] });
  assert.deepEqual(webhooks.map(({ text }) => text), [raw, raw]);
  assert.notEqual(
    webhooks[0]?.headers.get("x-hub-signature-256"),
    `sha256=${hmacHex(raw, SECRET)}`,
  );
});

Deno.test("the dashboard's test is signed and of nobody's account", async () => {
  const { json, webhooks } = createTestSimulator();
  await json("POST", "/_control/webhooks/dashboard-test");
  const text = webhooks[0]?.text ?? "";
  const [entry] = JSON.parse(text).entry;
  assert.equal(entry.id, "0");
  assert.equal(entry.changes[0].value.metadata.phone_number_id, "123456123");
  assert.equal(webhooks[0]?.headers.get("x-hub-signature-256"), `sha256=${hmacHex(text, SECRET)}`);
});

Deno.test("webhooks are tallied, and waiting retries can be sent at once", async () => {
  let isUp = false;
  const { json, advance } = createTestSimulator(() =>
    new Response(null, { status: isUp ? 200 : 503 })
  );
  await json("POST", "/_control/inbound", hello);
  await advance(10);
  const before = await json("GET", "/_control/webhooks");
  assert.deepEqual([before.accepted, before.not_accepted, before.waiting_for_retry], [0, 2, 1]);
  isUp = true;
  await json("POST", "/_control/webhooks/retry");
  await advance(0);
  const after = await json("GET", "/_control/webhooks");
  assert.deepEqual([after.accepted, after.updates_accepted, after.waiting_for_retry], [1, 1, 0]);
  assert.equal((after.recent as Item[]).at(-1)?.attempt, 3);
});

const callbacks: [string, (challenge: string) => Response, number][] = [
  ["the bare challenge", (challenge) => new Response(challenge), 200],
  ["the challenge as JSON", (challenge) => Response.json(challenge), 422],
  ["201", (challenge) => new Response(challenge, { status: 201 }), 422],
  ["403", () => new Response("no", { status: 403 }), 422],
];

for (const [label, answer, status] of callbacks) {
  Deno.test(`a callback that answers the handshake with ${label}: ${status}`, async () => {
    const { request, world, webhooks } = createTestSimulator(({ url }) => {
      const query = new URL(url).searchParams;
      assert.equal(query.get("hub.mode"), "subscribe");
      assert.equal(query.get("hub.verify_token"), "verify");
      return answer(query.get("hub.challenge") ?? "");
    });
    const url = "http://new.test/hook?a=1";
    assert.equal((await request("PUT", "/_control/subscription", { url })).status, status);
    assert.equal(world.subscription.url === url, status === 200);
    assert.equal(webhooks[0]?.headers.has("x-hub-signature-256"), false);
  });
}

Deno.test("a rotated secret signs from now on, and the old one can still be tried", async () => {
  const { json, webhooks } = createTestSimulator();
  await json("PUT", "/_control/subscription", { app_secret: "new" });
  await json("POST", "/_control/webhooks/dashboard-test");
  await json("POST", "/_control/webhooks/dashboard-test?signature=old_secret");
  const secrets = webhooks.map(({ text, headers }) =>
    ["new", SECRET].find((secret) =>
      headers.get("x-hub-signature-256") === `sha256=${hmacHex(text, secret)}`
    )
  );
  assert.deepEqual(secrets, ["new", SECRET]);
});

const malformed: [string, string, unknown][] = [
  ["POST", "/_control/rules", { then: { explode: true } }],
  ["PATCH", "/_control/settings", { colour: "red" }],
  ["POST", "/_control/clock", { advance_ms: -1 }],
  ["PUT", `/_control/numbers/${NUMBER}`, { quality_rating: "BLUE" }],
  ["PUT", "/_control/templates", { name: "Hello" }],
  ["POST", "/_control/events", {}],
  ["GET", "/_control/received?limit=0", undefined],
];

for (const [method, path, body] of malformed) {
  Deno.test(`${method} ${path} with ${JSON.stringify(body)} answers 400 and why`, async () => {
    const { request } = createTestSimulator();
    const response = await request(method, path, body);
    assert.equal(response.status, 400);
    assert.ok((await response.json()).error.length > 0);
  });
}
