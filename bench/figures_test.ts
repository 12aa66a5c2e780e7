import { strict as assert } from "node:assert";
import { meetsBars, percentile } from "./figures.ts";

const bars: [title: string, figure: Parameters<typeof meetsBars>[0], meets: boolean][] = [
  ["without bars", { name: "x", value: 5, unit: "ms" }, true],
  ["at its upper bar", { name: "x", value: 5, unit: "ms", atMost: 5 }, true],
  ["above its upper bar", { name: "x", value: 6, unit: "ms", atMost: 5 }, false],
  ["below its lower bar", { name: "x", value: 4, unit: "ratio", atLeast: 5 }, false],
  ["that is no number", { name: "x", value: NaN, unit: "ms", atMost: 5 }, false],
];

for (const [title, figure, meets] of bars) {
  Deno.test(`meetsBars() of a figure ${title} is ${meets}`, () => {
    assert.equal(meetsBars(figure), meets);
  });
}

Deno.test("percentile() is the value that a share of the values lie below", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual([0, 0.5, 0.99, 1].map((share) => percentile(values, share)), [1, 51, 100, 100]);
  assert.throws(() => percentile([], 0.5), RangeError);
});
