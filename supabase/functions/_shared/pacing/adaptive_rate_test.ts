import { strict as assert } from "node:assert";
import fc from "fast-check";

import {
  HOLD_MS,
  limitAt,
  LOWER_AGAIN_AFTER_MS,
  lowerRate,
  RISE_MS,
  shareAt,
  SMALLEST_SHARE,
} from "./adaptive_rate.ts";
import type { LoweredRate } from "./adaptive_rate.ts";

const gaps = fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 100 });

Deno.test("a limit that Meta never complained of is the whole limit", () => {
  assert.equal(limitAt(80, null, 0), 80);
});

Deno.test("a throttled answer halves the limit, and many at once halve it once", () => {
  const first = lowerRate(null, 1_000);
  assert.equal(limitAt(80, first, 1_000), 40);
  const again = lowerRate(lowerRate(first, 1_001), 5_999);
  assert.deepEqual(again, first);
  assert.equal(limitAt(80, lowerRate(again, 6_000), 6_000), 20);
});

Deno.test("after a pause the limit rises by the same amount in every second until it is whole", () => {
  const rate = lowerRate(null, 0);
  const after = (ms: number) => limitAt(1_000, rate, ms);
  assert.deepEqual([0, HOLD_MS, HOLD_MS + 1_000, HOLD_MS + 2_000].map(after), [500, 500, 505, 510]);
  assert.equal(after(HOLD_MS + RISE_MS / 2), 1_000);
  assert.equal(after(10 * RISE_MS), 1_000);
});

Deno.test("a limit of one stays one", () => {
  assert.equal(limitAt(1, lowerRate(null, 0), 0), 1);
});

Deno.test("a clock that was put back neither raises a limit nor keeps it from being lowered", () => {
  const rate = lowerRate(null, 3_600_000);
  assert.equal(limitAt(80, rate, 0), 40);
  assert.equal(limitAt(80, lowerRate(rate, 0), 0), 20);
});

Deno.test("the share stays within its bounds, and is halved at most once in five seconds", () => {
  fc.assert(fc.property(gaps, (throttledAfter) => {
    let rate: LoweredRate | null = null;
    let nowMs = 0;
    let loweredAtMs = -Infinity;
    for (const gapMs of throttledAfter) {
      nowMs += gapMs;
      const before = shareAt(rate, nowMs);
      rate = lowerRate(rate, nowMs);
      const share = shareAt(rate, nowMs);
      assert.ok(share >= SMALLEST_SHARE && share <= 1);
      if (nowMs - loweredAtMs < LOWER_AGAIN_AFTER_MS) assert.equal(share, before);
      else {
        assert.equal(share, Math.max(SMALLEST_SHARE, before / 2));
        loweredAtMs = nowMs;
      }
    }
  }));
});

Deno.test("while nobody complains the share never falls, and is whole again within the rise", () => {
  fc.assert(fc.property(gaps, gaps, (throttledAfter, looks) => {
    let rate: LoweredRate | null = null;
    let nowMs = 0;
    for (const gapMs of throttledAfter) rate = lowerRate(rate, nowMs += gapMs);
    const endMs = nowMs + HOLD_MS + RISE_MS;
    let share = shareAt(rate, nowMs);
    for (const gapMs of looks) {
      const next = shareAt(rate, nowMs += gapMs);
      assert.ok(next >= share);
      share = next;
    }
    assert.equal(shareAt(rate, endMs), 1);
  }));
});

Deno.test("against a provider that takes less than the limit it settles near what is taken", () => {
  fc.assert(fc.property(fc.integer({ min: 5, max: 95 }), (percent) => {
    const capacity = percent / 100;
    let rate: LoweredRate | null = null;
    let used = 0;
    let throttled = 0;
    const seconds = 2_000;
    for (let second = 0; second < seconds; second += 1) {
      const share = shareAt(rate, second * 1_000);
      used += Math.min(share, capacity);
      if (share <= capacity) continue;
      throttled += 1;
      rate = lowerRate(rate, second * 1_000);
    }
    assert.ok(used / seconds >= capacity * 0.6);
    assert.ok(throttled / seconds <= 0.1);
  }));
});
