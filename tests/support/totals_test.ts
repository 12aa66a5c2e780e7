import { strict as assert } from "node:assert";
import { addTotals, judgeRun } from "./totals.ts";

const cases: [title: string, output: string, exitCode: number, passed: number, failed: number][] = [
  ["a green run", "ok | 52 passed | 0 failed (31ms)", 0, 52, 0],
  [
    "a coloured run",
    "\x1b[0m\x1b[32mok\x1b[0m | 3 passed | 0 failed \x1b[38m(9ms)\x1b[0m",
    0,
    3,
    0,
  ],
  ["a run with steps", "ok | 4 passed (12 steps) | 0 failed (2s)", 0, 4, 0],
  ["a run with ignored tests", "ok | 4 passed | 0 failed | 2 ignored (2s)", 0, 4, 0],
  ["a red run", "FAILED | 51 passed | 2 failed (1s)", 1, 51, 2],
  ["a red run with steps", "FAILED | 1 passed (1 step) | 2 failed (3 steps) (1s)", 1, 1, 2],
  ["a crash before any total is a failure", "error: Module not found", 1, 0, 1],
  ["a crash after a green total is a failure", "ok | 5 passed | 0 failed (1s)", 139, 5, 1],
  ["no tests at all is a failure", "ok | 0 passed | 0 failed (0ms)", 0, 0, 1],
  [
    "a total printed by a test is not the run's",
    "ok | 9 passed | 0 failed\nok | 1 passed | 0 failed",
    0,
    1,
    0,
  ],
];

for (const [title, output, exitCode, passed, failed] of cases) {
  Deno.test(`judgeRun() on ${title}`, () => {
    assert.deepEqual(judgeRun(output, exitCode), { passed, failed });
  });
}

Deno.test("addTotals() adds runs up", () => {
  assert.deepEqual(addTotals([{ passed: 1, failed: 0 }, { passed: 2, failed: 3 }]), {
    passed: 3,
    failed: 3,
  });
});
