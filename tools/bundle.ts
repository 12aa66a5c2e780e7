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
const loads = 5;
const maxRounds = 4;

interface Weight {
  name: string;
  bundleBytes: number;
  loadMs: number;
}

async function weigh(name: string): Promise<Weight> {
  return { name, bundleBytes: await measureBundle(name), loadMs: await measureLoad(name) };
}

async function measureBundle(name: string): Promise<number> {
  const args = ["bundle", "--quiet", "--platform=deno", entryOf(name)];
  const { code, stdout, stderr } = await runCommand(Deno.execPath(), args);
  if (code !== 0) throw new Error(`Cannot bundle ${name}: ${stderr}`);
  return new TextEncoder().encode(stdout).length;
}

/**
 * The median of several new processes. Whatever else the machine does can only slow a load, so a
 * median above the limit is measured again and the lowest counts.
 */
async function measureLoad(name: string): Promise<number> {
  await load(name); // the first may compile
  let lowest = Infinity;
  for (let round = 0; round < maxRounds && lowest > maxLoadMs; round++) {
    const times: number[] = [];
    for (let count = 0; count < loads; count++) times.push(await load(name));
    lowest = Math.min(lowest, times.sort((a, b) => a - b)[Math.floor(loads / 2)] ?? Infinity);
  }
  return lowest;
}

async function load(name: string): Promise<number> {
  const { code, stdout, stderr } = await loadHere(name);
  if (code !== 0) throw new Error(`Cannot load ${name}: ${stderr}`);
  return Number(stdout);
}

function describe({ name, bundleBytes, loadMs }: Weight): string {
  const size = `${(bundleBytes / 1000).toFixed(0)} kB`.padStart(8);
  return `${name.padEnd(14)} ${size}  ${loadMs.toFixed(0).padStart(4)} ms`;
}

console.log(`limits         ${maxBundleBytes / 1000} kB   ${maxLoadMs} ms (median of ${loads})`);
let tooHeavy = 0;
for (const name of await listFunctions()) {
  const weight = await weigh(name);
  console.log(describe(weight));
  if (weight.bundleBytes > maxBundleBytes || !(weight.loadMs <= maxLoadMs)) tooHeavy++;
}
if (tooHeavy > 0) console.error(`${tooHeavy} function(s) above the limits.`);
Deno.exit(tooHeavy > 0 ? 1 : 0);
