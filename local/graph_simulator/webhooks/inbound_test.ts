import { strict as assert } from "node:assert";
import { changesOf, createTestSimulator, type Item, NOON, NUMBER } from "../test_simulator.ts";

const from = "+1 555 020 0001";
const as = (type: string, content?: unknown) => ({
  from,
  phone_number_id: NUMBER,
  type,
  ...(content === undefined ? {} : { [type]: content }),
});

async function receive(inbound: Item) {
  const simulator = createTestSimulator();
  const answer = await simulator.json("POST", "/_control/inbound", inbound);
  await simulator.advance(10);
  const [change] = changesOf(simulator.webhooks);
  const [message] = simulator.messages();
  assert.ok(change && message);
  return { ...simulator, answer, change, message };
}

Deno.test("a text arrives with its sender, its time as text, and the sender's contact", async () => {
  const { answer, change, message } = await receive(as("text", { body: "Hi" }));
  const { from_user_id, ...rest } = message;
  assert.deepEqual(rest, {
    from: "15550200001",
    id: answer.message_id,
    timestamp: String(NOON / 1_000),
    type: "text",
    text: { body: "Hi" },
  });
  assert.equal(change.field, "messages");
  assert.deepEqual(change.value.contacts, [{
    profile: { name: "Customer 0001" },
    wa_id: "15550200001",
    user_id: from_user_id,
  }]);
});

const types: [string, unknown][] = [
  ["location", { latitude: 52.5, longitude: 13.4, name: "Here" }],
  ["contacts", [{ name: { formatted_name: "Ann" } }]],
  ["interactive", { type: "button_reply", button_reply: { id: "a", title: "Yes" } }],
  ["interactive", { type: "list_reply", list_reply: { id: "a", title: "One", description: "d" } }],
  ["interactive", {
    type: "nfm_reply",
    nfm_reply: { name: "flow", body: "Sent", response_json: "{}" },
  }],
  ["button", { payload: "p", text: "Yes" }],
  ["reaction", { message_id: "wamid.x", emoji: "👍" }],
  ["reaction", { message_id: "wamid.x" }],
  ["order", {
    catalog_id: "1",
    product_items: [{ product_retailer_id: "2", quantity: 1, item_price: 4.8 }],
  }],
  ["edit", { original_message_id: "wamid.x", message: { type: "text" } }],
  ["revoke", { original_message_id: "wamid.x" }],
  ["something_new", { of: ["any", "shape"] }],
];

for (const [type, content] of types) {
  Deno.test(`a message of type ${type} arrives as it was given: ${JSON.stringify(content)}`, async () => {
    const { message } = await receive(as(type, content));
    assert.equal(message.type, type);
    assert.deepEqual(message[type], content);
  });
}

for (const type of ["image", "video", "audio", "document", "sticker"]) {
  Deno.test(`${type} comes with an id, a digest and an address to fetch it from`, async () => {
    const { message, request } = await receive(as(type, { caption: "c" }));
    const { id, sha256, mime_type, url } = message[type] as Record<string, string>;
    assert.match(String(sha256), /^[0-9a-f]{64}$/);
    const looked = await (await request("GET", `/v25.0/${id}`)).json();
    assert.deepEqual([looked.mime_type, looked.sha256], [mime_type, sha256]);
    const path = new URL(String(url)).pathname;
    assert.equal((await request("GET", path)).status, 200);
  });
}

Deno.test("media with an id of the caller's own goes through as it is", async () => {
  const own = { id: "42", mime_type: "image/jpeg", sha256: "x" };
  assert.deepEqual((await receive(as("image", own))).message.image, own);
});

Deno.test("a system message comes without contacts", async () => {
  const { change, message } = await receive(as("system", { wa_id: "15550200002", body: "moved" }));
  assert.equal(change.value.contacts, undefined);
  assert.equal((message.system as Item).type, "user_changed_number");
});

Deno.test("an unsupported message carries error 131051", async () => {
  const { message } = await receive(as("unsupported"));
  assert.equal((message.errors as Item[])[0]?.code, 131051);
});

Deno.test("a quoting message names the business as sender of what it quotes", async () => {
  const { message } = await receive({
    ...as("text", { body: "x" }),
    context: { message_id: "wamid.x" },
  });
  assert.deepEqual(message.context, { from: "15550100001", id: "wamid.x" });
});

Deno.test("a forwarded message's context goes through as it is", async () => {
  const { message } = await receive({ ...as("text", { body: "x" }), context: { forwarded: true } });
  assert.deepEqual(message.context, { forwarded: true });
});

Deno.test("from and wa_id are absent, not empty, for a user who hides the phone", async () => {
  const simulator = createTestSimulator();
  await simulator.json("PUT", "/_control/customers/15550200001", { hides_phone: true });
  await simulator.json("POST", "/_control/inbound", as("text", { body: "x" }));
  await simulator.advance(10);
  const [message] = simulator.messages();
  assert.equal("from" in (message ?? {}), false);
  assert.match(String(message?.from_user_id), /^US\./);
});

Deno.test("a message while another party holds the thread comes under standby", async () => {
  const { change } = await receive({ ...as("text", { body: "x" }), field: "standby" });
  assert.equal(change.field, "standby");
});

Deno.test("an id and a time may be given, so that a duplicate can be made by hand", async () => {
  const { message } = await receive({
    ...as("text", { body: "x" }),
    id: "wamid.same",
    timestamp: 17,
  });
  assert.deepEqual([message.id, message.timestamp], ["wamid.same", "17"]);
});

Deno.test("a message without sender or type is refused and nothing is delivered", async () => {
  const { request, advance, webhooks } = createTestSimulator();
  for (const change of [{ from: undefined }, { type: undefined }, { phone_number_id: "x" }]) {
    const response = await request("POST", "/_control/inbound", { ...as("text", {}), ...change });
    assert.equal(response.status, 400);
  }
  await advance(10);
  assert.equal(webhooks.length, 0);
});
