import { strict as assert } from "node:assert";
import fc from "fast-check";

import { countInPair, newPair, PAIR_BURST, PAIR_INTERVAL_MS, pairMoment } from "./pair.ts";

const START_MS = 1_800_000_000_000;

function setup() {
  const clock = { nowMs: START_MS };
  const pair = newPair();
  const send = () => {
    const isFree = pairMoment(pair, clock.nowMs) === clock.nowMs;
    if (isFree) countInPair(pair, clock.nowMs);
    return isFree;
  };
  const sendMany = (count: number) => Array.from({ length: count }, send).filter(Boolean).length;
  const waitMs = () => pairMoment(pair, clock.nowMs) - clock.nowMs;
  return { clock, send, sendMany, waitMs };
}

Deno.test("one message every six seconds goes through for ever", () => {
  const { clock, send } = setup();
  for (let i = 0; i < 100; i += 1) {
    assert.ok(send());
    clock.nowMs += 6_000;
  }
});

Deno.test("a burst has at most 45 messages", () => {
  const { sendMany, waitMs } = setup();
  assert.equal(sendMany(100), 45);
  assert.equal(waitMs(), 45 * 6_000);
});

Deno.test("a burst is over after six seconds, and is paid back before the next", () => {
  const { clock, sendMany, waitMs } = setup();
  assert.equal(sendMany(10), 10);
  clock.nowMs += 5_999;
  assert.equal(sendMany(10), 10);
  clock.nowMs += 1;
  assert.equal(waitMs(), 20 * 6_000 - 6_000);
  clock.nowMs += waitMs();
  assert.equal(sendMany(100), 45);
});

Deno.test("a clock that was put back lengthens a wait by no more than was waited for", () => {
  const { clock, sendMany, waitMs } = setup();
  sendMany(20);
  clock.nowMs -= 3_600_000;
  assert.equal(sendMany(1), 1);
  clock.nowMs += 6_000;
  assert.equal(waitMs(), 21 * 6_000 - 6_000);
});

Deno.test("what goes through a pair fits a bucket of 45 that is refilled every six seconds", () => {
  fc.assert(fc.property(
    fc.array(fc.record({
      afterMs: fc.integer({ min: 0, max: 40_000 }),
      count: fc.integer({ min: 1, max: 60 }),
    })),
    (asked) => {
      const { clock, send } = setup();
      let fullAtMs = START_MS;
      for (const { afterMs, count } of asked) {
        clock.nowMs += afterMs;
        for (let i = 0; i < count; i += 1) {
          if (!send()) continue;
          fullAtMs = Math.max(fullAtMs, clock.nowMs) + PAIR_INTERVAL_MS;
          assert.ok(fullAtMs - clock.nowMs <= PAIR_BURST * PAIR_INTERVAL_MS);
        }
      }
    },
  ));
});
