// deno-lint-ignore-file no-console -- a program: what it prints is its result
/**
 * The test runner: `deno task test` runs everything, `unit`, `integration` or `scenarios` one
 * kind. Options of `deno test` may follow, such as `--filter=wallet` or a path. Ends with the line
 * `N passed, N failed` and the matching exit code.
 */
import { fileURLToPath } from "node:url";
import { runTests, type TestGroup } from "./support/run_tests.ts";
import { startPlatform } from "./support/start_platform.ts";
import { addTotals, type Totals } from "./support/totals.ts";

const repository = fileURLToPath(new URL("../", import.meta.url));
const kinds = ["unit", "integration", "scenarios"] as const;
type Kind = typeof kinds[number];

interface Run {
  filters: string[];
  signal: AbortSignal;
}

async function main(args: string[]): Promise<number> {
  const wanted = kinds.filter((kind) => args.includes(kind));
  const filters = args.filter((arg) => !kinds.some((kind) => kind === arg));
  const run: Run = { filters, signal: abortWhenInterrupted() };
  const totals: Totals[] = [];
  for (const kind of wanted.length > 0 ? wanted : kinds) {
    if (run.signal.aborted) break;
    totals.push(await runKind(kind, run));
  }
  const { passed, failed } = addTotals(totals);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 && !run.signal.aborted ? 0 : 1;
}

/** A kind that cannot even start is one failure; the other kinds still run. */
async function runKind(kind: Kind, run: Run): Promise<Totals> {
  const startedAt = Date.now();
  console.log(`\n== ${kind} ==`);
  try {
    return await runners[kind](run);
  } catch (error) {
    console.error(error);
    return { passed: 0, failed: 1 };
  } finally {
    console.log(`== ${kind}: ${((Date.now() - startedAt) / 1000).toFixed(1)} s ==`);
  }
}

const runners: Record<Kind, (run: Run) => Promise<Totals>> = {
  async unit(run) {
    // The functions' own tests may write no file, start no process and call nobody but a server
    // that they opened themselves, or a name that cannot exist: their code takes the world as
    // arguments.
    const functions = {
      paths: ["supabase"],
      permissions: ["--allow-read", "--allow-env", "--allow-net=127.0.0.1,graph.invalid"],
    };
    const rest = {
      paths: ["local", "console", "tools", "bench", "tests/support"],
      permissions: ["-A"],
    };
    return addTotals([await runGroup(functions, run), await runGroup(rest, run)]);
  },

  integration: (run) => runGroup({ paths: ["tests/integration"], permissions: ["-A"] }, run),

  async scenarios(run) {
    const platform = await startPlatform({ signal: run.signal });
    try {
      const env = { SWITCHYARD_ENV_FILE: platform.envFile };
      const totals = await runGroup({ paths: ["tests/scenarios"], permissions: ["-A"], env }, run);
      if (totals.failed > 0) await keepLogs(platform.dir);
      return totals;
    } finally {
      await platform.stop();
    }
  },
};

// The platform's folder is about to be deleted; what its parts wrote explains what failed.
async function keepLogs(dir: string): Promise<void> {
  const kept = `${repository}.local/scenario-logs`;
  await Deno.mkdir(kept, { recursive: true });
  for await (const { name } of Deno.readDir(`${dir}/logs`)) {
    await Deno.copyFile(`${dir}/logs/${name}`, `${kept}/${name}`);
  }
  console.log(`The platform's logs are in ${kept}`);
}

async function runGroup(group: Omit<TestGroup, "title">, run: Run): Promise<Totals> {
  return await runTests({ title: group.paths.join(" "), ...group }, { cwd: repository, ...run });
}

function abortWhenInterrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => controller.abort(new Error("interrupted")));
  }
  return controller.signal;
}

Deno.exit(await main(Deno.args));
