import { join } from "node:path";
import { z } from "zod";

import { readIfPresent, writePrivateFile } from "./environment.ts";
import { identifyProcess } from "./process.ts";

const entrySchema = z.object({
  name: z.string(),
  pid: z.number().int().min(2),
  identity: z.string(),
});
type Entry = z.infer<typeof entrySchema>;

/**
 * The processes of the platform kept in one folder, by name, so that the next run finds what a
 * killed one left behind, and a test finds the process that it wants to kill.
 */
export interface Ledger {
  enter(name: string, pid: number): Promise<void>;
  /** Lets the next run have the folder. */
  close(): Promise<void>;
}

/**
 * Takes the folder for this run, and ends what an earlier, killed run left behind there. Throws a
 * sentence that says what to do when another run has the folder or it cannot be written.
 */
export async function openLedger(
  dir: string,
  sleep: (ms: number) => Promise<void>,
): Promise<Ledger> {
  const lock = await lockFolder(dir);
  const path = join(dir, "processes.json");
  for (const entry of await readEntries(path)) await endLeftover(entry, sleep);
  const entries = new Map<string, Entry>();
  // One write at a time, each with all that is known when its turn comes.
  let written = Promise.resolve();
  const write = () =>
    written = written.catch(() => {})
      .then(() => writePrivateFile(path, formatEntries(entries.values())));
  let isClosed = false;
  await write();
  return {
    async enter(name, pid) {
      const identity = await identifyProcess(pid);
      if (identity === undefined || isClosed) return;
      entries.set(name, { name, pid, identity });
      await write();
    },
    async close() {
      isClosed = true;
      entries.clear();
      await write();
      lock.close();
    },
  };
}

// The lock belongs to this process: the system takes it back however the process ends.
async function lockFolder(dir: string): Promise<Deno.FsFile> {
  let file: Deno.FsFile;
  try {
    await Deno.mkdir(dir, { recursive: true });
    file = await Deno.open(join(dir, "lock"), { create: true, write: true, mode: 0o600 });
  } catch (cause) {
    throw new Error(unwritable(dir), { cause });
  }
  if (await file.tryLock(true)) return file;
  file.close();
  throw new Error(`Another platform runs in ${dir}: stop it, or pass another folder with --dir.`);
}

/** What to do about a folder that cannot be written. */
export function unwritable(dir: string): string {
  return `Cannot write to ${dir}: make it writable, or pass another folder with --dir.`;
}

async function readEntries(path: string): Promise<Entry[]> {
  try {
    return z.array(entrySchema).parse(JSON.parse(await readIfPresent(path) ?? "[]"));
  } catch {
    return []; // cut short by a crash of the machine, which ended the processes too
  }
}

function formatEntries(entries: Iterable<Entry>): string {
  const byName = [...entries].sort((a, b) => a.name.localeCompare(b.name));
  return JSON.stringify(byName, null, 2) + "\n";
}

async function endLeftover(entry: Entry, sleep: (ms: number) => Promise<void>): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    for (let tries = 0; tries < 20; tries++) {
      if (await identifyProcess(entry.pid) !== entry.identity) return;
      if (tries === 0) send(entry.pid, signal);
      await sleep(100);
    }
  }
  throw new Error(`Process ${entry.pid} (${entry.name}) of an earlier run does not end: kill it.`);
}

function send(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // ended just now
  }
}
