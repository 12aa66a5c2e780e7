// deno-lint-ignore-file no-console -- a program: what it prints is its result
/**
 * `deno task bundle`: how large each function is and how long its modules take to load, the two
 * things that a cold start pays for. Fails above the limits.
 */
import { entryOf, listFunctions } from "./functions.ts";
import { loadHere } from "./load_function.ts";
import { runCommand } from "./run_command.ts";

const maxBundleBytes = 1_500_000;
const maxLoadMs = 200;
const loads = 7;
/** On a busy machine the shortest of a few loads is still too long: it gets this many more chances. */
const maxRounds = 5;

interface Weight {
  name: string;
  bundleBytes: number;
  medianMs: number;
  /** What is held against the limit: other work on the machine slows a load and never hastens it. */
  shortestMs: number;
}

async function weigh(name: string): Promise<Weight> {
  const times = await measureLoads(name);
  return {
    name,
    bundleBytes: await measureBundle(name),
    medianMs: times[Math.floor(times.length / 2)] ?? NaN,
    shortestMs: times[0] ?? NaN,
  };
}

async function measureBundle(name: string): Promise<number> {
  const args = ["bundle", "--quiet", "--platform=deno", entryOf(name)];
  const { code, stdout, stderr } = await runCommand(Deno.execPath(), args);
  if (code !== 0) throw new Error(`Cannot bundle ${name}: ${stderr}`);
  return new TextEncoder().encode(stdout).length;
}

/** Load times of several new processes, shortest first; one before them fills the caches. */
async function measureLoads(name: string): Promise<number[]> {
  await load(name);
  const times: number[] = [];
  for (let round = 0; round < maxRounds && !(Math.min(...times) <= maxLoadMs); round++) {
    for (let count = 0; count < loads; count++) times.push(await load(name));
  }
  return times.sort((a, b) => a - b);
}

async function load(name: string): Promise<number> {
  const { code, stdout, stderr } = await loadHere(name);
  if (code !== 0) throw new Error(`Cannot load ${name}: ${stderr}`);
  return Number(stdout);
}

function describe({ name, bundleBytes, medianMs, shortestMs }: Weight): string {
  const size = `${(bundleBytes / 1000).toFixed(0)} kB`.padStart(9);
  const times = [medianMs, shortestMs].map((ms) => `${ms.toFixed(0)} ms`.padStart(8));
  return `${name.padEnd(12)} ${size} ${times.join(" ")}`;
}

console.log("function        bundle   median shortest load");
console.log(`limit          ${maxBundleBytes / 1000} kB            ${maxLoadMs} ms`);
let tooHeavy = 0;
for (const name of await listFunctions()) {
  const weight = await weigh(name);
  console.log(describe(weight));
  if (weight.bundleBytes > maxBundleBytes || !(weight.shortestMs <= maxLoadMs)) tooHeavy++;
}
if (tooHeavy > 0) console.error(`${tooHeavy} function(s) above the limits.`);
Deno.exit(tooHeavy > 0 ? 1 : 0);
