/** Faults that were measured in other libraries. */
import { strict as assert } from "node:assert";

import { BREAKER_SETTINGS } from "./breaker_settings.ts";
import { drive, minute, opened, second } from "./test_breaker.ts";

Deno.test("failures of an hour ago are not counted in a window of 30 s", () => {
  const it = drive({ ...BREAKER_SETTINGS.tenant, failuresInARow: Infinity, minimumRequests: 10 });
  it.fail(9);
  it.wait(60 * minute);
  assert.equal(it.fail(), "closed");
});

Deno.test("a failure every 30 s never makes a rate", () => {
  const it = drive({ ...BREAKER_SETTINGS.tenant, failuresInARow: Infinity });
  for (let i = 0; i < 100; i++) {
    it.wait(30 * second);
    assert.equal(it.fail(), "closed");
  }
});

Deno.test("the first failure does not open it", () => {
  assert.equal(drive().fail(), "closed");
});

Deno.test("callers beside a probe that hangs are refused at once, all thousand of them", () => {
  const it = opened();
  it.wait(minute);
  it.admit();
  const refused = Array.from({ length: 1_000 }, () => it.admit()).filter((one) => !one.allowed);
  assert.equal(refused.length, 1_000);
});

Deno.test("a call begun before it opened does not close it by succeeding during half-open", () => {
  const it = drive();
  const early = it.admit();
  it.fail(5);
  it.wait(minute);
  it.admit();
  assert.equal(it.report({ generation: early.generation, successes: 1 }), "half_open");
});

Deno.test("calls that were held back do not dilute the rate", () => {
  const it = opened();
  for (let i = 0; i < 100; i++) it.admit();
  it.wait(minute);
  it.admit();
  it.succeed();
  for (let i = 0; i < 100; i++) it.admit();
  assert.equal(it.fail(5), "open");
});

Deno.test("an open breaker that nobody reports to still tries again: it needs no traffic to recover", () => {
  const it = opened();
  it.wait(11 * 60 * minute);
  assert.equal(it.admit().allowed, true);
});
