import { strict as assert } from "node:assert";
import type { CallRpc } from "../_shared/database.ts";
import type { Caller, Role } from "../_shared/http/caller.ts";
import { serve } from "../_shared/http/serve.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createHandler } from "./admin.ts";

const tenantId = "11111111-1111-4111-8111-111111111111";
const otherId = "22222222-2222-4222-8222-222222222222";

function setup(caller: Caller, outcome = "set") {
  const calls: unknown[] = [];
  const call = ((name: string, args: unknown) => {
    calls.push([name, args]);
    return Promise.resolve({ outcome });
  }) as unknown as CallRpc;
  const handler = createHandler({
    call,
    identify: () => Promise.resolve({ ok: true, caller }),
    randomBytes: (length) => new Uint8Array(length),
    resolve: () => Promise.resolve([]),
    reach: "public",
    statistics: null,
    memory: { maxEntries: 1, ttlMs: 1 },
    breakers: null,
  });
  const log = createLog({ write: () => {}, now: () => 0, fields: {} });
  const answer = serve("admin", handler, { log, now: () => 0, newRequestId: () => "r" });
  const put = (body: unknown, id = tenantId) =>
    answer(
      new Request(`http://localhost/admin/tenants/${id}/media`, {
        method: "PUT",
        body: JSON.stringify(body),
      }),
    );
  return { put, calls };
}

const secret: Caller = { kind: "secret", tenantId: null };
const keyOf = (role: Role): Caller => ({ kind: "tenant", tenantId, role, keyId: "k" });

Deno.test("PUT media says what is kept, and for how long", async () => {
  const { put, calls } = setup(secret);
  assert.deepEqual(await (await put({ keep: "all", days: 30 })).json(), { keep: "all", days: 30 });
  assert.deepEqual(await (await put({ keep: "none" })).json(), { keep: "none", days: null });
  const actor = { kind: "secret", request_id: "r" };
  assert.deepEqual(calls, [
    ["set_media", { tenant_id: tenantId, keep: "all", days: 30, actor }],
    ["set_media", { tenant_id: tenantId, keep: "none", days: null, actor }],
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
    assert.equal((await setup(keyOf(role)).put({ keep: "all" })).status, 200, role);
  }
  for (const role of ["finance", "operator", "viewer"] as const) {
    assert.equal((await setup(keyOf(role)).put({ keep: "all" })).status, 403, role);
  }
  assert.equal((await setup(keyOf("owner")).put({ keep: "all" }, otherId)).status, 403);
});
