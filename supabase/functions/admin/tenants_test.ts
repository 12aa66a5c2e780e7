import { strict as assert } from "node:assert";
import { problemOf } from "../_shared/test_problem.ts";
import { createTestAdmin, secretActor, tenantId } from "./test_admin.ts";

const tenantPath = `/tenants/${tenantId}`;

Deno.test("GET tenants hands the page on as it is asked for, 50 unless said", async () => {
  const page = { tenants: [{ id: tenantId, slug: "acme" }], next_cursor: "acme" };
  const { ask, calls } = createTestAdmin({ rpc: { list_tenants: page } });
  assert.deepEqual(await (await ask("GET", "/tenants")).json(), page);
  await ask("GET", "/tenants?search=Ac&cursor=acme&limit=2");
  assert.deepEqual(calls.map(({ args }) => args), [
    { search: null, after_slug: null, page_limit: 50 },
    { search: "Ac", after_slug: "acme", page_limit: 2 },
  ]);
});

for (const query of ["limit=0", "limit=201", "limit=all", "cursor=Acme", "cursor=", "search="]) {
  Deno.test(`GET tenants?${query} answers 400`, async () => {
    const { ask, calls } = createTestAdmin();
    const { status, code } = await problemOf(await ask("GET", `/tenants?${query}`));
    assert.deepEqual([status, code, calls.length], [400, "malformed_request", 0]);
  });
}

Deno.test("GET tenant tells the tenant, and 404 for who is none", async () => {
  const tenant = { id: tenantId, slug: "acme", status: "active", senders: 2 };
  const { ask } = createTestAdmin({ rpc: { read_tenant: tenant } });
  assert.deepEqual(await (await ask("GET", tenantPath)).json(), tenant);
  const nobody = await createTestAdmin({ rpc: { read_tenant: null } }).ask("GET", tenantPath);
  assert.equal((await problemOf(nobody)).code, "not_found");
});

Deno.test("PATCH tenant changes what it names and answers the tenant as it is now", async () => {
  const tenant = { id: tenantId, status: "suspended" };
  const { ask, calls } = createTestAdmin({
    rpc: { change_tenant: { outcome: "changed", tenant } },
  });
  const changes = {
    name: "Acme Ltd",
    status: "suspended",
    limit: { messages: 200, window_seconds: 60 },
  };
  const response = await ask("PATCH", tenantPath, changes);
  assert.deepEqual([response.status, await response.json()], [200, tenant]);
  assert.deepEqual(calls, [{
    name: "change_tenant",
    args: { tenant_id: tenantId, changes, actor: secretActor },
  }]);
});

Deno.test("PATCH tenant that changes nothing answers as if it did", async () => {
  const tenant = { id: tenantId };
  const { ask } = createTestAdmin({ rpc: { change_tenant: { outcome: "unchanged", tenant } } });
  const response = await ask("PATCH", tenantPath, { name: "Acme" });
  assert.deepEqual([response.status, await response.json()], [200, tenant]);
});

Deno.test("PATCH of no tenant answers 404", async () => {
  const { ask } = createTestAdmin({ rpc: { change_tenant: { outcome: "tenant_not_found" } } });
  const { status, code } = await problemOf(await ask("PATCH", tenantPath, { name: "Acme" }));
  assert.deepEqual([status, code], [404, "not_found"]);
});

for (
  const [body, pointer] of [
    [{}, ""],
    [{ name: "Other", slug: "other" }, "/slug"],
    [{ name: "" }, "/name"],
    [{ status: "removed" }, "/status"],
    [{ limit: null }, "/limit"],
    [{ limit: { messages: 80 } }, "/limit/window_seconds"],
    [{ limit: { messages: 0, window_seconds: 60 } }, "/limit/messages"],
    [{ limit: { messages: 80, window_seconds: 86_401 } }, "/limit/window_seconds"],
  ] as [unknown, string][]
) {
  Deno.test(`PATCH tenant with ${JSON.stringify(body)} changes nothing and answers 422`, async () => {
    const { ask, calls } = createTestAdmin();
    const { status, pointers } = await problemOf(await ask("PATCH", tenantPath, body));
    assert.deepEqual([status, pointers, calls.length], [422, [pointer], 0]);
  });
}
