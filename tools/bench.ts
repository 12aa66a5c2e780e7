// deno-lint-ignore-file no-console -- a program: what it prints is its result
/**
 * `deno task bench` runs every benchmark in bench/, `deno task bench <name>` one; `--json` prints one
 * JSON object a benchmark. Fails when a figure misses the bar that the project promises.
 */
import { cpus, loadavg, totalmem } from "node:os";
import { type Bench, type Figure, meetsBars } from "../bench/figures.ts";
import { repository } from "./functions.ts";
import { runCommand } from "./run_command.ts";

interface Result {
  bench: string;
  claim: string;
  at: string;
  commit: string;
  machine: { cpu: string; cores: number; memory_gb: number; system: string; deno: string };
  /** What else the machine did: the mean of the last minute, before and after. */
  load: { before: number; after: number };
  figures: Figure[];
  notes: Record<string, unknown>;
  met: boolean;
}

async function main(args: string[]): Promise<number> {
  const asJson = args.includes("--json");
  const wanted = args.filter((arg) => !arg.startsWith("--"));
  const names = await listBenches();
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    console.error(`No benchmark ${unknown.join(", ")}: there are ${names.join(", ")}.`);
    return 1;
  }
  let missed = 0;
  for (const name of wanted.length > 0 ? wanted : names) {
    const result = await measure(name);
    console.log(asJson ? JSON.stringify(result) : describe(result));
    if (!result.met) missed++;
  }
  return missed === 0 ? 0 : 1;
}

async function listBenches(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(`${repository}bench`)) {
    const bench = /^(.+)_bench\.ts$/.exec(name)?.[1];
    if (bench !== undefined) names.push(bench);
  }
  return names.sort();
}

async function measure(name: string): Promise<Result> {
  const loaded: { bench: Bench } = await import(`../bench/${name}_bench.ts`);
  const notes: Record<string, unknown> = {};
  const before = loadOfLastMinute();
  const figures = await loaded.bench.run((name, value) => void (notes[name] = value));
  return {
    bench: name,
    claim: loaded.bench.claim,
    at: new Date().toISOString(),
    commit: (await runCommand("git", ["describe", "--always", "--dirty"])).stdout.trim(),
    machine: describeMachine(),
    load: { before, after: loadOfLastMinute() },
    figures,
    notes,
    met: figures.every(meetsBars),
  };
}

function describeMachine(): Result["machine"] {
  const all = cpus();
  return {
    cpu: all[0]?.model ?? "unknown",
    cores: all.length,
    memory_gb: Math.round(totalmem() / 2 ** 30),
    system: `${Deno.build.os} ${Deno.build.arch}`,
    deno: Deno.version.deno,
  };
}

function loadOfLastMinute(): number {
  return Number(loadavg()[0]!.toFixed(1));
}

function describe({ bench, claim, commit, machine, load, figures }: Result): string {
  const lines = figures.map((figure) => {
    const bars = [
      ...(figure.atMost === undefined ? [] : [`at most ${figure.atMost}`]),
      ...(figure.atLeast === undefined ? [] : [`at least ${figure.atLeast}`]),
    ].join(", ");
    const verdict = bars === "" ? "" : meetsBars(figure) ? `  (${bars})` : `  MISSED (${bars})`;
    return `  ${figure.name.padEnd(32)} ${figure.value.toPrecision(4)} ${figure.unit}${verdict}`;
  });
  const where =
    `${machine.cpu}, ${machine.cores} cores, ${machine.memory_gb} GB, commit ${commit}, ` +
    `load ${load.before} before and ${load.after} after`;
  return [`${bench}: ${claim}`, `  ${where}`, ...lines].join("\n");
}

Deno.exit(await main(Deno.args));
