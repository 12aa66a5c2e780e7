import { strict as assert } from "node:assert";
import fc from "fast-check";

import { backoffMs } from "./backoff.ts";

Deno.test("backoffMs() doubles its ceiling with every failure and caps it", () => {
  const almostOne = () => 0.999999;
  const waits = [1, 2, 3, 4, 7, 30].map((failures) => backoffMs(failures, almostOne));
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 60_000, 60_000]);
});

Deno.test("backoffMs() stays between nothing and its ceiling, whatever chance says", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 1_000 }),
    fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    (failures, chance) => {
      const wait = backoffMs(failures, () => chance, { baseMs: 100, capMs: 2_000 });
      assert.ok(wait >= 0 && wait <= Math.min(2_000, 100 * 2 ** (failures - 1)));
    },
  ));
});

Deno.test("backoffMs() before any failure is a programmer's mistake", () => {
  assert.throws(() => backoffMs(0, Math.random), RangeError);
});
