// What the kernel counts in, on every Linux that Deno and Postgres are built for.
const TICKS_PER_SECOND = 100;

/** Milliseconds of CPU, user and system, that a process has used so far; Linux only. */
export async function cpuMs(pid: number): Promise<number> {
  const { own } = await readTicks(pid);
  return own * 1_000 / TICKS_PER_SECOND;
}

/** The same of a process and all its children, those that have ended too. */
export async function familyCpuMs(pid: number): Promise<number> {
  let ticks = 0;
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const member = await readTicks(Number(name)).catch(() => null);
    if (member?.parent === pid) ticks += member.own;
  }
  const { own, ofEnded } = await readTicks(pid);
  return (ticks + own + ofEnded) * 1_000 / TICKS_PER_SECOND;
}

/** The process that started this one. */
export async function parentOf(pid: number): Promise<number> {
  return (await readTicks(pid)).parent;
}

// The name stands in brackets and may hold anything, so fields count from its end.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
async function readTicks(pid: number) {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const at = (index: number) => Number(fields[index]);
  return { parent: at(1), own: at(11) + at(12), ofEnded: at(13) + at(14) };
}
