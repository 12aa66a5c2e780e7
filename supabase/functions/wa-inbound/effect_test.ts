import { strict as assert } from "node:assert";

import type { ClaimedEvent } from "../_shared/queue/inbound.ts";
import { effectOf } from "./effect.ts";

const OURS = "0199f0c0-1111-7222-8333-444455556666";

function anEvent(kind: string, payload: unknown): ClaimedEvent {
  const event = { id: 1, attempt: 1, queueEntryId: 1, field: "messages", eventAt: null };
  return { ...event, kind, payload: payload as ClaimedEvent["payload"] };
}

function aStatus(overrides: Record<string, unknown> = {}) {
  const status = {
    id: "wamid.1",
    status: "delivered",
    timestamp: "1763812800",
    recipient_id: "15550200001",
  };
  return anEvent("status", { status: { ...status, ...overrides } });
}

function aMessage(overrides: Record<string, unknown> = {}, contact: unknown = null) {
  const message = {
    id: "wamid.2",
    from: "15550200001",
    timestamp: "1763812800",
    type: "text",
    text: { body: "hi" },
  };
  return anEvent("message", { contact, message: { ...message, ...overrides } });
}

Deno.test("a status tells its message by our id when Meta hands it back", () => {
  assert.deepEqual(effectOf(aStatus({ biz_opaque_callback_data: OURS })), {
    action: "status",
    wamid: "wamid.1",
    message_id: OURS,
    status: "delivered",
    recipient: "15550200001",
    participant: null,
    at: "2025-11-22T12:00:00.000Z",
    pricing: null,
    free_entry_until: null,
    errors: null,
  });
});

Deno.test("callback data that is not ours names no message", () => {
  const effect = effectOf(aStatus({ biz_opaque_callback_data: "campaign 7" }));
  assert.ok(effect.action === "status" && effect.message_id === null);
});

Deno.test("a status tells how long a free entry point lasts, and nothing is reckoned from a price", () => {
  const told = {
    conversation: { expiration_timestamp: "1764072000", origin: { type: "referral_conversion" } },
  };
  const untold = { pricing: { type: "free_entry_point", category: "referral_conversion" } };
  const later = { conversation: { id: "1", origin: { type: "referral_conversion" } }, ...untold };
  const other = {
    conversation: { expiration_timestamp: "1764072000", origin: { type: "marketing" } },
  };
  const statuses = [told, { ...told, ...untold }, untold, later, other];
  const until = statuses.map((one) => {
    const effect = effectOf(aStatus(one));
    return effect.action === "status" && effect.free_entry_until;
  });
  const end = "2025-11-25T12:00:00.000Z";
  assert.deepEqual(until, [end, end, null, null, null]);
});

Deno.test("a status of a group tells the participant", () => {
  const effect = effectOf(aStatus({ recipient_participant_id: "15550200009" }));
  assert.ok(effect.action === "status" && effect.recipient === "15550200009");
  assert.equal(effect.participant, "15550200009");
});

Deno.test("a message keeps its content and its customer's name and number", () => {
  const contact = { wa_id: "15550200001", profile: { name: "Ann" } };
  const effect = effectOf(aMessage({ context: { id: "wamid.0" } }, contact));
  assert.deepEqual(effect, {
    action: "message",
    wamid: "wamid.2",
    phone: "+15550200001",
    user_id: null,
    became_phone: null,
    became_user_id: null,
    name: "Ann",
    type: "text",
    content: { text: { body: "hi" }, context: { id: "wamid.0" } },
    at: "2025-11-22T12:00:00.000Z",
  });
});

Deno.test("a notice tells what a customer's number or id has become", () => {
  const system = (content: Record<string, unknown>, overrides = {}) => {
    const effect = effectOf(aMessage({ type: "system", system: content, ...overrides }));
    assert.ok(effect.action === "message");
    const { phone, user_id, became_phone, became_user_id } = effect;
    return [phone, user_id, became_phone, became_user_id];
  };
  assert.deepEqual(system({ type: "user_changed_number", wa_id: "15550200009" }), [
    "+15550200001",
    null,
    "+15550200009",
    null,
  ]);
  const ids = { type: "user_changed_user_id", user_id: "US.2", previous_user_id: "US.1" };
  assert.deepEqual(system(ids, { from: undefined, from_user_id: "US.2" }), [
    null,
    "US.1",
    null,
    "US.2",
  ]);
  assert.deepEqual(system({ type: "customer_identity_changed" }), [
    "+15550200001",
    null,
    null,
    null,
  ]);
});

Deno.test("a customer without a phone number is told by the user id", () => {
  const effect = effectOf(aMessage({ from: undefined, from_user_id: "US.1a2b" }));
  assert.ok(effect.action === "message" && effect.phone === null && effect.user_id === "US.1a2b");
});

Deno.test("a message of a type that is not known yet is kept like any other", () => {
  const effect = effectOf(aMessage({ type: "hologram", hologram: { id: "7" } }));
  assert.ok(effect.action === "message" && effect.type === "hologram");
});

Deno.test("an event of the account is kept", () => {
  assert.deepEqual(effectOf(anEvent("account", {})), { action: "keep" });
});

for (
  const [label, event] of [
    ["a status without a timestamp", aStatus({ timestamp: undefined })],
    ["a status with a timestamp that is no number", aStatus({ timestamp: "soon" })],
    ["a message without a customer", aMessage({ from: undefined })],
    ["a message with a timestamp far beyond the calendar", aMessage({ timestamp: "9e15" })],
    ["a payload that is a string", anEvent("message", "x")],
  ] as const
) {
  Deno.test(`${label} is dead at once and throws nothing`, () => {
    assert.equal(effectOf(event).action, "dead");
  });
}
