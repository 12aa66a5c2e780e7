import { strict as assert } from "node:assert";
import type { ClaimedCallback } from "../_shared/queue/callbacks.ts";
import { BACKOFF, outcomeOf } from "./outcome.ts";
import type { PostResult } from "./post.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const CLAIMED: ClaimedCallback = {
  id: 7,
  attempt: 2,
  endpointId: "e1",
  tenantId: "t1",
  url: "https://example.com/",
  secrets: [],
  event: { id: "v1", type: "message.status", at: "2026-11-22T12:00:00Z", payload: {} },
  failureCount: 0,
};

function outcome(
  result: PostResult,
  { failureCount = 0, random = () => 0.5 }: { failureCount?: number; random?: () => number } = {},
) {
  return outcomeOf({ ...CLAIMED, failureCount }, result, { now: () => NOW, random });
}

function answer(status: number, retryAfter: string | null = null): PostResult {
  return { answered: true, status, retryAfter };
}

function waitOf(settlement: ReturnType<typeof outcome>["settlement"]): number {
  return "due_at" in settlement ? Date.parse(settlement.due_at) - NOW : 0;
}

for (const status of [200, 201, 202, 204, 299]) {
  Deno.test(`${status} means delivered`, () => {
    const { settlement, judgement } = outcome(answer(status));
    assert.deepEqual(settlement, { id: 7, attempt: 2, outcome: "delivered" });
    assert.deepEqual(judgement.succeeded, ["callback"]);
  });
}

for (const status of [301, 307, 400, 401, 404, 429, 500, 503]) {
  Deno.test(`${status} is tried again, and counts for this delivery alone until another fails`, () => {
    const { settlement, judgement } = outcome(answer(status));
    assert.equal(settlement.outcome, "failed");
    assert.deepEqual("failure" in settlement && settlement.failure, {
      cause: "http_status",
      http_status: status,
    });
    assert.deepEqual(judgement.failed, ["callback"]);
    assert.equal(judgement.named, false);
    assert.equal(judgement.witness, "delivery:7");
  });
}

Deno.test("410 says that the receiver wants no more", () => {
  assert.equal(outcome(answer(410)).settlement.outcome, "gone");
});

Deno.test("a receiver that cannot be reached is judged as a whole", () => {
  const { settlement, judgement } = outcome({ answered: false, cause: "timeout" });
  assert.deepEqual("failure" in settlement && settlement.failure, { cause: "timeout" });
  assert.equal(judgement.named, true);
});

Deno.test("waits double from 10 s to an hour, each a random part of it", () => {
  const longest = [0, 1, 2, 8, 9, 40].map((failureCount) =>
    waitOf(outcome(answer(500), { failureCount, random: () => 1 }).settlement)
  );
  assert.deepEqual(longest, [10_000, 20_000, 40_000, 2_560_000, BACKOFF.capMs, BACKOFF.capMs]);
  assert.equal(waitOf(outcome(answer(500), { failureCount: 2 }).settlement), 20_000);
});

for (
  const [status, retryAfter, expectedMs] of [
    [429, "120", 120_000],
    [503, "Sun, 22 Nov 2026 12:05:00 GMT", 300_000],
    [503, "86400", BACKOFF.capMs],
    [429, "1", 5_000],
    [429, "soon", 5_000],
    [503, "Sun, 22 Nov 2020 12:05:00 GMT", 5_000],
    [500, "120", 5_000],
  ] as [number, string, number][]
) {
  Deno.test(`${status} with Retry-After: ${retryAfter} waits ${expectedMs} ms`, () => {
    assert.equal(waitOf(outcome(answer(status, retryAfter)).settlement), expectedMs);
  });
}
