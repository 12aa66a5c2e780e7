import { join } from "node:path";

const STEP_MS = 100;

/**
 * Makes way for a new server on these files: stops one that a killed run left behind, removes the
 * lock of one that is gone. Refuses when the run that started it is still alive.
 */
export async function clearLeftover(cluster: string): Promise<void> {
  const lock = join(cluster, "postmaster.pid");
  const text = await Deno.readTextFile(lock).catch(() => undefined);
  if (text === undefined) return;
  const pid = Number(text.split("\n")[0]);
  if (await isPostgresOf(pid, cluster)) {
    if (/deno/.test(await describeParent(pid))) {
      throw new Error(`Another run uses ${cluster}: stop it, or choose another --dir.`);
    }
    await end(pid, cluster);
  }
  await removeLock(lock, pid, cluster);
}

// Without its lock Postgres would not notice sessions that outlived their killed server, so these
// must be gone first. Elsewhere than on Linux they cannot be found: there the lock stays for
// Postgres to judge, unless its number was given to another process.
async function removeLock(lock: string, pid: number, cluster: string): Promise<void> {
  if (Deno.build.os !== "linux" && await describe(pid) === "") return;
  await waitUntil(async () => !await hasSessions(cluster), () => {
    throw new Error(`Sessions of an earlier Postgres still use ${cluster}: end them by hand.`);
  });
  await Deno.remove(lock).catch(() => {});
}

async function hasSessions(cluster: string): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  const folder = await Deno.realPath(cluster);
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    if (await Deno.readLink(`/proc/${name}/cwd`).catch(() => "") === folder) return true;
  }
  return false;
}

// The number in the lock may since have been given to any other process.
async function isPostgresOf(pid: number, cluster: string): Promise<boolean> {
  const command = await describe(pid);
  return /postgres/.test(command) && command.includes(cluster);
}

async function describe(pid: number): Promise<string> {
  if (!(pid > 1)) return "";
  if (Deno.build.os === "linux") {
    const line = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
    return line.replaceAll("\0", " ");
  }
  return await ps(pid, "command=");
}

async function describeParent(pid: number): Promise<string> {
  if (Deno.build.os === "linux") {
    const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
    return await describe(Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]));
  }
  return await describe(Number(await ps(pid, "ppid=")));
}

async function ps(pid: number, column: string): Promise<string> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", column, "-p", String(pid)] })
    .output();
  return new TextDecoder().decode(stdout).trim();
}

async function end(pid: number, cluster: string): Promise<void> {
  const isGone = async () => !await isPostgresOf(pid, cluster);
  for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    if (await isGone()) return;
    try {
      Deno.kill(pid, signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await waitUntil(isGone, () => {});
  }
  if (await isGone()) return;
  throw new Error(`Postgres (process ${pid}) of an earlier run does not stop: end it by hand.`);
}

async function waitUntil(condition: () => Promise<boolean>, giveUp: () => void): Promise<void> {
  for (let step = 0; step < 50; step++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
  giveUp();
}
