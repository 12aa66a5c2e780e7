import { join } from "node:path";

/**
 * Makes way for a new server on these files: stops one that a killed run left behind, removes the
 * lock of one that is gone. Refuses when the run that started it is still alive.
 */
export async function clearLeftover(cluster: string): Promise<void> {
  const lock = join(cluster, "postmaster.pid");
  const text = await Deno.readTextFile(lock).catch(() => undefined);
  if (text === undefined) return;
  const pid = Number(text.split("\n")[0]);
  if (!await isPostgresOf(pid, cluster)) {
    await Deno.remove(lock).catch(() => {});
    return;
  }
  const parent = await describeParent(pid);
  if (/deno/.test(parent)) {
    throw new Error(`Another run uses ${cluster}: stop it, or choose another --dir.`);
  }
  await end(pid, cluster);
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
  for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    if (await isPostgresOf(pid, cluster)) Deno.kill(pid, signal);
    for (let tries = 0; tries < 50; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (!await isPostgresOf(pid, cluster)) return;
    }
  }
  throw new Error(`Postgres (process ${pid}) of an earlier run does not stop: end it by hand.`);
}
