import { createHeap } from "./heap.ts";

/** Calls a planned callback off; calling it twice or too late does nothing. */
export type Cancel = () => void;

/** The simulator's only notion of time, so that days of retries can be tested in an instant. */
export interface Clock {
  now(): number;
  after(delayMs: number, callback: () => void): Cancel;
  advance(byMs: number): void;
  /** How long until something is planned; null when nothing is. */
  untilNextMs(): number | null;
  stop(): void;
}

/** How the outside world wakes the clock: `setTimeout` in earnest, nothing at all in a test. */
export type WakeAfter = (delayMs: number, callback: () => void) => Cancel;

const LONGEST_WAKE_MS = 2 ** 31 - 1;

/**
 * Runs callbacks in order of their due millisecond. Callbacks of one millisecond share one heap
 * entry, so thousands of planned statuses a second cost next to nothing.
 */
export function createClock(outside: { now: () => number; wakeAfter: WakeAfter }): Clock {
  const plansAt = new Map<number, Set<Plan>>();
  const dueTimes = createHeap();
  let addedMs = 0;
  let standingAt: number | null = null;
  let wake: { at: number; cancel: Cancel } | null = null;
  let stopped = false;

  const now = () => standingAt ?? outside.now() + addedMs;

  function fireUntil(target: number, standStill: boolean): void {
    for (let due = dueTimes.smallest(); due !== undefined && due <= target;) {
      dueTimes.takeSmallest();
      if (standStill) standingAt = due;
      const plans = plansAt.get(due);
      plansAt.delete(due);
      for (const plan of plans ?? []) plan.callback();
      due = dueTimes.smallest();
    }
    standingAt = null;
    arm();
  }

  function arm(): void {
    const due = dueTimes.smallest();
    if (due === undefined || (wake !== null && wake.at <= due)) return;
    wake?.cancel();
    const delayMs = Math.min(Math.max(due - now(), 0), LONGEST_WAKE_MS);
    const cancel = outside.wakeAfter(delayMs, () => {
      wake = null;
      fireUntil(now(), false);
    });
    wake = { at: due, cancel };
  }

  return {
    now,
    after(delayMs, callback) {
      if (stopped) return () => {};
      const due = Math.ceil(now() + Math.max(delayMs, 0));
      let plans = plansAt.get(due);
      if (plans === undefined) {
        plansAt.set(due, plans = new Set());
        dueTimes.add(due);
        if (standingAt === null) arm();
      }
      const plan = { callback };
      plans.add(plan);
      return () => void plans.delete(plan);
    },
    advance(byMs) {
      const target = now() + byMs;
      wake?.cancel();
      wake = null;
      standingAt = now();
      addedMs += byMs;
      fireUntil(target, true);
    },
    untilNextMs() {
      const due = dueTimes.smallest();
      return due === undefined ? null : Math.max(due - now(), 0);
    },
    stop() {
      stopped = true;
      wake?.cancel();
      wake = null;
      plansAt.clear();
      dueTimes.clear();
    },
  };
}

// An object of its own, since the same function may be planned twice.
interface Plan {
  callback: () => void;
}

/** Wakes by `setTimeout`: the one for a simulator that runs in real time. */
export const wakeByTimer: WakeAfter = (delayMs, callback) => {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
};
