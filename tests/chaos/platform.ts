import { join } from "node:path";

import {
  formatEnvFile,
  publishedEnvironment,
  readOrCreateKeys,
  writePrivateFile,
} from "../../local/start/environment.ts";
import { portsFrom } from "../../local/ports.ts";
import { removePostgresFolder } from "../../local/postgres/folder.ts";
import { openLogs } from "../../local/start/logs.ts";
import { startPlatform } from "../../local/start/platform.ts";
import { createProgress, createScreen, later } from "../../local/start/screen.ts";
import { findFreePorts } from "../support/free_ports.ts";
import { connectPlatform, type Platform } from "../support/platform.ts";
import { INSTANCES } from "./kills.ts";

/** A platform whose functions have several processes, each of which can be killed. */
export interface ChaosPlatform {
  platform: Platform;
  /** Of the process that runs now; undefined until the first one has started. */
  pidOf(label: string): number | undefined;
  /** How many processes were started in place of another. */
  restarts(): number;
  logDir: string;
  /** Ends everything and deletes the data; `keepLogs` moves the logs there first. */
  stop(keepLogs?: string): Promise<void>;
}

/** Starts a platform of the run's own, in this process, on free ports and with empty data. */
export async function startChaosPlatform(print: (line: string) => void): Promise<ChaosPlatform> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-chaos-" });
  const logs = await openLogs(join(dir, "logs"), Date.now, () => {});
  const keys = await readOrCreateKeys(dir, (n) => crypto.getRandomValues(new Uint8Array(n)));
  const screen = createScreen({
    write: (text) => print(text.trimEnd()),
    now: Date.now,
    coloured: false,
  });
  const pids = new Map<string, number>();
  let restarts = 0;
  const running = await startPlatform({
    dir,
    ports: portsFrom(findFreePorts(4)),
    keys,
    demo: false,
    graphUrl: undefined,
    instances: INSTANCES,
    redisUrl: undefined,
    progress: createProgress(screen, Date.now, later),
    logs,
    onStarted(label, pid) {
      if (pids.has(label)) restarts++;
      pids.set(label, pid);
    },
  });
  const envFile = join(dir, "env");
  await writePrivateFile(
    envFile,
    formatEnvFile(publishedEnvironment(keys, running.addresses)),
  );
  return {
    platform: connectPlatform(envFile),
    pidOf: (label) => pids.get(label),
    restarts: () => restarts,
    logDir: logs.dir,
    async stop(keepLogs) {
      await running.stop();
      await logs[Symbol.asyncDispose]();
      if (keepLogs !== undefined) await copyFiles(logs.dir, keepLogs);
      await removePostgresFolder(dir);
      await Deno.remove(dir, { recursive: true });
    },
  };
}

async function copyFiles(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) {
    await Deno.copyFile(join(from, name), join(to, name));
  }
}
