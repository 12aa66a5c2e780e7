/** How long a breaker stays open, and how it tries again. */
import { strict as assert } from "node:assert";

import { BREAKER_SETTINGS, MAX_PAUSE_MS } from "./breaker_settings.ts";
import { drive, minute, opened, second } from "./test_breaker.ts";

Deno.test("a pause that Meta asks for opens it at the first failure, for as long as asked", () => {
  const it = drive();
  it.report({ failures: 1, trailingFailures: 1, pauseMs: 60 * minute });
  assert.equal(it.breaker.cause, "pause");
  assert.equal(it.admit().waitMs, 60 * minute);
});

Deno.test("a short pause that Meta asks for is lengthened to the usual minute", () => {
  const it = drive();
  it.report({ failures: 1, trailingFailures: 1, pauseMs: second });
  assert.equal(it.admit().waitMs, minute);
});

Deno.test("no pause is longer than a day", () => {
  const it = drive();
  it.report({ failures: 1, trailingFailures: 1, pauseMs: 400 * 24 * 60 * minute });
  assert.equal(it.admit().waitMs, MAX_PAUSE_MS);
});

Deno.test("each failed probe lengthens the pause, up to five minutes", () => {
  const it = opened();
  const waits = [];
  for (let probe = 0; probe < 6; probe++) {
    const { waitMs } = it.admit();
    waits.push(waitMs / second);
    it.wait(waitMs);
    it.admit();
    it.fail();
  }
  assert.deepEqual(waits, [60, 90, 135, 202.5, 300, 300]);
});

Deno.test("later pauses are spread by chance, the first is exact", () => {
  const it = opened(BREAKER_SETTINGS.tenant, 999);
  assert.equal(it.admit().waitMs, minute);
  it.wait(minute);
  it.admit();
  it.fail();
  assert.equal(it.admit().waitMs, 98_991);
});

Deno.test("half-open lets one call through; the others are told to ask again soon", () => {
  const it = opened();
  it.wait(minute);
  assert.equal(it.admit().allowed, true);
  const { allowed, waitMs } = it.admit();
  assert.deepEqual([allowed, waitMs], [false, 3 * second]);
});

Deno.test("a probe whose holder died is leased again after 15 s", () => {
  const it = opened();
  it.wait(minute);
  it.admit();
  it.wait(15 * second - 1);
  const { allowed, waitMs } = it.admit();
  assert.deepEqual([allowed, waitMs], [false, 1]);
  it.wait(1);
  assert.deepEqual(it.admit(), { allowed: true, generation: 3, probe: true, waitMs: 0 });
});

Deno.test("the answer of a probe that was leased again changes nothing", () => {
  const it = opened();
  it.wait(minute);
  const first = it.admit();
  it.wait(15 * second);
  it.admit();
  assert.equal(it.report({ generation: first.generation, successes: 1 }), "half_open");
  assert.equal(it.report({ generation: first.generation, failures: 1 }), "half_open");
});

Deno.test("a probe of which nothing came is given back, and leased to the next caller", () => {
  const it = opened();
  it.wait(minute);
  it.admit();
  assert.equal(it.report({}), "half_open");
  assert.deepEqual(it.admit(), { allowed: true, generation: 4, probe: true, waitMs: 0 });
});
