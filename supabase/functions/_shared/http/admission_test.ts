import { strict as assert } from "node:assert";
import { actorOf, admit, admitToTenant } from "./admission.ts";
import type { Caller, Role } from "./caller.ts";
import { problem } from "./problem.ts";

const request = new Request("http://localhost/x");
const secret: Caller = { kind: "secret", tenantId: null };

function apiKey(role: Role): Caller {
  return { kind: "tenant", tenantId: "t", role, keyId: "k" };
}

function identifyAs(caller: Caller) {
  return () => Promise.resolve({ ok: true as const, caller });
}

Deno.test("admitToTenant lets in a role that the action names", async () => {
  const caller = apiKey("operator");
  const admitted = await admitToTenant(identifyAs(caller), request, "use_messages");
  assert.deepEqual(admitted, { ok: true, caller, tenantId: "t" });
});

Deno.test("admitToTenant refuses a role that the action does not name with 403", async () => {
  const admitted = await admitToTenant(identifyAs(apiKey("viewer")), request, "use_messages");
  assert.ok(!admitted.ok);
  assert.equal(admitted.response.status, 403);
  assert.equal((await admitted.response.json()).code, "forbidden");
});

for (
  const [action, who] of [
    ["use_messages", "owner, admin, operator, or the project's secret key"],
    ["run_platform", "the project's secret key"],
  ] as const
) {
  Deno.test(`a caller who may not ${action} learns who may`, async () => {
    const admitted = await admit(identifyAs(apiKey("viewer")), request, action);
    assert.ok(!admitted.ok);
    const { detail } = await admitted.response.json();
    assert.equal(detail, `The caller's role does not include this: it takes ${who}.`);
  });
}

Deno.test("admitToTenant asks a secret caller for the tenant with 400", async () => {
  const admitted = await admitToTenant(identifyAs(secret), request, "use_messages");
  assert.ok(!admitted.ok);
  assert.equal(admitted.response.status, 400);
  assert.equal((await admitted.response.json()).code, "invalid_tenant_id");
});

Deno.test("admit lets a secret caller in without a tenant", async () => {
  const admitted = await admit(identifyAs(secret), request, "run_platform");
  assert.deepEqual(admitted, { ok: true, caller: secret });
});

Deno.test("admit passes on why a caller is not known", async () => {
  const response = problem(401, "missing_credentials", "Who?");
  const admitted = await admit(
    () => Promise.resolve({ ok: false, response }),
    request,
    "run_platform",
  );
  assert.deepEqual(admitted, { ok: false, response });
});

Deno.test("actorOf names the key or the person, never the key itself", () => {
  assert.deepEqual(actorOf(secret), { kind: "secret" });
  assert.deepEqual(actorOf(apiKey("admin")), { kind: "api_key", id: "k" });
  assert.deepEqual(actorOf({ kind: "user", tenantId: "t", role: "admin", userId: "u" }), {
    kind: "user",
    id: "u",
  });
});
