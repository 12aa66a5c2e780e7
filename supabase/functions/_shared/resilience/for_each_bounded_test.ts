import { strict as assert } from "node:assert";

import { forEachBounded } from "./for_each_bounded.ts";

Deno.test("forEachBounded() has no more than the bound under way at once, and visits all", async () => {
  let under = 0;
  let most = 0;
  const visited: number[] = [];
  await forEachBounded([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    under += 1;
    most = Math.max(most, under);
    await Promise.resolve();
    visited.push(item);
    under -= 1;
  });
  assert.equal(most, 3);
  assert.deepEqual(visited, [1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("forEachBounded() visits the others when one fails, then throws that failure", async () => {
  const visited: number[] = [];
  const failing = forEachBounded([1, 2, 3], 1, async (item) => {
    await Promise.resolve();
    if (item === 1) throw new Error("first");
    visited.push(item);
  });
  await assert.rejects(failing, /first/);
  assert.deepEqual(visited, [2, 3]);
});
