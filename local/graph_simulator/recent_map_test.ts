import { strict as assert } from "node:assert";
import { RecentMap } from "./recent_map.ts";

Deno.test("RecentMap drops the entry not touched for longest", () => {
  const map = new RecentMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  map.set("c", 4);
  assert.deepEqual([...map.entries()], [["a", 3], ["c", 4]]);
});

Deno.test("RecentMap without room is refused when built", () => {
  assert.throws(() => new RecentMap(0), RangeError);
});
