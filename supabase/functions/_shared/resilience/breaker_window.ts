import { WINDOW_SLOTS } from "./breaker_settings.ts";

/** What was counted in one tenth of the window; `slot` numbers the tenths since the epoch. */
export interface WindowSlot {
  slot: number;
  requests: number;
  failures: number;
}

/**
 * The slots that lie within the window that ends now. Time alone ends a slot, never the next event;
 * what lies ahead, as after a clock was put back, is dropped too.
 */
export function liveSlots(
  slots: readonly WindowSlot[],
  nowMs: number,
  windowMs: number,
): WindowSlot[] {
  const current = slotAt(nowMs, windowMs);
  return slots.filter(({ slot }) => slot > current - WINDOW_SLOTS && slot <= current);
}

/** The live slots with these requests added to the one of now. */
export function addToWindow(
  slots: readonly WindowSlot[],
  counted: { requests: number; failures: number },
  nowMs: number,
  windowMs: number,
): WindowSlot[] {
  const slot = slotAt(nowMs, windowMs);
  const live = liveSlots(slots, nowMs, windowMs);
  const last = live.at(-1);
  if (last?.slot !== slot) return [...live, { slot, ...counted }];
  const requests = last.requests + counted.requests;
  const failures = last.failures + counted.failures;
  return [...live.slice(0, -1), { slot, requests, failures }];
}

/** Requests and failures of all these slots. */
export function totalsOf(slots: readonly WindowSlot[]): { requests: number; failures: number } {
  const totals = { requests: 0, failures: 0 };
  for (const { requests, failures } of slots) {
    totals.requests += requests;
    totals.failures += failures;
  }
  return totals;
}

function slotAt(nowMs: number, windowMs: number): number {
  return Math.floor(nowMs / (windowMs / WINDOW_SLOTS));
}
