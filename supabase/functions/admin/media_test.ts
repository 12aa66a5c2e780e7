import { strict as assert } from "node:assert";
import type { Caller } from "../_shared/http/caller.ts";
import { createTestAdmin, otherTenantId, secret, tenantId, user } from "./test_admin.ts";

function setup(caller: Caller, outcome = "set") {
  const { ask, calls } = createTestAdmin({ caller, rpc: { set_media: { outcome } } });
  const put = (body: unknown, id = tenantId) => ask("PUT", `/tenants/${id}/media`, body);
  return { put, calls };
}

Deno.test("PUT media says what is kept, and for how long", async () => {
  const { put, calls } = setup(secret);
  assert.deepEqual(await (await put({ keep: "all", days: 30 })).json(), { keep: "all", days: 30 });
  assert.deepEqual(await (await put({ keep: "none" })).json(), { keep: "none", days: null });
  const actor = { kind: "secret", request_id: "r" };
  assert.deepEqual(calls, [
    { name: "set_media", args: { tenant_id: tenantId, keep: "all", days: 30, actor } },
    { name: "set_media", args: { tenant_id: tenantId, keep: "none", days: null, actor } },
  ]);
});

Deno.test("PUT media refuses what it does not know, and a tenant that is not there", async () => {
  const { put, calls } = setup(secret);
  for (const body of [{}, { keep: "some" }, { keep: "all", days: 0 }, { keep: "all", days: 1.5 }]) {
    assert.equal((await put(body)).status, 422, JSON.stringify(body));
  }
  assert.deepEqual(calls, []);
  assert.equal((await setup(secret, "tenant_not_found").put({ keep: "all" })).status, 404);
});

Deno.test("owners and admins of the tenant may, and nobody else", async () => {
  for (const role of ["owner", "admin"] as const) {
    assert.equal((await setup(user(role)).put({ keep: "all" })).status, 200, role);
  }
  for (const role of ["finance", "operator", "viewer"] as const) {
    assert.equal((await setup(user(role)).put({ keep: "all" })).status, 403, role);
  }
  assert.equal((await setup(user("owner")).put({ keep: "all" }, otherTenantId)).status, 403);
});
