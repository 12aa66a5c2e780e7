import { strict as assert } from "node:assert";

import { BREAKER_SETTINGS } from "./breaker_settings.ts";
import { drive, minute, opened, second, startMs } from "./test_breaker.ts";

Deno.test("a breaker nothing was heard of lets calls through", () => {
  const { allowed, waitMs } = drive().admit();
  assert.deepEqual([allowed, waitMs], [true, 0]);
});

Deno.test("R18: the circuit opens after 5 consecutive failures", () => {
  const it = drive();
  assert.equal(it.fail(4), "closed");
  assert.equal(it.fail(), "open");
  assert.equal(it.breaker.cause, "failures_in_a_row");
  assert.equal(it.admit().allowed, false);
});

Deno.test("R18: a success between failures begins the count anew", () => {
  const it = drive({ ...BREAKER_SETTINGS.tenant, minimumRequests: Infinity });
  for (let round = 0; round < 3; round++) {
    it.fail(4);
    assert.equal(it.succeed(), "closed");
  }
  assert.equal(it.fail(5), "open");
});

Deno.test("R18: the circuit enters half-open after 1 minute", () => {
  const it = opened();
  assert.deepEqual(it.admit(), {
    allowed: false,
    generation: 1,
    reason: "open",
    retryAtMs: startMs + minute,
    waitMs: minute,
  });
  it.wait(minute - 1);
  assert.equal(it.admit().allowed, false);
  it.wait(1);
  assert.deepEqual(it.admit(), { allowed: true, generation: 2, probe: true, waitMs: 0 });
  assert.equal(it.breaker.state, "half_open");
});

Deno.test("R18: a successful call in half-open closes the circuit", () => {
  const it = opened();
  it.wait(minute);
  it.admit();
  assert.equal(it.succeed(), "closed");
  assert.deepEqual(it.admit(), { allowed: true, generation: 3, probe: false, waitMs: 0 });
});

Deno.test("R18: a failed call in half-open opens the circuit again", () => {
  const it = opened();
  it.wait(minute);
  it.admit();
  assert.equal(it.fail(), "open");
  assert.equal(it.breaker.cause, "failed_probe");
  assert.equal(it.admit().allowed, false);
});

Deno.test("a closed circuit has forgotten what opened it", () => {
  const it = opened();
  it.wait(minute);
  it.admit();
  it.succeed();
  assert.equal(it.fail(4), "closed");
});

Deno.test("R19: the circuit opens at 30 % failures of at least 5 requests within 30 s", () => {
  const it = drive();
  it.fail(1);
  it.succeed(3);
  assert.equal(it.fail(), "open");
  assert.equal(it.breaker.cause, "failure_rate");
});

Deno.test("R19: exactly 30 % is enough", () => {
  const it = drive();
  it.succeed(7);
  assert.equal(it.fail(2), "closed");
  assert.equal(it.fail(), "open");
});

Deno.test("R19: under 30 % it stays closed", () => {
  const it = drive();
  it.succeed(6);
  it.fail(2);
  assert.equal(it.breaker.state, "closed");
  it.report({ failures: 1, successes: 3 });
  assert.equal(it.breaker.state, "closed", "3 of 12 failed");
  assert.equal(it.fail(), "open", "4 of 13 failed");
});

Deno.test("R19: fewer than 5 requests never open it, whatever share of them failed", () => {
  const it = drive();
  it.succeed();
  assert.equal(it.fail(3), "closed");
});

Deno.test("R19: what lies 30 s back no longer counts", () => {
  const it = drive();
  it.report({ failures: 1, successes: 1 });
  it.report({ failures: 1, successes: 1 });
  it.wait(30 * second);
  assert.equal(it.fail(2), "closed");
});

Deno.test("successes after failures never open it, whatever share of the window failed", () => {
  const it = drive();
  it.fail(4);
  assert.equal(it.succeed(), "closed");
});

Deno.test("of a batch, the failures after its last success count as consecutive", () => {
  const settings = { ...BREAKER_SETTINGS.tenant, minimumRequests: Infinity };
  const it = drive(settings);
  it.report({ failures: 7, successes: 3, trailingFailures: 4 });
  assert.equal(it.breaker.state, "closed");
  assert.equal(it.fail(), "open");
});

Deno.test("results of an earlier generation change nothing", () => {
  const it = opened();
  it.wait(minute);
  it.admit();
  it.succeed();
  const before = it.breaker;
  for (const generation of [0, 1, 2, 99]) {
    it.report({ generation, failures: 50, trailingFailures: 50 });
    it.report({ generation, successes: 50 });
  }
  assert.equal(it.breaker, before);
});

Deno.test("an isolated breaker stays so until it is reset", () => {
  const it = drive();
  const { generation } = it.admit();
  it.isolate();
  it.wait(365 * 24 * 60 * minute);
  const { allowed, waitMs } = it.admit();
  assert.deepEqual([allowed, waitMs], [false, minute]);
  assert.equal(it.report({ generation, successes: 1 }), "isolated");
  assert.equal(it.report({ successes: 1 }), "isolated");
  it.reset();
  assert.equal(it.admit().allowed, true);
});

Deno.test("a reset closes it, and what was under way before no longer counts", () => {
  const it = drive();
  it.fail(4);
  const { generation } = it.breaker;
  it.reset();
  assert.equal(it.report({ generation, failures: 9, trailingFailures: 9 }), "closed");
  assert.equal(it.fail(4), "closed");
});

Deno.test("a clock that is put back lengthens a pause by no more than the pause", () => {
  const it = opened();
  it.wait(-60 * minute);
  assert.equal(it.admit().allowed, true, "an hour back: a probe");
  const again = opened();
  again.wait(-second);
  assert.equal(again.admit().waitMs, 61 * second);
});

Deno.test("a clock that jumps ahead ends the pause, and nothing else", () => {
  const it = opened();
  it.wait(365 * 24 * 60 * minute);
  assert.deepEqual(it.admit(), { allowed: true, generation: 2, probe: true, waitMs: 0 });
});

Deno.test("counters go on through opening and closing", () => {
  const it = opened();
  it.wait(minute);
  it.admit();
  it.succeed();
  it.succeed(2);
  it.fail(3);
  const { requests, failures, openedCount, openedAtMs, failuresInARow } = it.breaker;
  assert.deepEqual(
    { requests, failures, openedCount, openedAtMs, failuresInARow },
    { requests: 11, failures: 8, openedCount: 2, openedAtMs: startMs + minute, failuresInARow: 3 },
  );
});
