import { strict as assert } from "node:assert";
import { restartDelayMs } from "./process.ts";

Deno.test("restartDelayMs() doubles from 100 ms to 5 s", () => {
  assert.deepEqual([0, 1, 2, 3, 6, 7, 50].map(restartDelayMs), [
    ...[0, 100, 200, 400, 3_200, 5_000, 5_000],
  ]);
});
