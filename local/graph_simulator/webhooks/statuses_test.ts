import { strict as assert } from "node:assert";
import { changesOf, createTestSimulator, type Item, NOON, NUMBER } from "../test_simulator.ts";

const at = (webhook: { at: number } | undefined) => (webhook?.at ?? 0) - NOON;

Deno.test("a message is sent, delivered and read, each in its time", async () => {
  const { send, advance, statuses, webhooks } = createTestSimulator();
  await send();
  await advance(1_000);
  assert.deepEqual(statuses().map(({ status }) => status), ["sent", "delivered", "read"]);
  assert.deepEqual(webhooks.map(at), [25, 65, 215]);
});

Deno.test("a status repeats the callback data, names the recipient and dates itself in text", async () => {
  const { send, advance, statuses, webhooks } = createTestSimulator();
  const { messages } = await (await send({ biz_opaque_callback_data: "our-id" })).json();
  await advance(30);
  const [sent] = statuses();
  assert.ok(sent);
  const { recipient_user_id, pricing: _, ...rest } = sent;
  assert.deepEqual(rest, {
    id: messages[0].id,
    status: "sent",
    timestamp: String(NOON / 1_000),
    recipient_id: "15550200001",
    biz_opaque_callback_data: "our-id",
  });
  assert.match(String(recipient_user_id), /^US\./);
  const value = changesOf(webhooks)[0]?.value;
  assert.deepEqual(value?.metadata, {
    display_phone_number: "15550100001",
    phone_number_id: NUMBER,
  });
  assert.deepEqual(value?.contacts, [{
    profile: { name: "Customer 0001" },
    wa_id: "15550200001",
    user_id: recipient_user_id,
  }]);
});

Deno.test("pricing stands on sent and delivered, not on read", async () => {
  const { send, advance, statuses } = createTestSimulator();
  await send();
  await advance(1_000);
  const price = {
    billable: false,
    pricing_model: "PMP",
    type: "free_customer_service",
    category: "service",
  };
  assert.deepEqual(statuses().map(({ pricing }) => pricing), [price, price, undefined]);
});

Deno.test("a read without delivered carries the price", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await json("POST", "/_control/rules", { then: { statuses: ["sent", "read"] } });
  await send();
  await advance(1_000);
  assert.deepEqual(statuses().map(({ pricing }) => pricing !== undefined), [true, true]);
});

Deno.test("a failed status has errors, and neither price nor contact", async () => {
  const { json, send, advance, statuses, webhooks } = createTestSimulator();
  await json("POST", "/_control/rules", {
    then: { statuses: [{ status: "failed", code: 131026 }] },
  });
  await send();
  await advance(1_000);
  const [failed] = statuses();
  assert.equal((failed?.errors as Item[])[0]?.code, 131026);
  assert.equal(failed?.pricing, undefined);
  assert.equal(changesOf(webhooks)[0]?.value.contacts, undefined);
});

Deno.test("a reaction is only ever sent", async () => {
  const { send, advance, statuses } = createTestSimulator();
  await send({ type: "reaction", reaction: { message_id: "wamid.x", emoji: "👍" } });
  await advance(1_000);
  assert.deepEqual(statuses().map(({ status }) => status), ["sent"]);
});

Deno.test("from v24.0 on statuses have no conversation, before it one per message", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await send();
  await advance(1_000);
  assert.ok(statuses().every(({ conversation }) => conversation === undefined));
  await json("PATCH", "/_control/settings", { webhooks: { version: "v23.0" } });
  await send();
  await advance(1_000);
  const conversations = statuses().slice(3).map(({ conversation }) => conversation as Item);
  assert.equal(new Set(conversations.map(({ id }) => id)).size, 1);
  assert.deepEqual(conversations.map((one) => "expiration_timestamp" in one), [true, false, false]);
});

Deno.test("a phone that is offline gets nothing until it is online again", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await json("PATCH", "/_phone/15550200001", { online: false });
  await send();
  await advance(60_000);
  assert.deepEqual(statuses().map(({ status }) => status), ["sent"]);
  await json("PATCH", "/_phone/15550200001", { online: true });
  await advance(1_000);
  assert.deepEqual(statuses().map(({ status }) => status), ["sent", "delivered", "read"]);
});

Deno.test("with receipts off nothing is ever read", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await json("PATCH", "/_phone/15550200001", { receipts: "off" });
  await send();
  await advance(60_000);
  await json("POST", `/_phone/15550200001/${NUMBER}/opened`);
  await advance(60_000);
  assert.deepEqual(statuses().map(({ status }) => status), ["sent", "delivered"]);
});

Deno.test("a careful reader's messages are read when the chat is opened", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  await json("PATCH", "/_phone/15550200001", { receipts: "when_opened" });
  await send();
  await advance(60_000);
  assert.equal(statuses().at(-1)?.status, "delivered");
  await json("POST", "/_phone/15550200001/100000000000002/opened");
  await advance(100);
  assert.equal(statuses().at(-1)?.status, "delivered");
  await json("POST", `/_phone/15550200001/${NUMBER}/opened`);
  await advance(100);
  assert.equal(statuses().at(-1)?.status, "read");
});

Deno.test("who hides the phone is named by user id alone", async () => {
  const { json, send, advance, statuses, webhooks } = createTestSimulator();
  await json("PUT", "/_control/customers/15550200001", { hides_phone: true, username: "mara" });
  await send();
  await advance(30);
  assert.equal("recipient_id" in (statuses()[0] ?? {}), false);
  const [contact] = changesOf(webhooks)[0]?.value.contacts as Item[];
  assert.equal(contact?.wa_id, undefined);
  assert.deepEqual(contact?.profile, { name: "Customer 0001", username: "mara" });
});

Deno.test("shuffled statuses keep their true times", async () => {
  const { json, send, advance, statuses } = createTestSimulator();
  const path = [
    { status: "sent", after_ms: 0 },
    { status: "delivered", after_ms: 60_000 },
    { status: "read", after_ms: 60_000 },
  ];
  await json("POST", "/_control/rules", { then: { statuses: path, shuffle: true } });
  await send();
  await advance(200_000);
  const inOrder = statuses().toSorted((a, b) => Number(a.timestamp) - Number(b.timestamp));
  assert.notDeepEqual(statuses(), inOrder);
  assert.deepEqual(
    inOrder.map(({ status, timestamp }) => [status, Number(timestamp) - NOON / 1_000]),
    [
      ["sent", 0],
      ["delivered", 60],
      ["read", 120],
    ],
  );
});

Deno.test("a reset stops the statuses that were still to come", async () => {
  const { json, send, advance, statuses, world } = createTestSimulator();
  await send();
  await json("POST", "/_control/reset");
  await advance(60_000);
  assert.equal(statuses().length, 0);
  assert.equal(world.statuses.planned(), 0);
});
