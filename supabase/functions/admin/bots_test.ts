import { strict as assert } from "node:assert";
import type { Caller } from "../_shared/http/caller.ts";
import { createTestAdmin, secret, tenantId, user } from "./test_admin.ts";

const conversationId = "22222222-2222-4222-8222-222222222222";
const BOT = `/tenants/${tenantId}/bot`;
const EVENTS = `/tenants/${tenantId}/conversations/${conversationId}/events`;

function setup(caller: Caller, answers: Record<string, unknown> = {}) {
  const rpc = { set_bot: { outcome: "set" }, tell_conversation: "told", ...answers };
  return createTestAdmin({ caller, rpc });
}

Deno.test("PUT bot chooses a machine, and null takes it away", async () => {
  const { ask, calls } = setup(secret);
  assert.deepEqual(await (await ask("PUT", BOT, { machine: "menu" })).json(), { machine: "menu" });
  assert.equal(await (await ask("PUT", BOT, null)).json(), null);
  const actor = { kind: "secret", request_id: "r" };
  assert.deepEqual(calls.map(({ args }) => args), [
    { tenant_id: tenantId, machine: "menu", actor },
    { tenant_id: tenantId, machine: null, actor },
  ]);
});

Deno.test("PUT bot with a machine that nobody wrote answers 422 and names those that there are", async () => {
  const { ask, calls } = setup(secret);
  const response = await ask("PUT", BOT, { machine: "oracle" });
  assert.equal(response.status, 422);
  const { errors } = await response.json();
  assert.deepEqual(errors, [{
    pointer: "/machine",
    detail: "must be a machine of this project: menu",
  }]);
  assert.deepEqual(calls, []);
});

Deno.test("PUT bot is for owners and admins of the tenant itself", async () => {
  for (const role of ["owner", "admin"] as const) {
    assert.equal((await setup(user(role)).ask("PUT", BOT, null)).status, 200);
  }
  for (const caller of [user("operator"), user("viewer"), user("owner", conversationId)]) {
    assert.equal((await setup(caller).ask("PUT", BOT, null)).status, 403);
  }
});

Deno.test("PUT bot of a tenant that is not there answers 404", async () => {
  const { ask } = setup(secret, { set_bot: { outcome: "tenant_not_found" } });
  assert.equal((await ask("PUT", BOT, null)).status, 404);
});

Deno.test("a person's event is told to the conversation's machine, by an operator or higher", async () => {
  const { ask, calls } = setup(user("operator"));
  assert.equal((await ask("POST", EVENTS, { type: "agent.took" })).status, 202);
  assert.deepEqual(calls[0]?.args, {
    tenant_id: tenantId,
    conversation_id: conversationId,
    event: "agent.took",
  });
  assert.equal((await ask("POST", EVENTS, { type: "customer.wrote" })).status, 422);
  assert.equal((await setup(user("viewer")).ask("POST", EVENTS, {})).status, 403);
});

for (const [outcome, status] of [["no_machine", 409], ["conversation_not_found", 404]] as const) {
  Deno.test(`a person's event to a conversation with outcome ${outcome} answers ${status}`, async () => {
    const { ask } = setup(secret, { tell_conversation: outcome });
    assert.equal((await ask("POST", EVENTS, { type: "agent.took" })).status, status);
  });
}
