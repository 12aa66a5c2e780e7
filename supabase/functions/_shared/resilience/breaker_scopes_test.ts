import { strict as assert } from "node:assert";

import { isScope, kindOf, scopesOf, settingsOf, tenantIdOf } from "./breaker_scopes.ts";
import { BREAKER_SETTINGS } from "./breaker_settings.ts";

const message = { tenantId: "t1", senderId: "s1", businessAccountId: "200", template: null };

Deno.test("a message has the scopes of app, tenant, business account and sender", () => {
  assert.deepEqual(scopesOf(message), ["app", "tenant:t1", "business_account:200", "sender:s1"]);
});

Deno.test("a template message has the scope of its template and language as well", () => {
  const template = { name: "order_shipped", language: "pt_BR" };
  assert.equal(scopesOf({ ...message, template }).at(-1), "template:200:order_shipped:pt_BR");
});

Deno.test("each tenant has an independent breaker, and shares only the app's with others", () => {
  const others = scopesOf({
    tenantId: "t2",
    senderId: "s2",
    businessAccountId: "201",
    template: null,
  });
  assert.deepEqual(scopesOf(message).filter((scope) => others.includes(scope)), ["app"]);
});

Deno.test("every scope of a message has the settings of its kind", () => {
  const template = { name: "n", language: "en" };
  for (const scope of scopesOf({ ...message, template })) {
    assert.equal(isScope(scope), true);
    assert.equal(settingsOf(scope), BREAKER_SETTINGS[kindOf(scope)]);
  }
  assert.throws(() => kindOf("recipient:1"), /no scope of a breaker: recipient:1/);
});

for (
  const text of ["", "App", "app:1", "tenant", "tenant:", "sender:a b", "template:200", "pair:1"]
) {
  Deno.test(`"${text}" is no scope that an operator may name`, () => {
    assert.equal(isScope(text), false);
  });
}

Deno.test("the tenant of a tenant's scope is a field of its own", () => {
  assert.deepEqual(tenantIdOf("tenant:t1"), { tenant_id: "t1" });
  assert.deepEqual(tenantIdOf("sender:s1"), {});
});
