import { strict as assert } from "node:assert";
import fc from "fast-check";

import { createFairPool } from "./fair_pool.ts";

/** Tasks that end when the test says so. */
function setup(limits: { maxRunning: number; maxPerKey: number }) {
  const pool = createFairPool(limits);
  const started: string[] = [];
  const ends: (() => void)[] = [];
  const add = (key: string, name = key) =>
    pool.run(key, () => {
      started.push(name);
      return new Promise<string>((resolve) => ends.push(() => resolve(name)));
    });
  return { pool, started, ends, add };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("no more tasks run than the bound, in all and of one key", async () => {
  const { started, ends, add } = setup({ maxRunning: 3, maxPerKey: 2 });
  for (const name of ["a1", "a2", "a3"]) void add("a", name);
  for (const name of ["b1", "b2"]) void add("b", name);
  assert.deepEqual(started, ["a1", "a2", "b1"]);
  ends[0]!();
  await settled();
  assert.deepEqual(started, ["a1", "a2", "b1", "a3"]);
});

Deno.test("keys take turns: a long queue does not stand before a short one", async () => {
  const { started, ends, add } = setup({ maxRunning: 1, maxPerKey: 1 });
  for (let i = 0; i < 5; i++) void add("big", `big${i}`);
  void add("small");
  for (let i = 0; i < 2; i++) {
    ends[i]!();
    await settled();
  }
  assert.deepEqual(started, ["big0", "big1", "small"]);
});

Deno.test("a task that fails rejects its own caller and gives up its place", async () => {
  const pool = createFairPool({ maxRunning: 1, maxPerKey: 1 });
  const failing = pool.run("a", () => Promise.reject(new Error("broken")));
  const next = pool.run("a", () => Promise.resolve("fine"));
  await assert.rejects(failing, /broken/);
  assert.equal(await next, "fine");
});

Deno.test("every task runs once, whatever the keys and bounds", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 60 }),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 3 }),
    async (keys, maxRunning, maxPerKey) => {
      const pool = createFairPool({ maxRunning, maxPerKey });
      let runs = 0;
      await Promise.all(keys.map((key) =>
        pool.run(key, () => {
          runs += 1;
          return Promise.resolve();
        })
      ));
      assert.equal(runs, keys.length);
      await pool.whenFewerWait(1);
    },
  ));
});

Deno.test("who waits for room is told as soon as there is", async () => {
  const { pool, ends, add } = setup({ maxRunning: 1, maxPerKey: 1 });
  let told = false;
  for (let i = 0; i < 3; i++) void add("a");
  const telling = pool.whenFewerWait(2).then(() => told = true);
  await settled();
  assert.equal(told, false);
  ends[0]!();
  await telling;
  assert.equal(told, true);
});
