import { strict as assert } from "node:assert";
import { createTestSimulator, type Item, NUMBER } from "../test_simulator.ts";

async function errorOf(response: Response): Promise<Item> {
  return (await response.json()).error;
}

Deno.test("a text is answered with the recipient's wa_id and a wamid", async () => {
  const { send, world } = createTestSimulator();
  const response = await send({ to: "+1 (555) 020-0001" });
  assert.equal(response.status, 200);
  const { messages, ...rest } = await response.json();
  assert.deepEqual(rest, {
    messaging_product: "whatsapp",
    contacts: [{ input: "+1 (555) 020-0001", wa_id: "15550200001" }],
  });
  assert.equal(messages.length, 1);
  assert.equal(messages[0].id, world.received.page({}, 0, 1)[0]?.wamid);
});

Deno.test("only a template is answered with a message_status", async () => {
  const { send } = createTestSimulator();
  const template = { name: "hello", language: { code: "en" } };
  const { messages } = await (await send({ type: "template", template })).json();
  assert.equal(messages[0].message_status, "accepted");
});

Deno.test("every version of the API is served", async () => {
  const { request } = createTestSimulator();
  const body = { messaging_product: "whatsapp", to: "+15550200001", text: { body: "x" } };
  for (const version of ["v21.0", "v25.0", "v26.0"]) {
    assert.equal((await request("POST", `/${version}/${NUMBER}/messages`, body)).status, 200);
  }
});

Deno.test("a call without token is refused with 104 and remembered", async () => {
  const { world } = createTestSimulator();
  const answer = await world.send({ phoneNumberId: NUMBER, authorization: null, body: "{}" });
  assert.equal(answer.kind === "json" && answer.status, 401);
  assert.equal(world.received.page({}, 0, 1)[0]?.code, 104);
});

Deno.test("a body that is no JSON object is refused with 100", async () => {
  const { world } = createTestSimulator();
  for (const body of ["", "{", "[]", "null"]) {
    const answer = await world.send({ phoneNumberId: NUMBER, authorization: "Bearer x", body });
    assert.equal(answer.kind === "json" && JSON.parse(answer.text).error.code, 100);
  }
});

Deno.test("an unknown number is registered with an account of its own, unless strict", async () => {
  const { request, world } = createTestSimulator();
  const body = { messaging_product: "whatsapp", to: "+15550200001", text: { body: "x" } };
  await request("POST", "/v25.0/123000000000009/messages", body);
  assert.equal(world.numbers.find("123000000000009")?.businessAccountId, "223000000000009");
  world.settings.patch({ strict: true });
  const response = await request("POST", "/v25.0/999/messages", body);
  const error = await errorOf(response);
  assert.deepEqual([response.status, error.code, error.error_subcode], [400, 100, 33]);
});

Deno.test("the demo number belongs to the demo account", () => {
  const number = createTestSimulator().world.numbers.resolve(NUMBER);
  assert.equal(number.businessAccountId, "200000000000001");
  assert.equal(number.displayPhoneNumber, "+1 555 010 0001");
});

Deno.test("an expired token answers 190/463 and its replacement goes on", async () => {
  const { json, send } = createTestSimulator();
  const expire = `/_control/numbers/${NUMBER}/expire-token`;
  await json("POST", expire, { token: "token" });
  const error = await errorOf(await send());
  assert.deepEqual([error.code, error.error_subcode], [190, 463]);
  await json("POST", expire, { replacement: "token" });
  assert.equal((await send()).status, 200);
});

Deno.test("a number with listed tokens takes no other", async () => {
  const { json, send } = createTestSimulator();
  await json("PUT", `/_control/numbers/${NUMBER}`, { access_tokens: ["good"] });
  assert.equal((await send()).status, 401);
  await json("PUT", `/_control/numbers/${NUMBER}`, { access_tokens: ["good", "token"] });
  assert.equal((await send()).status, 200);
});

Deno.test("mark-as-read and typing answer success and send nothing", async () => {
  const { request, world, advance, webhooks } = createTestSimulator();
  const read = { messaging_product: "whatsapp", status: "read", message_id: "wamid.x" };
  const path = `/v25.0/${NUMBER}/messages`;
  for (const body of [read, { ...read, typing_indicator: { type: "text" } }]) {
    assert.deepEqual(await (await request("POST", path, body)).json(), { success: true });
  }
  await advance(1_000);
  assert.deepEqual(world.received.page({}, 0, 9).map(({ type }) => type), ["read", "typing"]);
  assert.equal(webhooks.length, 0);
});

const refusals: [string, Item, Item, number][] = [
  ["itself", {}, { to: "+15550100001" }, 131021],
  ["what is no phone number", {}, { to: "bob" }, 131009],
  ["a group, since there is none", {}, { recipient_type: "group", to: "g" }, 131020],
  ["somebody not on a test number's list", { allowed_recipients: ["+15550200009"] }, {}, 131030],
  ["anybody from a number that is not registered", { registered: false }, {}, 133010],
];

for (const [label, number, change, code] of refusals) {
  Deno.test(`a message to ${label} is refused with ${code}`, async () => {
    const { json, send } = createTestSimulator();
    await json("PUT", `/_control/numbers/${NUMBER}`, number);
    assert.equal((await errorOf(await send(change))).code, code);
  });
}

const laterFailures: [string, Item, Item, number][] = [
  ["not on WhatsApp", { on_whatsapp: false }, {}, 131026],
  ["who stopped marketing", { stopped_marketing: true }, {
    type: "template",
    template: { name: "offer", language: { code: "en" } },
  }, 131050],
];

for (const [label, customer, change, code] of laterFailures) {
  Deno.test(`a message to somebody ${label} is accepted and fails with ${code}`, async () => {
    const { json, send, advance, statuses } = createTestSimulator();
    await json("PATCH", "/_control/settings", { pricing: { template_category: "marketing" } });
    await json("PUT", "/_control/customers/15550200001", customer);
    assert.equal((await send(change)).status, 200);
    await advance(1_000);
    const [status, ...more] = statuses();
    assert.equal(status?.status, "failed");
    assert.equal((status?.errors as Item[])[0]?.code, code);
    assert.equal(more.length, 0);
  });
}

Deno.test("outside the service window a text is refused with 131047, at once or later", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await json("PATCH", "/_control/settings", { service_window: "sync" });
  assert.equal((await errorOf(await send())).code, 131047);
  await json("PATCH", "/_control/settings", { service_window: "async" });
  assert.equal((await send()).status, 200);
  await advance(1_000);
  assert.equal((statuses()[0]?.errors as Item[])[0]?.code, 131047);
});

Deno.test("a customer's message opens the service window", async () => {
  const { json, send } = createTestSimulator();
  await json("PATCH", "/_control/settings", { service_window: "sync" });
  const text = { body: "Hi" };
  await json("POST", "/_control/inbound", {
    from: "15550200001",
    phone_number_id: NUMBER,
    type: "text",
    text,
  });
  assert.equal((await send()).status, 200);
});

Deno.test("a user id reaches who was met under it and is answered without phone", async () => {
  const { world, send, advance, statuses } = createTestSimulator();
  const number = world.numbers.resolve(NUMBER);
  const recipient = world.customers.userId(number.portfolioId, "15550200001");
  const { contacts } = await (await send({ to: undefined, recipient })).json();
  assert.deepEqual(contacts, [{ input: recipient, wa_id: "15550200001", user_id: recipient }]);
  const unknown = await (await send({ to: undefined, recipient: "US.404" })).json();
  assert.deepEqual(unknown.contacts, [{ input: "US.404", user_id: "US.404" }]);
  await advance(100);
  assert.ok(statuses().some((status) => status.recipient_user_id === "US.404"));
});

Deno.test("an authentication template needs a phone: 131062", async () => {
  const { json, send } = createTestSimulator();
  await json("PATCH", "/_control/settings", { pricing: { template_category: "authentication" } });
  const template = { name: "code", language: { code: "en" } };
  const response = await send({ to: undefined, recipient: "US.404", type: "template", template });
  assert.equal((await errorOf(response)).code, 131062);
});

Deno.test("a held template says so, and goes out or fails an hour later", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  const known = {
    business_account_id: "200000000000001",
    name: "hello",
    language: "en",
    body: "Hi",
  };
  await json("PUT", "/_control/templates", { ...known, pacing: "held_then_dropped" });
  const template = { name: "hello", language: { code: "en" } };
  const { messages } = await (await send({ type: "template", template })).json();
  assert.equal(messages[0].message_status, "held_for_quality_assessment");
  await advance(3_599_000);
  assert.equal(statuses().length, 0);
  await advance(2_000);
  assert.equal((statuses()[0]?.errors as Item[])[0]?.code, 132015);
});

Deno.test("usage headers are sent when they are switched on", async () => {
  const { json, send } = createTestSimulator();
  assert.equal((await send()).headers.get("x-app-usage"), null);
  await json("PATCH", "/_control/settings", { limits: { usage_percent: 95 } });
  assert.match((await send()).headers.get("x-app-usage") ?? "", /"call_count":95/);
});
