import type { Sql } from "./database.ts";
import { eventually } from "./eventually.ts";
import { findFreePorts } from "./free_ports.ts";
import { type GraphProxy, startGraphProxy } from "./graph_proxy.ts";
import { connectPlatform, type Platform } from "./platform.ts";
import { openPlatformDatabase } from "./platform_database.ts";
import { startPlatform } from "./start_platform.ts";

/** A platform of a test's own, all of whose parts may be broken. */
export interface BreakablePlatform {
  platform: Platform;
  dir: string;
  /** Between the functions and the simulator. */
  graph: GraphProxy;
  sql: Sql;
  /** What it printed so far. */
  output(): string;
  /** Ends a function as `kill -9` does and returns when it is gone; it comes back by itself. */
  kill(functionName: string): Promise<void>;
}

/** Runs `use` on a platform of its own and stops it, whatever happens. */
export async function withBreakablePlatform(
  use: (breakable: BreakablePlatform) => Promise<void>,
): Promise<void> {
  const port = findFreePorts(1);
  await using graph = startGraphProxy(port);
  const running = await startPlatform({ args: [`--graph-url=http://127.0.0.1:${port}`] });
  try {
    const platform = connectPlatform(running.envFile);
    graph.forwardTo(platform.env.SIMULATOR_URL!);
    await using database = openPlatformDatabase(platform);
    const { dir, output } = running;
    const kill = (functionName: string) => killFunction(dir, functionName);
    await use({ platform, dir, graph, sql: database.sql, output, kill });
  } catch (error) {
    throw new Error(`On a platform that printed:\n${running.output()}`, { cause: error });
  } finally {
    await running.stop();
  }
}

async function killFunction(dir: string, functionName: string): Promise<void> {
  const known = JSON.parse(await Deno.readTextFile(`${dir}/processes.json`)) as {
    name: string;
    pid: number;
  }[];
  const pids = known.filter(({ name }) => name === functionName).map(({ pid }) => pid);
  for (const pid of pids) Deno.kill(pid, "SIGKILL");
  const isGone = (pid: number) => Deno.stat(`/proc/${pid}`).then(() => false, () => true);
  await eventually(() => Promise.all(pids.map(isGone)), (gone) => gone.every(Boolean));
}
