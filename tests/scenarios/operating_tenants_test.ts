/** What an operator does to a tenant at work, through the admin API alone. */
import { strict as assert } from "node:assert";

import { eventually } from "../support/eventually.ts";
import { connectPlatform, type Tenant } from "../support/platform.ts";
import {
  callsOf,
  messageIdOf,
  post,
  postToMany,
  untilNothingIsSending,
  untilStatus,
} from "../support/sending.ts";

const platform = connectPlatform();

async function operate(
  method: string,
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const answer = await platform.api(`/admin/tenants${path}`, { method, body });
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
}

const senderPath = ({ id, phoneNumberId }: Tenant) => `/${id}/senders/${phoneNumberId}`;

async function countStatus(tenant: Tenant, status: string): Promise<number> {
  const answer = await tenant.api(`/wa-messages?status=${status}&limit=200`);
  return answer.json<{ messages: unknown[] }>().messages.length;
}

async function untilCalled(tenant: Tenant, count: number): Promise<string[]> {
  const calls = await callsOf(platform, tenant, count);
  return calls.map(messageIdOf);
}

Deno.test("a tenant whose limit is lowered is slower from then on, and as soon as it is raised faster", async () => {
  const tenant = await platform.createTenant({ throughput_per_second: 1_000, limit: undefined });
  const limit = (messages: number) =>
    operate("PATCH", `/${tenant.id}`, { limit: { messages, window_seconds: 3_600 } });
  await limit(1_000);
  await untilStatus(tenant, await post(tenant), "read");
  assert.deepEqual((await limit(21)).limit, { messages: 21, window_seconds: 3_600 });
  const ids = await postToMany(tenant, 150);
  assert.equal((await untilCalled(tenant, 21)).length, 21);
  await untilNothingIsSending(platform, tenant);
  assert.equal((await callsOf(platform, tenant)).length, 21);
  assert.equal(await countStatus(tenant, "queued"), 130);

  // Newcomers stand behind those who waited for as long as the new limit takes for them: a second.
  await limit(100_000);
  assert.deepEqual(new Set((await untilCalled(tenant, 151)).slice(1)), new Set(ids));
});

Deno.test("a sender's own limit counts before its tenant's, and its tenant's when it has none any more", async () => {
  const tenant = await platform.createTenant({ throughput_per_second: 1_000 });
  await operate("PATCH", senderPath(tenant), { limit: { messages: 5, window_seconds: 3_600 } });
  await postToMany(tenant, 60);
  assert.equal((await untilCalled(tenant, 5)).length, 5);
  await untilNothingIsSending(platform, tenant);
  assert.equal((await callsOf(platform, tenant)).length, 5);
  const { limit } = await operate("PATCH", senderPath(tenant), { limit: null });
  assert.equal(limit, null);
  assert.equal(new Set(await untilCalled(tenant, 60)).size, 60);
});

Deno.test("a suspended tenant sends nothing and is refused, and sends all of it once when it is active", async () => {
  const tenant = await platform.createTenant({ throughput_per_second: 100 });
  const ids = await postToMany(tenant, 200);
  await untilCalled(tenant, 20);
  await operate("PATCH", `/${tenant.id}`, { status: "suspended" });
  const refused = await tenant.send();
  assert.equal(refused.json<{ code: string }>().code, "tenant_suspended");
  await untilNothingIsSending(platform, tenant);
  const before = (await callsOf(platform, tenant)).length;
  assert.ok(before < 200, `all ${before} had gone already`);
  assert.equal((await platform.api("/wa-sender", { method: "POST" })).status, 200);
  assert.equal((await callsOf(platform, tenant)).length, before);

  assert.equal((await operate("PATCH", `/${tenant.id}`, { status: "active" })).status, "active");
  assert.deepEqual((await untilCalled(tenant, 200)).toSorted(), ids.toSorted());
});

Deno.test("a removed sender's backlog becomes dead letters, and its number another tenant's", async () => {
  const [tenant, other] = [
    await platform.createTenant({ throughput_per_second: 20 }),
    await platform.createTenant(),
  ];
  const ids = await postToMany(tenant, 150);
  await untilCalled(tenant, 5);
  await operate("DELETE", senderPath(tenant));
  const again = await platform.api(`/admin/tenants${senderPath(tenant)}`, { method: "DELETE" });
  assert.equal(again.json<{ code: string }>().code, "unknown_sender");
  assert.equal((await tenant.send()).json<{ code: string }>().code, "unknown_sender");
  await eventually(() => countStatus(tenant, "queued"), (count) => count === 0, {
    timeoutMs: 30_000,
  });
  const sent = (await callsOf(platform, tenant)).length;
  assert.equal(await countStatus(tenant, "dead"), ids.length - sent);

  const added = await platform.api(`/admin/tenants/${other.id}/senders`, {
    body: {
      phone_number_id: tenant.phoneNumberId,
      business_account_id: tenant.businessAccountId,
      display_phone_number: "+1 555 010 0001",
      access_token: tenant.accessToken,
    },
  });
  assert.equal(added.status, 201, added.text);
  const theirs = await post(other, { from: tenant.phoneNumberId });
  await untilStatus(other, theirs, "read");
  assert.equal((await tenant.api(`/wa-messages/${theirs}`)).status, 404);
});

Deno.test("a revoked key is answered 401, and the tenant's other key still works", async () => {
  const tenant = await platform.createTenant();
  const made = await platform.api(`/admin/tenants/${tenant.id}/api-keys`, {
    body: { name: "other", role: "operator" },
  });
  const { key } = made.json<{ key: string }>();
  const { api_keys } = await operate("GET", `/${tenant.id}/api-keys`);
  const own = (api_keys as { id: string; prefix: string }[]).find(({ prefix }) =>
    tenant.apiKey.startsWith(prefix)
  )!;
  assert.equal((await tenant.api("/wa-messages")).status, 200);
  await operate("DELETE", `/${tenant.id}/api-keys/${own.id}`);
  const refused = await tenant.api("/wa-messages");
  assert.deepEqual([refused.status, refused.json<{ code: string }>().code], [
    401,
    "invalid_credentials",
  ]);
  const other = await platform.api("/wa-messages", { caller: { kind: "tenant", apiKey: key } });
  assert.equal(other.status, 200);
});
