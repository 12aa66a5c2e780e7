import { strict as assert } from "node:assert";

import { type Breaker, NEW_BREAKER } from "./breaker.ts";
import { statisticsOf } from "./breaker_statistics.ts";

const nowMs = Date.parse("2026-11-22T10:00:00Z");
const slot = Math.floor(nowMs / 3_000);
const openedAtMs = nowMs - 20_000;
const open: Breaker = {
  ...NEW_BREAKER,
  state: "open",
  generation: 3,
  cause: "failure_rate",
  sinceMs: openedAtMs,
  durationMs: 60_000,
  failuresInARow: 2,
  openedCount: 2,
  openedAtMs,
  requests: 400,
  failures: 7,
  window: [
    { slot: slot - 40, requests: 50, failures: 0 },
    { slot: slot - 7, requests: 6, failures: 2 },
  ],
};

Deno.test("R19: statistics tell requests, failures, their rate, the state and the next try", () => {
  assert.deepEqual(statisticsOf("tenant:a", open, nowMs), {
    scope: "tenant:a",
    state: "open",
    cause: "failure_rate",
    total_requests: 400,
    failures: 7,
    failure_rate: 33.3,
    consecutive_failures: 2,
    opened_count: 2,
    opened_at: "2026-11-22T09:59:40.000Z",
    next_probe_at: "2026-11-22T10:00:40.000Z",
    generation: 3,
  });
});

Deno.test("a breaker that never opened has no times", () => {
  const { opened_at, next_probe_at, failure_rate } = statisticsOf("app", NEW_BREAKER, nowMs);
  assert.deepEqual([opened_at, next_probe_at, failure_rate], [null, null, 0]);
});

Deno.test("an isolated breaker has no next try", () => {
  const isolated: Breaker = { ...open, state: "isolated" };
  assert.equal(statisticsOf("app", isolated, nowMs).next_probe_at, null);
});
