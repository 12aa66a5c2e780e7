import { createRequire } from "node:module";
import process from "node:process";
import { createInterface } from "node:readline";

/** What the benchmark gives a contender. */
export const given = JSON.parse(process.env.CONTEST ?? "{}");

const input = createInterface({ input: process.stdin });
const lines = input[Symbol.asyncIterator]();
// Nobody is left who could read the result.
input.on("close", () => process.exit(1));

/** Loads a package from the folder that the benchmark has installed it to. */
export const load = createRequire(`${given.packages ?? process.cwd()}/contender.js`);

/**
 * Runs a contender: it warms up and enqueues, says `ready`, and when told to go it sends its
 * backlog to the end before it says `done`.
 */
export async function contend({ prepare, run }) {
  await prepare();
  process.stdout.write("ready\n");
  await lines.next();
  await run();
  process.stdout.write("done\n");
  await lines.next();
}
