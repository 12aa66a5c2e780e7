import { strict as assert } from "node:assert";

import { createBackpressure } from "./backpressure.ts";

const LIMITS = { fullBatch: 200, reducedBatch: 100, highDepth: 1_000, lowDepth: 100 };

function setup() {
  const logged: string[] = [];
  const note = (event: string) => void logged.push(event);
  return { logged, backpressure: createBackpressure(LIMITS, { warn: note, info: note }) };
}

function batchesAt(depths: number[]): { batches: number[]; logged: string[] } {
  const { backpressure, logged } = setup();
  const batches = depths.map((depth) => {
    backpressure.observe(depth);
    return backpressure.batch();
  });
  return { batches, logged };
}

Deno.test("claims are full until the depth is beyond the high mark", () => {
  assert.deepEqual(batchesAt([0, 500, 1_000, 1_001]).batches, [200, 200, 200, 100]);
});

Deno.test("claims stay reduced until the depth is below the low mark", () => {
  assert.deepEqual(batchesAt([2_000, 500, 100, 99, 500]).batches, [100, 100, 100, 200, 200]);
});

Deno.test("each change is logged once", () => {
  const { logged } = batchesAt([2_000, 3_000, 50, 40, 2_000]);
  assert.deepEqual(logged, ["backpressure.raised", "backpressure.released", "backpressure.raised"]);
});

Deno.test("marks in the wrong order are a programmer's mistake", () => {
  const log = { warn: () => {}, info: () => {} };
  assert.throws(() => createBackpressure({ ...LIMITS, lowDepth: 2_000 }, log), RangeError);
});
