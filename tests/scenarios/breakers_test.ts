import { strict as assert } from "node:assert";

import { eventually } from "../support/eventually.ts";
import { connectPlatform, type Tenant } from "../support/platform.ts";

const platform = connectPlatform();

interface Breaker {
  scope: string;
  state: string;
  consecutive_failures: number;
  failures: number;
}

async function breakerOf(tenant: Tenant): Promise<Breaker | undefined> {
  const answer = await platform.api("/admin/breakers");
  assert.equal(answer.status, 200, answer.text);
  const { breakers } = answer.json<{ breakers: Breaker[] }>();
  return breakers.find(({ scope }) => scope === `tenant:${tenant.id}`);
}

async function statusOf(tenant: Tenant, id: string): Promise<string> {
  return (await tenant.api(`/wa-messages/${id}`)).json<{ status: string }>().status;
}

async function post(tenant: Tenant): Promise<string> {
  const answer = await tenant.send();
  assert.equal(answer.status, 202, answer.text);
  return answer.json<{ id: string }>().id;
}

Deno.test("tenant A's circuit opens; its messages wait uncalled, tenant B is unaffected", async () => {
  const [a, b] = [await platform.createTenant(), await platform.createTenant()];
  const ofA = { phone_number_id: a.phoneNumberId };
  await platform.simulator.addRule({ match: ofA, then: { error: { code: 131000, http: 500 } } });
  for (let i = 0; i < 5; i++) await post(a);
  const opened = await eventually(() => breakerOf(a), (it) => it?.state === "open", {
    timeoutMs: 30_000,
  });
  assert.ok(opened!.failures >= 5);

  const calls = (await platform.simulator.received(ofA)).length;
  const held = await post(a);
  const sent = await post(b);
  const status = () => statusOf(b, sent);
  await eventually(status, (it) => ["sent", "delivered", "read"].includes(it), {
    timeoutMs: 30_000,
  });
  assert.equal(await statusOf(a, held), "queued");
  assert.equal((await platform.simulator.received(ofA)).length, calls);
});

Deno.test("an operator isolates a tenant and resets it, and both are audited", async () => {
  const tenant = await platform.createTenant();
  const steer = (action: string) =>
    platform.api(`/admin/breakers/${encodeURIComponent(`tenant:${tenant.id}`)}/${action}`, {
      body: {},
    });
  assert.equal((await steer("isolate")).json<Breaker>().state, "isolated");
  const id = await post(tenant);
  const view = () =>
    tenant.api(`/wa-messages/${id}`).then((it) => it.json<{ waiting_for?: string }>());
  const held = await eventually(view, ({ waiting_for }) => waiting_for !== undefined, {
    timeoutMs: 30_000,
  });
  assert.equal(held.waiting_for, `breaker:tenant:${tenant.id}`);
  assert.equal((await breakerOf(tenant))?.state, "isolated");
  const ofTenant = { phone_number_id: tenant.phoneNumberId };
  assert.deepEqual(await platform.simulator.received(ofTenant), []);
  assert.equal((await steer("reset")).json<Breaker>().state, "closed");
  const audit = (await platform.api("/admin/audit")).json<{ entries: { action: string }[] }>();
  const actions = audit.entries.map(({ action }) => action);
  assert.ok(actions.includes("breaker.isolated") && actions.includes("breaker.reset"));
});
