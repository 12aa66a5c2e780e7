import { strict as assert } from "node:assert";

import {
  admitCalls,
  type Breaker,
  type CallResults,
  isolateBreaker,
  NEW_BREAKER,
  reportCalls,
  resetBreaker,
  SEVERAL,
} from "./breaker.ts";
import { BREAKER_SETTINGS, type BreakerSettings, MAX_PAUSE_MS } from "./breaker_settings.ts";

const startMs = 1_795_315_200_000;
const second = 1_000;
const minute = 60 * second;

/** A breaker under a clock that the test moves; what is reported was admitted just before. */
function drive(settings: BreakerSettings = BREAKER_SETTINGS.tenant, chancePermille = 0) {
  let breaker: Breaker = NEW_BREAKER;
  let nowMs = startMs;
  const report = (overrides: Partial<CallResults>) => {
    const results = {
      generation: breaker.generation,
      failures: 0,
      successes: 0,
      trailingFailures: 0,
      pauseMs: 0,
      witness: SEVERAL,
      ...overrides,
    };
    breaker = reportCalls(breaker, results, { nowMs, chancePermille }, settings);
    return breaker.state;
  };
  return {
    get breaker() {
      return breaker;
    },
    report,
    wait: (ms: number) => nowMs += ms,
    admit() {
      const asked = admitCalls(breaker, nowMs, settings);
      breaker = asked.breaker;
      const { admission } = asked;
      return admission.allowed
        ? { ...admission, waitMs: 0 }
        : { ...admission, waitMs: admission.retryAtMs - nowMs };
    },
    /** So many calls one after the other. */
    fail(times = 1) {
      for (let i = 0; i < times; i++) report({ failures: 1, trailingFailures: 1 });
      return breaker.state;
    },
    succeed(times = 1) {
      for (let i = 0; i < times; i++) report({ successes: 1 });
      return breaker.state;
    },
    isolate: () => breaker = isolateBreaker(breaker, nowMs),
    reset: () => breaker = resetBreaker(breaker, nowMs),
  };
}

function opened(settings?: BreakerSettings, chancePermille?: number) {
  const it = drive(settings, chancePermille);
  assert.equal(it.fail(5), "open");
  return it;
}

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

// Faults that were measured in other libraries.

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
