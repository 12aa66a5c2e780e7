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
 * The unbroken line of `deno` and `node` processes above this one: what `npx deno task start` is
 * made of. Shells in between are passed over, the first other program ends it.
 */
export async function findLaunchers(pid: number): Promise<Ancestor[]> {
  const found: Ancestor[] = [];
  for (let at = pid; at > 1;) {
    const { name, parent } = await describeProcess(at);
    const isLauncher = /^(deno|node|npm|npx)\b/.test(name);
    if (!isLauncher && !/^(sh|dash|bash)$/.test(name)) break;
    const identity = await identifyProcess(at);
    if (isLauncher && identity) found.push({ pid: at, identity });
    at = parent;
  }
  return found;
}

async function describeProcess(pid: number): Promise<{ name: string; parent: number }> {
  if (Deno.build.os === "linux") {
    const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
    const name = /^Name:\s*(.*)$/m.exec(status)?.[1] ?? "";
    return { name, parent: Number(/^PPid:\s*(\d+)/m.exec(status)?.[1] ?? 0) };
  }
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "ppid=,comm=", "-p", String(pid)],
  }).output();
  const [, parent = "0", path = ""] =
    /^\s*(\d+)\s+(.*)$/.exec(new TextDecoder().decode(stdout).trimEnd()) ?? [];
  return { name: path.slice(path.lastIndexOf("/") + 1), parent: Number(parent) };
}
