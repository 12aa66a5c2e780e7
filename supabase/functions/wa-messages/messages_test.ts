import { strict as assert } from "node:assert";
import { problemOf } from "../_shared/test_problem.ts";
import { EXAMPLES } from "../_shared/whatsapp/outbound_examples.ts";
import { createTestMessages, messageId, tenantId } from "./test_messages.ts";

for (
  const [method, path, allow] of [
    ["PUT", "", "GET, POST"],
    ["GET", "/batch", "POST"],
    ["POST", `/${messageId}`, "GET, DELETE"],
  ]
) {
  Deno.test(`${method} /wa-messages${path} answers 405`, async () => {
    const response = await createTestMessages().ask(method!, path!);
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), allow);
  });
}

for (const role of ["viewer", "finance"] as const) {
  Deno.test(`a ${role} neither posts nor reads messages`, async () => {
    const { ask, calls } = createTestMessages({
      caller: { kind: "user", tenantId, role, userId: "u" },
    });
    assert.equal((await ask("POST", "", EXAMPLES.text)).status, 403);
    assert.equal((await ask("GET", `/${messageId}`)).status, 403);
    assert.deepEqual(calls, []);
  });
}

Deno.test("a secret caller names the tenant", async () => {
  const { ask } = createTestMessages({ caller: { kind: "secret", tenantId: null } });
  assert.equal((await problemOf(await ask("GET", ""))).code, "invalid_tenant_id");
});

Deno.test("the log holds neither the content nor the number nor the key of a message", async () => {
  const { ask, lines } = createTestMessages();
  await ask("POST", "", EXAMPLES.text, { "idempotency-key": "key-for-order" });
  await ask("GET", "?to=+4915112345678");
  assert.ok(lines.length >= 2);
  assert.doesNotMatch(lines.join(), /example\.com|15112345678|key-for-order/);
});
