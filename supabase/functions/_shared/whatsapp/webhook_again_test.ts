import { strict as assert } from "node:assert";
import { splitAgain } from "./webhook_again.ts";
import { splitWebhook } from "./webhook_events.ts";
import type { JsonObject } from "./webhook_json.ts";

const account = "200000000000001";
const metadata = { display_phone_number: "15550100001", phone_number_id: "100000000000001" };
const contact = { wa_id: "15550200001", profile: { name: "Ann" } };
const status = { id: "wamid.1", status: "sent", timestamp: "1763812800" };
const message = {
  from: "15550200001",
  id: "wamid.2",
  timestamp: "1763812800",
  type: "text",
  text: { body: "hello" },
};

function aBody(value: JsonObject, field = "messages"): JsonObject {
  const changes = [{ field, value: { messaging_product: "whatsapp", metadata, ...value } }];
  return { object: "whatsapp_business_account", entry: [{ id: account, time: 5, changes }] };
}

function split(body: unknown) {
  return splitWebhook(new TextEncoder().encode(JSON.stringify(body)));
}

function again(payload: JsonObject, field = "messages") {
  return splitAgain({ business_account_id: account, field, payload });
}

Deno.test("an event put together again is the one that it would have been", async (t) => {
  const whole = aBody({ contacts: [contact], messages: [message], statuses: [status] });
  const [entry] = whole.entry as [JsonObject];
  const [change] = entry.changes as [JsonObject];
  const cases: [kept: string, payload: JsonObject, expected: ReturnType<typeof split>][] = [
    ["body", { body: whole }, split(whole)],
    ["entry", { entry }, split(whole)],
    ["change", { change, time: 5 }, split(whole)],
    ["value", { value: change.value, time: 5 }, split(whole)],
    ["text", { text: JSON.stringify(whole), bytes: 1, is_cut: false }, split(whole)],
    ["status", { metadata, contact: null, status, time: 5 }, split(aBody({ statuses: [status] }))],
    [
      "message with its contact and other members",
      { metadata, contact, message, other_members: { thread: "x" }, time: 5 },
      split(aBody({ thread: "x", contacts: [contact], messages: [message] })),
    ],
  ];
  for (const [kept, payload, expected] of cases) {
    await t.step(kept, () => assert.deepEqual(again(payload), expected));
  }
});

Deno.test("what is still not understood, or was cut, is left as it is", () => {
  const unknown = { ...status, status: "melted" };
  for (
    const payload of [
      { metadata, contact: null, status: unknown, time: 5 },
      { metadata, reels: { id: 1 }, time: 5 },
      { change: { field: "not_yet_known", value: {} }, time: 5 },
      { text: "{", bytes: 1, is_cut: false },
      { text: JSON.stringify(aBody({ statuses: [status] })), bytes: 70_000, is_cut: true },
      { body: null },
    ]
  ) assert.equal(again(payload), null);
});

Deno.test("Meta's dashboard test stays out however often it is looked at", () => {
  const test = { display_phone_number: "16505551111", phone_number_id: "123456123" };
  assert.equal(again({ metadata: test, contact, message, time: 5 }), null);
});
