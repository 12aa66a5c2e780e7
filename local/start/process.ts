/**
 * Names one run of a process, since a number alone may have been given to another since. Undefined
 * when no such process runs.
 */
export async function identifyProcess(pid: number): Promise<string | undefined> {
  return Deno.build.os === "linux" ? await identifyOnLinux(pid) : await identifyWithPs(pid);
}

// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: after the name, which may hold
// spaces and brackets, come the state and, 19 fields on, the start in ticks since boot.
async function identifyOnLinux(pid: number): Promise<string | undefined> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const startedAt = fields[18];
  if (startedAt === undefined || state === "Z") return undefined;
  const boot = await Deno.readTextFile("/proc/sys/kernel/random/boot_id").catch(() => "");
  return `${boot.trim()} ${startedAt}`;
}

async function identifyWithPs(pid: number): Promise<string | undefined> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "lstart=", "-p", String(pid)],
    env: { LC_ALL: "C" },
  }).output();
  return new TextDecoder().decode(stdout).trim() || undefined;
}

/** A program that started this one, directly or not. */
export interface Ancestor {
  pid: number;
  identity: string;
}

/**
 * The processes above this one that are `npx deno task start`: npm, Deno's launcher, the task. Up
 * to the first program that is neither these nor a shell between them.
 */
export async function findLaunchers(pid: number): Promise<Ancestor[]> {
  const found: Ancestor[] = [];
  for (let at = pid; at > 1;) {
    const { command, parent } = await describeProcess(at);
    const isLauncher = /\bdeno\S* task\b/.test(command) && !/^\S*sh\b/.test(command);
    if (!isLauncher && !/^\S*sh\b/.test(command)) break;
    const identity = await identifyProcess(at);
    if (isLauncher && identity) found.push({ pid: at, identity });
    at = parent;
  }
  return found;
}

async function describeProcess(pid: number): Promise<{ command: string; parent: number }> {
  if (Deno.build.os === "linux") {
    const command = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
    const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
    const parent = Number(/^PPid:\s*(\d+)/m.exec(status)?.[1] ?? 0);
    return { command: command.replaceAll("\0", " "), parent };
  }
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "ppid=,command=", "-p", String(pid)],
  }).output();
  const [, parent = "0", command = ""] =
    /^\s*(\d+)\s+(.*)$/.exec(new TextDecoder().decode(stdout).trimEnd()) ?? [];
  return { command, parent: Number(parent) };
}
