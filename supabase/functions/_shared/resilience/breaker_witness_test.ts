/** Scopes of several tenants: one tenant alone cannot close them to the others. */
import { strict as assert } from "node:assert";

import { SEVERAL } from "./breaker.ts";
import { BREAKER_SETTINGS } from "./breaker_settings.ts";
import type { BreakerSettings } from "./breaker_settings.ts";
import { drive, second } from "./test_breaker.ts";

const ofTwo: BreakerSettings = { ...BREAKER_SETTINGS.tenant, witnesses: 2 };
const fiveSeenBy = (witness: string) => ({ failures: 5, trailingFailures: 5, witness });

Deno.test("what must be seen through two tenants stays closed while one alone fails, however often", () => {
  const it = drive(ofTwo);
  for (let i = 0; i < 10; i++) it.report(fiveSeenBy("tenant:a"));
  assert.equal(it.breaker.state, "closed");
});

Deno.test("what must be seen through two tenants opens when the calls of both fail", () => {
  const it = drive(ofTwo);
  it.report(fiveSeenBy("tenant:a"));
  assert.equal(it.report({ failures: 1, trailingFailures: 1, witness: "tenant:b" }), "open");
});

Deno.test("what must be seen through two tenants opens when Meta itself names it", () => {
  assert.equal(drive(ofTwo).report(fiveSeenBy(SEVERAL)), "open");
});

Deno.test("the app's breaker opens when two tenants fail ten times in a row", () => {
  const it = drive(BREAKER_SETTINGS.app);
  it.report(fiveSeenBy("tenant:a"));
  it.report({ failures: 4, trailingFailures: 4, witness: "tenant:b" });
  assert.equal(it.breaker.state, "closed");
  assert.equal(it.report({ failures: 1, trailingFailures: 1, witness: "tenant:b" }), "open");
});

Deno.test("the app's breaker stays closed when two tenants have a bad call each among few", () => {
  const it = drive(BREAKER_SETTINGS.app);
  it.report({ failures: 1, trailingFailures: 1, witness: "tenant:a" });
  it.succeed(2);
  it.report({ failures: 1, trailingFailures: 1, witness: "tenant:b" });
  it.succeed();
  assert.equal(it.report({ failures: 1, trailingFailures: 1, witness: "tenant:b" }), "closed");
});

Deno.test("the app's breaker opens at 30 % of at least 20 calls of two tenants", () => {
  const it = drive(BREAKER_SETTINGS.app);
  it.report({ failures: 3, successes: 14, witness: "tenant:a" });
  it.report({ failures: 2, trailingFailures: 2, witness: "tenant:b" });
  assert.equal(it.breaker.state, "closed");
  assert.equal(it.report({ failures: 1, trailingFailures: 1, witness: "tenant:b" }), "open");
});

Deno.test("a tenant that failed within the window is a witness, even after a success", () => {
  const it = drive(ofTwo);
  it.report({ failures: 2, trailingFailures: 2, witness: "tenant:a" });
  it.succeed();
  assert.equal(it.report({ failures: 3, trailingFailures: 3, witness: "tenant:b" }), "open");
  assert.equal(it.breaker.cause, "failure_rate");
});

Deno.test("a tenant that failed before the window is no witness any more", () => {
  const it = drive(ofTwo);
  it.report({ failures: 1, trailingFailures: 1, witness: "tenant:a" });
  it.succeed();
  it.wait(30 * second);
  assert.equal(it.report(fiveSeenBy("tenant:b")), "closed");
});
