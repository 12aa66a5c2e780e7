import { strict as assert } from "node:assert";
import fc from "fast-check";

import { addToWindow, liveSlots, totalsOf } from "./breaker_window.ts";
import type { WindowSlot } from "./breaker_window.ts";

const windowMs = 30_000;
const call = fc.record({
  waitMs: fc.oneof(fc.nat(4_000), fc.nat(40_000)),
  requests: fc.integer({ min: 1, max: 9 }),
  failures: fc.nat(9),
});

Deno.test("a window holds all of the last 27 s and nothing of 30 s ago, in at most 10 slots", () => {
  fc.assert(fc.property(fc.nat(), fc.array(call), (startMs, calls) => {
    let nowMs = startMs;
    let slots: WindowSlot[] = [];
    const made: { atMs: number; requests: number }[] = [];
    for (const { waitMs, requests, failures } of calls) {
      nowMs += waitMs;
      made.push({ atMs: nowMs, requests });
      slots = addToWindow(slots, { requests, failures }, nowMs, windowMs);
      const since = (ms: number) =>
        made.filter(({ atMs }) => atMs > nowMs - ms).reduce((sum, one) => sum + one.requests, 0);
      const counted = totalsOf(slots).requests;
      assert.ok(counted >= since(27_000) && counted <= since(30_000));
      assert.ok(slots.length <= 10);
    }
  }));
});

Deno.test("a window drops what lies ahead of a clock that was put back", () => {
  const slots = addToWindow([], { requests: 5, failures: 5 }, 1_000_000, windowMs);
  assert.deepEqual(liveSlots(slots, 900_000, windowMs), []);
});
