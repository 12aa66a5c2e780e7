import { untilNextCall } from "./control.ts";
import type { PlannedKill } from "./kills.ts";
import type { ChaosPlatform } from "./platform.ts";

const LONGEST_WAIT_FOR_WORK_MS = 500;
const LONGEST_WAIT_FOR_RESTART_MS = 10_000;

/** Ends processes as `kill -9` does, as planned, and returns how often each was killed. */
export async function killAsPlanned(
  chaos: ChaosPlatform,
  kills: readonly PlannedKill[],
): Promise<Map<string, number>> {
  const killed = new Map<string, number>();
  const last = new Map<string, number>();
  const startedAt = Date.now();
  for (const { afterMs, label, lagMs } of kills) {
    await sleep(startedAt + afterMs - Date.now());
    const pid = await nextPid(chaos, label, last.get(label));
    await untilNextCall(chaos.platform, LONGEST_WAIT_FOR_WORK_MS);
    await sleep(lagMs);
    Deno.kill(pid, "SIGKILL");
    last.set(label, pid);
    killed.set(label, (killed.get(label) ?? 0) + 1);
  }
  return killed;
}

// A process that was killed a moment ago is waited for: each kill ends a process that lives.
async function nextPid(chaos: ChaosPlatform, label: string, killed?: number): Promise<number> {
  const deadline = Date.now() + LONGEST_WAIT_FOR_RESTART_MS;
  while (Date.now() < deadline) {
    const pid = chaos.pidOf(label);
    if (pid !== undefined && pid !== killed) return pid;
    await sleep(20);
  }
  throw new Error(`${label} was not started again within ${LONGEST_WAIT_FOR_RESTART_MS} ms`);
}

/** Kills every process that takes from a queue, and says when: whoever claimed before is gone. */
export function killAllWorkers(chaos: ChaosPlatform, labels: Iterable<string>): Date {
  for (const label of labels) {
    const pid = chaos.pidOf(label);
    if (pid !== undefined) killIfAlive(pid);
  }
  return new Date();
}

function killIfAlive(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
