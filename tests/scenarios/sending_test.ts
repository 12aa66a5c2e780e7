import { strict as assert } from "node:assert";

import { eventually } from "../support/eventually.ts";
import { aPhoneNumber, connectPlatform, type Tenant } from "../support/platform.ts";

const platform = connectPlatform();

interface MessageView {
  id: string;
  status: string;
  wamid: string | null;
  error?: { cause: string; code?: number };
  attempts: { outcome?: string; error?: { cause: string; code?: number } }[];
}

function readMessage(tenant: Tenant, id: string): Promise<MessageView> {
  return tenant.api(`/wa-messages/${id}`).then((answer) => answer.json<MessageView>());
}

function untilStatus(tenant: Tenant, id: string, ...statuses: string[]): Promise<MessageView> {
  return eventually(() => readMessage(tenant, id), ({ status }) => statuses.includes(status), {
    timeoutMs: 30_000,
  });
}

async function post(tenant: Tenant, overrides: Record<string, unknown> = {}): Promise<string> {
  const answer = await tenant.send(overrides);
  assert.equal(answer.status, 202, answer.text);
  return answer.json<{ id: string }>().id;
}

Deno.test("1,000 messages in one batch reach Meta once each", async () => {
  const tenant = await platform.createTenant();
  const recipients = Array.from(
    { length: 1_000 },
    (_, i) => `+49151300${String(i).padStart(5, "0")}`,
  );
  const answer = await tenant.api("/wa-messages/batch", {
    headers: { "idempotency-key": crypto.randomUUID() },
    body: {
      messages: recipients.map((to, i) => ({
        from: tenant.phoneNumberId,
        to,
        type: "text",
        text: { body: `Number ${i}` },
      })),
    },
  });
  assert.equal(answer.status, 202, answer.text);
  const { accepted, rejected } = answer.json<{ accepted: { id: string }[]; rejected: unknown[] }>();
  assert.deepEqual([accepted.length, rejected.length], [1_000, 0]);

  // 64 of the sender's 80 a second are this lane's.
  const calls = await platform.simulator.received(
    { phone_number_id: tenant.phoneNumberId },
    { waitFor: 1_000, timeoutMs: 60_000 },
  );
  const bodies = calls.map(({ body }) => body as { to: string; biz_opaque_callback_data: string });
  assert.equal(calls.length, 1_000);
  assert.deepEqual(new Set(calls.map(({ outcome }) => outcome)), new Set(["accepted"]));
  assert.equal(new Set(bodies.map(({ to }) => to.replace(/\D/g, ""))).size, 1_000);
  assert.deepEqual(
    new Set(bodies.map(({ biz_opaque_callback_data }) => biz_opaque_callback_data)),
    new Set(accepted.map(({ id }) => id)),
  );
});

Deno.test("a request that is repeated with its key is one message and the same answer", async () => {
  const tenant = await platform.createTenant();
  const to = aPhoneNumber();
  const first = await tenant.send({ to }, "order-4711");
  const again = await tenant.send({ to }, "order-4711");
  assert.equal(again.status, 202);
  assert.equal(again.text, first.text);
  assert.equal(again.headers.get("idempotent-replayed"), "true");
  await untilStatus(tenant, first.json<{ id: string }>().id, "read");
  const calls = await platform.simulator.received({ phone_number_id: tenant.phoneNumberId });
  assert.equal(calls.length, 1);
});

Deno.test("a key that was used for another message is refused and names the field", async () => {
  const tenant = await platform.createTenant();
  const to = aPhoneNumber();
  await tenant.send({ to }, "order-4711");
  const other = await tenant.send({ to, text: { body: "Something else" } }, "order-4711");
  assert.equal(other.status, 422);
  const problem = other.json<{ code: string; errors: { pointer: string }[] }>();
  assert.equal(problem.code, "idempotency_key_reused");
  assert.deepEqual(problem.errors.map(({ pointer }) => pointer), ["/text"]);
});

Deno.test("messages to one recipient arrive in the order in which they were posted", async () => {
  const tenant = await platform.createTenant();
  const to = aPhoneNumber();
  for (let i = 0; i < 5; i++) await post(tenant, { to, text: { body: `Part ${i}` } });
  const calls = await platform.simulator.received(
    { phone_number_id: tenant.phoneNumberId },
    { waitFor: 5, timeoutMs: 30_000 },
  );
  const bodies = calls.map(({ body }) => (body as { text: { body: string } }).text.body);
  assert.deepEqual(bodies, ["Part 0", "Part 1", "Part 2", "Part 3", "Part 4"]);
});

Deno.test("a message that Meta refuses for good is dead, with Meta's reason, and not sent again", async () => {
  const tenant = await platform.createTenant();
  await platform.simulator.addRule({
    match: { phone_number_id: tenant.phoneNumberId },
    then: { error: { code: 131026 } },
  });
  const message = await untilStatus(tenant, await post(tenant), "dead");
  assert.equal(message.error?.code, 131026);
  assert.deepEqual(message.attempts.map(({ outcome }) => outcome), ["rejected"]);
  const calls = await platform.simulator.received({ phone_number_id: tenant.phoneNumberId });
  assert.equal(calls.length, 1);
});

Deno.test("a message that Meta is too busy for is tried again and arrives once", async () => {
  const tenant = await platform.createTenant();
  await platform.simulator.addRule({
    match: { phone_number_id: tenant.phoneNumberId },
    times: 1,
    then: { error: { code: 2, http: 503, is_transient: true } },
  });
  const message = await untilStatus(tenant, await post(tenant), "sent", "delivered", "read");
  assert.deepEqual(message.attempts.map(({ outcome }) => outcome), ["retry", "accepted"]);
  const calls = await platform.simulator.received({ phone_number_id: tenant.phoneNumberId });
  assert.deepEqual(calls.map(({ outcome }) => outcome), ["refused", "accepted"]);
});

Deno.test("an answer that was lost after acceptance is settled by the status, not sent twice", async () => {
  const tenant = await platform.createTenant();
  await platform.simulator.addRule({
    match: { phone_number_id: tenant.phoneNumberId },
    then: { accept_then_drop: true },
  });
  const id = await post(tenant);
  const message = await untilStatus(tenant, id, "read");
  const calls = await platform.simulator.received({ phone_number_id: tenant.phoneNumberId });
  assert.equal(calls.length, 1);
  assert.equal(message.wamid, calls[0]!.wamid);
});

Deno.test("a status that comes before Meta's own answer is not moved back by it", async () => {
  const tenant = await platform.createTenant();
  await platform.simulator.addRule({
    match: { phone_number_id: tenant.phoneNumberId },
    then: { status_before_reply: true, late_answer_ms: 500 },
  });
  const message = await untilStatus(tenant, await post(tenant), "read");
  const settled = await eventually(
    () => readMessage(tenant, message.id),
    ({ attempts }) => attempts[0]?.outcome === "accepted",
  );
  assert.equal(settled.status, "read");
});

Deno.test("a rotated token is used from the next message on", async () => {
  const tenant = await platform.createTenant();
  await untilStatus(tenant, await post(tenant), "read");
  await platform.simulator.putNumber(tenant.phoneNumberId, { access_tokens: ["rotated"] });
  const path = `/admin/tenants/${tenant.id}/senders/${tenant.phoneNumberId}/credential`;
  const rotated = await platform.api(path, { method: "PUT", body: { access_token: "rotated" } });
  assert.equal(rotated.status, 200, rotated.text);
  await untilStatus(tenant, await post(tenant), "read");
  const calls = await platform.simulator.received({ phone_number_id: tenant.phoneNumberId });
  assert.deepEqual(calls.map(({ access_token }) => access_token), [tenant.accessToken, "rotated"]);
});

Deno.test("a message that is planned for later can be cancelled and never reaches Meta", async () => {
  const tenant = await platform.createTenant();
  const send_at = new Date(Date.now() + 3_600_000).toISOString();
  const id = await post(tenant, { send_at });
  const cancelled = await tenant.api(`/wa-messages/${id}`, { method: "DELETE" });
  assert.equal(cancelled.status, 200);
  const again = await tenant.api(`/wa-messages/${id}`, { method: "DELETE" });
  assert.equal(again.status, 409);
  assert.equal((await readMessage(tenant, id)).status, "cancelled");
});

Deno.test("another tenant's message and sender do not exist for a tenant", async () => {
  const [one, two] = [await platform.createTenant(), await platform.createTenant()];
  const id = await post(one);
  assert.equal((await two.api(`/wa-messages/${id}`)).status, 404);
  assert.equal((await two.api(`/wa-messages/${id}`, { method: "DELETE" })).status, 404);
  const foreign = await two.send({ from: one.phoneNumberId });
  assert.equal(foreign.status, 404);
  assert.equal(foreign.json<{ code: string }>().code, "unknown_sender");
  const { messages } = (await two.api("/wa-messages")).json<{ messages: unknown[] }>();
  assert.deepEqual(messages, []);
});

Deno.test("an invalid message is refused with a pointer to what is wrong", async () => {
  const tenant = await platform.createTenant();
  const answer = await tenant.send({ text: { body: "x".repeat(4_097) } });
  assert.equal(answer.status, 422);
  const problem = answer.json<{ errors: { pointer: string }[] }>();
  assert.deepEqual(problem.errors.map(({ pointer }) => pointer), ["/text/body"]);
});
