/**
 * `deno task start`: the whole platform in the foreground. Ends with exit status 0 when stopped, 1
 * when it could not start, after one sentence about what to do.
 */
import { join } from "node:path";

import { parseFlags, type StartFlags, USAGE } from "./start/cli.ts";
import {
  formatEnvFile,
  publishedEnvironment,
  readOrCreateKeys,
  writePrivateFile,
} from "./start/environment.ts";
import { forgiveLostSockets } from "./lost_sockets.ts";
import { portsFrom, refuseTakenPorts } from "./ports.ts";
import { openFolder } from "./start/folder.ts";
import { unwritable } from "./start/ledger.ts";
import { openLogs } from "./start/logs.ts";
import { type Platform, startPlatform } from "./start/platform.ts";
import { createProgress, createScreen, formatSeconds, later, type Screen } from "./start/screen.ts";
import { type Stopper, watchForStop } from "./start/stop.ts";
import { showTable } from "./start/table.ts";
import { refuseMissingTools } from "./start/tools.ts";

const STOP_TIMEOUT_MS = 30_000;

async function main(args: string[]): Promise<number> {
  // Inside a task the folder is the repository's; the one that it was called from is kept here.
  const parsed = parseFlags(args, Deno.env.get("INIT_CWD") ?? Deno.cwd());
  switch (parsed.kind) {
    case "usage":
      writeAll(Deno.stdout, USAGE);
      return 0;
    case "refused":
      writeAll(Deno.stderr, `${parsed.reason}\n`);
      return 1;
    case "start":
      return await run(parsed.flags);
  }
}

async function run(flags: StartFlags): Promise<number> {
  const screen = createScreen({
    write: (text) => writeAll(Deno.stdout, text),
    now: Date.now,
    coloured: Deno.stdout.isTerminal() && !Deno.noColor,
  });
  const stop = watchForStop(() => screen.line(`\n  Stopping; once more forces it.`));
  try {
    return await runIn(flags, screen, stop);
  } catch (error) {
    writeAll(Deno.stderr, `${isUnwritable(error) ? unwritable(flags.dir) : sentence(error)}\n`);
    return 1;
  } finally {
    stop.close();
  }
}

async function runIn(flags: StartFlags, screen: Screen, stop: Stopper): Promise<number> {
  refuseMissingTools(Deno.env.get("PATH") ?? "");
  const ports = portsFrom(flags.port);
  screen.line(`\n  ${screen.bold("Switchyard")} ${screen.dim(flags.dir)}\n`);
  await using folder = await openFolder(flags.dir, { fresh: flags.fresh });
  refuseTakenPorts(ports);
  await using logs = await openLogs(join(flags.dir, "logs"), Date.now, screen.alarm);
  const keys = await readOrCreateKeys(
    flags.dir,
    (length) => crypto.getRandomValues(new Uint8Array(length)),
  );
  const progress = createProgress(screen, Date.now, later);
  const platform = await startPlatform({
    ...{ ...flags, ports, keys, progress, logs },
    redisUrl: Deno.env.get("REDIS_URL"),
    onStarted(name, pid) {
      // Only the next run misses the entry.
      folder.ledger.enter(name, pid).catch((error) => logs.of("platform")(`warning: ${error}`));
    },
  });
  try {
    if (!stop.isAsked()) {
      await announce(platform, flags.dir, keys);
      screen.line(`\n  Everything runs after ${formatSeconds(progress.elapsed())}`);
      showTable(screen, platform, flags.dir);
      screen.line("  Ctrl-C stops everything and keeps the data.\n");
      screen.line("ready");
    }
    await stop.asked;
  } finally {
    // Whatever hangs: the children see this process go and end too.
    const forced = setTimeout(() => Deno.exit(1), STOP_TIMEOUT_MS);
    await platform.stop();
    clearTimeout(forced);
  }
  screen.line("  Stopped; the data is kept.");
  return 0;
}

// Last of all: who waits for the file may use everything in it.
async function announce(
  platform: Platform,
  dir: string,
  keys: Parameters<typeof publishedEnvironment>[0],
): Promise<void> {
  const demo = platform.demo && {
    SWITCHYARD_DEMO_TENANT_ID: platform.demo.tenantId,
    SWITCHYARD_DEMO_API_KEY: platform.demo.apiKey,
  };
  const values = { ...publishedEnvironment(keys, platform.addresses), ...demo };
  await writePrivateFile(join(dir, "env"), formatEnvFile(values));
}

// EPERM, EACCES, EROFS: some file in there belongs to somebody else, or nobody may write any.
function isUnwritable(error: unknown): boolean {
  return error instanceof Error && /\(os error (1|13|30)\)/.test(error.message);
}

function sentence(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.trim().replaceAll(/\s*\n\s*/g, " ");
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}

if (import.meta.main) {
  forgiveLostSockets();
  Deno.exit(await main(Deno.args));
}
