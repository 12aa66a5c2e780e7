import { strict as assert } from "node:assert";
import fc from "fast-check";

import { createLayeredCache } from "./layered_cache.ts";
import type { Place, SharedLayer } from "./layered_cache.ts";

type Step = "change" | "rotate" | "drop" | "read" | "answer" | "pass time";
const steps = fc.array(
  fc.constantFrom<Step>("change", "rotate", "drop", "read", "read", "answer", "pass time"),
  { maxLength: 60 },
);

/** One key whose value counts up; every answer of every layer is held until a step lets it go. */
function setup() {
  const truth = { version: 1, value: 1, generation: 1 };
  const clock = { nowMs: 0 };
  const held: (() => void)[] = [];
  const hold = <Value>(value: Value) =>
    new Promise<Value>((resolve) => held.push(() => resolve(value)));
  const kept = new Map<string, number>();
  const keyOf = ({ generation, version }: Place) => `${generation}:${version}`;
  const shared: SharedLayer<number> = {
    read: (places) => hold(places.map((place) => kept.get(keyOf(place)))),
    write: (entries) => entries.forEach((entry) => kept.set(keyOf(entry), entry.value)),
    remove: (place) => void kept.delete(keyOf(place)),
  };
  const cache = createLayeredCache<number, "suspended">({
    shared,
    source: {
      read: () => hold(new Map([["a", { version: truth.version, value: truth.value }]])),
    },
    limits: { maxEntries: 10, ttlMs: 10, maxStaleMs: 10, minRereadMs: 0, maxBatch: 10 },
    now: () => clock.nowMs,
  });
  return { truth, clock, held, cache };
}

Deno.test("nobody is given a value older than the last change that he knew of when he asked", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const { truth, clock, held, cache } = setup();
      const reading: Promise<void>[] = [];
      for (const step of sequence) {
        switch (step) {
          case "change":
            truth.value += 1;
            truth.generation += 1;
            break;
          case "rotate":
            truth.value += 1;
            truth.version += 1;
            break;
          case "drop":
            cache.drop({ key: "a", version: truth.version });
            break;
          case "read": {
            const { version, value: oldestAllowed, generation } = truth;
            reading.push(
              cache.read([{ key: "a", version }], generation).then(([answer]) => {
                assert.ok(answer !== undefined && answer.from !== "nowhere");
                assert.ok(answer.value >= oldestAllowed, `${answer.value} < ${oldestAllowed}`);
              }),
            );
            break;
          }
          case "answer":
            held.shift()?.();
            break;
          case "pass time":
            clock.nowMs += 6;
        }
        for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      }
      for (let turn = 0; turn < 2_000 && (turn < 50 || held.length > 0); turn++) {
        held.shift()?.();
        await Promise.resolve();
      }
      await Promise.all(reading);
    }),
    { numRuns: 300 },
  );
});
