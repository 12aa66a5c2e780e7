/** How many tests of a run passed and failed. */
export interface Totals {
  passed: number;
  failed: number;
}

const escapeCode = String.fromCharCode(27);
const colours = new RegExp(`${escapeCode}\\[[0-9;]*m`, "g");
const summary = /^(?:ok|FAILED) \| (\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed/gm;

/**
 * Reads the totals that `deno test` printed last and judges them with its exit code: a run that
 * crashed, that printed no totals or that had no test counts as one failure.
 */
export function judgeRun(output: string, exitCode: number): Totals {
  const found = [...output.replaceAll(colours, "").matchAll(summary)].at(-1);
  const passed = Number(found?.[1] ?? 0);
  const failed = Number(found?.[2] ?? 0);
  const isSound = exitCode === 0 && passed > 0;
  return { passed, failed: failed === 0 && !isSound ? 1 : failed };
}

/** The totals of several runs. */
export function addTotals(runs: readonly Totals[]): Totals {
  return runs.reduce(
    (sum, run) => ({ passed: sum.passed + run.passed, failed: sum.failed + run.failed }),
    { passed: 0, failed: 0 },
  );
}
