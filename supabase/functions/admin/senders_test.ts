import { strict as assert } from "node:assert";
import { problemOf } from "../_shared/test_problem.ts";
import { createTestAdmin, secretActor, tenantId, user } from "./test_admin.ts";

const tenantPath = `/tenants/${tenantId}`;
const PATH = `${tenantPath}/senders/100000000000001`;
const named = { tenant_id: tenantId, phone_number_id: "100000000000001" };

Deno.test("PATCH sender changes what it names and answers the sender as it is now", async () => {
  const sender = { phone_number_id: "100000000000001", limit: null, throughput_per_second: 20 };
  const { ask, calls } = createTestAdmin({
    rpc: { change_sender: { outcome: "changed", sender } },
  });
  const changes = { limit: null, throughput_per_second: 20 };
  const response = await ask("PATCH", PATH, changes);
  assert.deepEqual([response.status, await response.json()], [200, sender]);
  assert.deepEqual(calls, [{
    name: "change_sender",
    args: { ...named, changes, actor: secretActor },
  }]);
});

for (
  const [body, pointer] of [
    [{}, ""],
    [{ limit: null, access_token: "t" }, "/access_token"],
    [{ display_phone_number: "" }, "/display_phone_number"],
    [{ limit: { messages: 80 } }, "/limit/window_seconds"],
    [{ status: "removed" }, "/status"],
    [{ throughput_per_second: 0 }, "/throughput_per_second"],
    [{ throughput_per_second: 1_001 }, "/throughput_per_second"],
    [{ throughput_per_second: null }, "/throughput_per_second"],
  ] as [unknown, string][]
) {
  Deno.test(`PATCH sender with ${JSON.stringify(body)} changes nothing and answers 422`, async () => {
    const { ask, calls } = createTestAdmin();
    const { status, pointers } = await problemOf(await ask("PATCH", PATH, body));
    assert.deepEqual([status, pointers, calls.length], [422, [pointer], 0]);
  });
}

Deno.test("an owner changes no limit, not even beside what an owner may change", async () => {
  const { ask, calls } = createTestAdmin({ caller: user("owner") });
  const body = { display_phone_number: "+1 555", limit: { messages: 9, window_seconds: 1 } };
  assert.equal((await problemOf(await ask("PATCH", PATH, body))).code, "forbidden");
  assert.deepEqual(calls, []);
});

Deno.test("DELETE sender removes it and names it", async () => {
  const { ask, calls } = createTestAdmin({ rpc: { remove_sender: { outcome: "removed" } } });
  const response = await ask("DELETE", PATH);
  assert.deepEqual(await response.json(), { phone_number_id: "100000000000001" });
  assert.deepEqual(calls, [{ name: "remove_sender", args: { ...named, actor: secretActor } }]);
});

Deno.test("PATCH and DELETE of no sender answer 404", async () => {
  const gone = { outcome: "sender_not_found" };
  const { ask } = createTestAdmin({ rpc: { change_sender: gone, remove_sender: gone } });
  for (const path of [PATH, `${tenantPath}/senders/abc`]) {
    for (
      const response of [
        await ask("PATCH", path, { display_phone_number: "+1 555" }),
        await ask("DELETE", path),
      ]
    ) {
      const { status, code } = await problemOf(response);
      assert.deepEqual([status, code], [404, "unknown_sender"]);
    }
  }
});
