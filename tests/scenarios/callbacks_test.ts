import { strict as assert } from "node:assert";
import { Webhook } from "standardwebhooks";

import { type CallbackReceiver, startCallbackReceiver } from "../support/callback_receiver.ts";
import { eventually } from "../support/eventually.ts";
import { aPhoneNumber, connectPlatform, type Tenant } from "../support/platform.ts";

const platform = connectPlatform();
const ALL = ["message.status", "message.received", "wallet.low", "sender.attention"];
/** The first waits between tries are up to 10 s and up to 20 s. */
const RETRIED = { timeoutMs: 60_000 };

interface Callback {
  id: string;
  secret: string;
  path: string;
}

interface CallbackView {
  id: string;
  status: string;
  status_reason: string | null;
  failures: number;
  waiting: number;
}

/** Registers the receiver for the tenant and lets it verify what comes. */
async function register(
  tenant: Tenant,
  receiver: CallbackReceiver,
  events = ALL,
): Promise<Callback> {
  const path = `/admin/tenants/${tenant.id}/callbacks`;
  const answer = await platform.api(path, { body: { url: receiver.url, events } });
  assert.equal(answer.status, 201, answer.text);
  const { id, secret } = answer.json<{ id: string; secret: string }>();
  assert.match(secret, /^whsec_/);
  receiver.trust(secret);
  return { id, secret, path: `${path}/${id}` };
}

async function viewOf(tenant: Tenant, { id }: Callback): Promise<CallbackView> {
  const answer = await platform.api(`/admin/tenants/${tenant.id}/callbacks`);
  const { callbacks } = answer.json<{ callbacks: CallbackView[] }>();
  return callbacks.find((callback) => callback.id === id)!;
}

async function send(tenant: Tenant, to: string): Promise<string> {
  const answer = await tenant.send({ to });
  assert.equal(answer.status, 202, answer.text);
  return answer.json<{ id: string }>().id;
}

/** The statuses that were told of a message, in the order of arrival. */
function statusesOf(receiver: CallbackReceiver, messageId: string): unknown[] {
  return receiver.received.filter(({ data }) => data.message_id === messageId)
    .map(({ data }) => data.status);
}

async function untilRead(
  receiver: CallbackReceiver,
  messageIds: string[],
  options = {},
): Promise<void> {
  await eventually(
    () => Promise.resolve(messageIds.map((id) => statusesOf(receiver, id))),
    (all) => all.every((statuses) => statuses.includes("read")),
    options,
  );
}

function assertOnceEach(receiver: CallbackReceiver): void {
  const ids = receiver.received.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, "an id came twice");
}

Deno.test("a tenant's server is told what becomes of a message, in order, in signed callbacks", async () => {
  await using receiver = startCallbackReceiver();
  const tenant = await platform.createTenant();
  await register(tenant, receiver);
  const messageId = await send(tenant, aPhoneNumber());

  await untilRead(receiver, [messageId]);
  assert.deepEqual(statusesOf(receiver, messageId), ["sent", "delivered", "read"]);
  assertOnceEach(receiver);
  const [first] = receiver.received;
  assert.equal(first!.type, "message.status");
  assert.equal(first!.headers.get("content-type"), "application/json");
  assert.match(first!.headers.get("user-agent")!, /^switchyard-callbacks\//);
  assert.match(first!.headers.get("webhook-signature")!, /^v1,/);
});

Deno.test("a tenant's server is told what a customer wrote", async () => {
  await using receiver = startCallbackReceiver();
  const tenant = await platform.createTenant();
  await register(tenant, receiver);
  const from = aPhoneNumber();
  await platform.simulator.receiveFromCustomer({
    from,
    phone_number_id: tenant.phoneNumberId,
    type: "text",
    text: { body: "Grüße 😀 / hello" },
  });
  const [callback] = await eventually(
    () => Promise.resolve(receiver.received),
    (received) => received.length > 0,
  );
  assert.equal(callback!.type, "message.received");
  const { sender, customer, message } = callback!.data as Record<string, Record<string, unknown>>;
  assert.equal(sender, tenant.phoneNumberId);
  assert.equal(customer!.phone, from);
  assert.deepEqual(message!.text, { body: "Grüße 😀 / hello" });
});

Deno.test("what happened while a tenant's server was down arrives when it is up again, once and in order", async () => {
  await using receiver = startCallbackReceiver();
  const tenant = await platform.createTenant();
  const callback = await register(tenant, receiver);
  await receiver.stop();
  const to = aPhoneNumber();
  const messageIds = [await send(tenant, to), await send(tenant, to)];
  await eventually(() => viewOf(tenant, callback), ({ failures }) => failures > 0);
  receiver.start();

  await untilRead(receiver, messageIds, RETRIED);
  for (const id of messageIds) {
    assert.deepEqual(statusesOf(receiver, id), ["sent", "delivered", "read"]);
  }
  assertOnceEach(receiver);
});

Deno.test("a conversation that a tenant's server fails on holds up no other", async () => {
  await using receiver = startCallbackReceiver();
  const tenant = await platform.createTenant();
  await register(tenant, receiver);
  const broken = aPhoneNumber();
  receiver.answer(({ data }) => data.to === broken ? 500 : 204);
  const stuckId = await send(tenant, broken);
  await eventually(
    () => Promise.resolve(receiver.asked),
    (asked) => asked.some(({ data }) => data.message_id === stuckId),
  );
  const others = await Promise.all(Array.from({ length: 5 }, () => send(tenant, aPhoneNumber())));
  await untilRead(receiver, others);
  assert.deepEqual(statusesOf(receiver, stuckId), []);
  const asked = receiver.asked.filter(({ data }) => data.message_id === stuckId);
  assert.equal(new Set(asked.map(({ id }) => id)).size, 1, "the next went before the first");

  receiver.answer(() => 204);
  await untilRead(receiver, [stuckId], RETRIED);
  assert.deepEqual(statusesOf(receiver, stuckId), ["sent", "delivered", "read"]);
});

Deno.test("a server that says 410 is not called any more, until its endpoint is enabled", async () => {
  await using receiver = startCallbackReceiver();
  const tenant = await platform.createTenant();
  const callback = await register(tenant, receiver);
  receiver.answer(() => 410);
  const messageId = await send(tenant, aPhoneNumber());
  const view = await eventually(
    () => viewOf(tenant, callback),
    ({ status }) => status === "disabled",
  );
  assert.equal(view.status_reason, "gone");
  assert.ok(view.waiting > 0);
  const audit = await platform.api("/admin/audit", {
    caller: { kind: "tenant", apiKey: tenant.apiKey },
  });
  assert.match(audit.text, /callback\.disabled/);

  receiver.answer(() => 204);
  const enabled = await platform.api(callback.path, {
    method: "PATCH",
    body: { status: "active" },
  });
  assert.equal(enabled.status, 200, enabled.text);
  await eventually(
    () => Promise.resolve(statusesOf(receiver, messageId)),
    (statuses) => statuses.includes("sent"),
  );
});

Deno.test("after a rotation both secrets sign, and a forged callback verifies with neither", async () => {
  await using receiver = startCallbackReceiver();
  const tenant = await platform.createTenant();
  const callback = await register(tenant, receiver);
  const rotated = await platform.api(`${callback.path}/secret`, { method: "POST" });
  const { secret } = rotated.json<{ secret: string }>();
  assert.notEqual(secret, callback.secret);
  const messageId = await send(tenant, aPhoneNumber());
  await untilRead(receiver, [messageId]);

  const { body, headers } = receiver.received[0]!;
  const signed = Object.fromEntries(headers);
  for (const known of [callback.secret, secret]) new Webhook(known).verify(body, signed);
  assert.throws(() => new Webhook(secret).verify(body.replace("sent", "read"), signed));
  assert.throws(() => new Webhook(secret).verify(body, { ...signed, "webhook-id": "another" }));
});

Deno.test("a replay sends what was told again, under the ids that it had", async () => {
  await using receiver = startCallbackReceiver();
  const tenant = await platform.createTenant();
  const callback = await register(tenant, receiver);
  const since = new Date(Date.now() - 60_000).toISOString();
  await untilRead(receiver, [await send(tenant, aPhoneNumber())]);
  const before = receiver.received.map(({ id, body }) => [id, body]);

  const filter = { since, types: ["message.status"] };
  const counted = await platform.api(`${callback.path}/replay`, {
    body: { ...filter, dry_run: true },
  });
  assert.deepEqual(counted.json(), { dry_run: true, events: 3, next_since: null });
  await platform.api(`${callback.path}/replay`, { body: filter });
  await eventually(
    () => Promise.resolve(receiver.received.length),
    (received) => received === 2 * before.length,
  );
  assert.deepEqual(
    receiver.received.slice(before.length).map(({ id, body }) => [id, body]),
    before,
  );
});

Deno.test("a deleted endpoint gets nothing more", async () => {
  await using receiver = startCallbackReceiver();
  const tenant = await platform.createTenant();
  const callback = await register(tenant, receiver);
  assert.equal((await platform.api(callback.path, { method: "DELETE" })).status, 200);
  const messageId = await send(tenant, aPhoneNumber());
  await eventually(
    async () => (await tenant.api(`/wa-messages/${messageId}`)).json<{ status: string }>(),
    ({ status }) => status === "read",
  );
  assert.deepEqual(receiver.asked, []);
  assert.equal(await viewOf(tenant, callback), undefined);
});

Deno.test("POST /wa-callbacks tells what it did, to holders of the secret key alone", async () => {
  const answer = await platform.api("/wa-callbacks", { method: "POST" });
  assert.equal(answer.status, 200);
  assert.deepEqual(
    Object.keys(answer.json()).sort(),
    ["claimed", "delivered", "dropped", "duration_ms", "paused", "retried"],
  );
  const tenant = await platform.createTenant();
  assert.equal((await tenant.api("/wa-callbacks", { method: "POST" })).status, 403);
});
