import { strict as assert } from "node:assert";
import { problemOf } from "../_shared/test_problem.ts";
import { createTestAdmin, secretActor, tenantId, userId } from "./test_admin.ts";

const createdId = "66666666-6666-4666-8666-666666666666";
const tenantPath = `/tenants/${tenantId}`;
const KEY = `${tenantPath}/api-keys/${createdId}`;
const MEMBER = `${tenantPath}/members/${userId}`;

Deno.test("GET api-keys lists the keys of the tenant", async () => {
  const keys = [{ id: createdId, prefix: "swy_abcdef", name: "crm", last_used_at: null }];
  const { ask, calls } = createTestAdmin({ rpc: { list_api_keys: keys } });
  const response = await ask("GET", `${tenantPath}/api-keys`);
  assert.deepEqual(await response.json(), { api_keys: keys });
  assert.deepEqual(calls[0]?.args, { wanted_tenant_id: tenantId });
});

Deno.test("GET members lists the people of the tenant", async () => {
  const members = [{ user_id: userId, role: "owner" }];
  const { ask, calls } = createTestAdmin({ rpc: { list_members: members } });
  assert.deepEqual(await (await ask("GET", `${tenantPath}/members`)).json(), { members });
  assert.deepEqual(calls[0]?.args, { wanted_tenant_id: tenantId });
});

Deno.test("DELETE api-keys revokes the key, DELETE members removes the person", async () => {
  const { ask, calls } = createTestAdmin({
    rpc: { revoke_api_key: { outcome: "revoked" }, remove_member: { outcome: "removed" } },
  });
  assert.deepEqual(await (await ask("DELETE", KEY)).json(), { id: createdId });
  assert.deepEqual(await (await ask("DELETE", MEMBER)).json(), { user_id: userId });
  assert.deepEqual(calls, [
    {
      name: "revoke_api_key",
      args: { tenant_id: tenantId, key_id: createdId, actor: secretActor },
    },
    { name: "remove_member", args: { tenant_id: tenantId, user_id: userId, actor: secretActor } },
  ]);
});

Deno.test("DELETE of what is not the tenant's, or gone already, answers 404", async () => {
  const gone = { outcome: "not_found" };
  const { ask, calls } = createTestAdmin({ rpc: { revoke_api_key: gone, remove_member: gone } });
  for (const path of [KEY, MEMBER, `${tenantPath}/api-keys/crm`, `${tenantPath}/members/ann`]) {
    assert.equal((await problemOf(await ask("DELETE", path))).code, "not_found");
  }
  assert.equal(calls.length, 2);
});

Deno.test("the last owner is neither removed nor given another role", async () => {
  const last = { outcome: "last_owner" };
  const { ask } = createTestAdmin({ rpc: { remove_member: last, set_member: last } });
  const lowered = { user_id: userId, role: "viewer" };
  for (
    const response of [
      await ask("DELETE", MEMBER),
      await ask("POST", `${tenantPath}/members`, lowered),
    ]
  ) {
    const { status, code } = await problemOf(response);
    assert.deepEqual([status, code], [409, "last_owner"]);
  }
});
