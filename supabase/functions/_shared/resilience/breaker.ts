import {
  ISOLATED_WAIT_MS,
  MAX_PAUSE_MS,
  OPEN_GROWTH,
  OPEN_JITTER_PERCENT,
  PROBE_WAIT_MS,
} from "./breaker_settings.ts";
import type { BreakerSettings } from "./breaker_settings.ts";
import { addToWindow, liveSlots, totalsOf } from "./breaker_window.ts";
import type { WindowSlot } from "./breaker_window.ts";

export const BREAKER_STATES = ["closed", "open", "half_open", "isolated"] as const;
export type BreakerState = typeof BREAKER_STATES[number];

export const OPENING_CAUSES = [
  "none",
  "failures_in_a_row",
  "failure_rate",
  "pause",
  "failed_probe",
  "operator",
] as const;
export type OpeningCause = typeof OPENING_CAUSES[number];

/** Nobody saw a failure yet; or several did, or Meta itself named the scope. */
export const NOBODY = "-";
export const SEVERAL = "*";

/** All that a breaker knows. It is replaced, never changed. */
export interface Breaker {
  state: BreakerState;
  /** Goes up with every change of state and every probe: a result counts for its own one alone. */
  generation: number;
  /** Since when it is in this state, or the probe is out. */
  sinceMs: number;
  /** How long it stays open, or waits for the probe; 0 in the other states. */
  durationMs: number;
  /** Why it opened last. */
  cause: OpeningCause;
  failedProbes: number;
  failuresInARow: number;
  /** The narrower scope that all counted failures were seen through, NOBODY or SEVERAL. */
  witness: string;
  openedCount: number;
  openedAtMs: number;
  requests: number;
  failures: number;
  window: readonly WindowSlot[];
}

/** What came of the calls that one admission let through. */
export interface CallResults {
  generation: number;
  failures: number;
  successes: number;
  /** Failures since the last success, in the order of the answers. */
  trailingFailures: number;
  /** How long Meta asks to leave the scope alone; 0: it does not. */
  pauseMs: number;
  /** The narrower scope through which the failures were seen. */
  witness: string;
}

export type Admission =
  | { allowed: true; generation: number; /** One call alone may go. */ probe: boolean }
  | {
    allowed: false;
    generation: number;
    reason: "open" | "probing" | "isolated";
    retryAtMs: number;
  };

/** The clock, and a chance of 0 to 999 that spreads the times of probes. */
export interface Moment {
  nowMs: number;
  chancePermille: number;
}

/** A breaker that nothing was heard of. */
export const NEW_BREAKER: Breaker = {
  state: "closed",
  generation: 0,
  sinceMs: 0,
  durationMs: 0,
  cause: "none",
  failedProbes: 0,
  failuresInARow: 0,
  witness: NOBODY,
  openedCount: 0,
  openedAtMs: 0,
  requests: 0,
  failures: 0,
  window: [],
};

/**
 * Says whether calls may go. Once the pause is over, one caller gets the probe; when its answer stays
 * away for longer than the lease, the next caller gets another, so that nothing is held back for ever.
 */
export function admitCalls(
  breaker: Breaker,
  nowMs: number,
  settings: BreakerSettings,
): { breaker: Breaker; admission: Admission } {
  const { state, generation } = breaker;
  const remainingMs = breaker.durationMs - (nowMs - breaker.sinceMs);
  const refuse = (reason: "open" | "probing" | "isolated", waitMs: number) => ({
    breaker,
    admission: { allowed: false as const, generation, reason, retryAtMs: nowMs + waitMs },
  });
  switch (state) {
    case "closed":
      return { breaker, admission: { allowed: true, generation, probe: false } };
    case "isolated":
      return refuse("isolated", ISOLATED_WAIT_MS);
    case "open":
      if (!isOver(breaker, nowMs)) return refuse("open", remainingMs);
      return leaseProbe(breaker, nowMs, settings);
    case "half_open":
      if (!isOver(breaker, nowMs)) return refuse("probing", Math.min(remainingMs, PROBE_WAIT_MS));
      return leaseProbe(breaker, nowMs, settings);
  }
}

/**
 * Counts results. Those of another generation change nothing; a probe decides alone: it closes the
 * breaker, opens it again for longer, or is given back when nothing came of it.
 */
export function reportCalls(
  breaker: Breaker,
  results: CallResults,
  moment: Moment,
  settings: BreakerSettings,
): Breaker {
  if (results.generation !== breaker.generation) return breaker;
  switch (breaker.state) {
    case "closed": {
      const counted = count(breaker, results, moment.nowMs, settings);
      const cause = causeToOpen(counted, results, settings);
      return cause === null ? counted : open(counted, cause, results, moment, settings);
    }
    case "half_open": {
      const counted = addToTotals(breaker, results);
      if (results.failures > 0) return open(counted, "failed_probe", results, moment, settings);
      if (results.successes > 0) return close(counted, moment.nowMs);
      return change(breaker, "half_open", moment.nowMs, 0);
    }
    // Nobody was let through under these generations.
    case "open":
    case "isolated":
      return breaker;
  }
}

/** Holds everything back until somebody resets it. */
export function isolateBreaker(breaker: Breaker, nowMs: number): Breaker {
  return { ...change(breaker, "isolated", nowMs, 0), cause: "operator" };
}

/** Lets everything through again; what is under way no longer counts. */
export function resetBreaker(breaker: Breaker, nowMs: number): Breaker {
  return close(breaker, nowMs);
}

function leaseProbe(breaker: Breaker, nowMs: number, settings: BreakerSettings) {
  const leased = change(breaker, "half_open", nowMs, settings.probeLeaseMs);
  const admission = { allowed: true as const, generation: leased.generation, probe: true };
  return { breaker: leased, admission };
}

// A clock that was put back lengthens a pause by no more than the pause itself.
function isOver({ sinceMs, durationMs }: Breaker, nowMs: number): boolean {
  return Math.abs(nowMs - sinceMs) >= durationMs;
}

function count(
  breaker: Breaker,
  results: CallResults,
  nowMs: number,
  { windowMs }: BreakerSettings,
): Breaker {
  const { failures, successes } = results;
  const counted = { requests: failures + successes, failures };
  return {
    ...addToTotals(breaker, results),
    witness: failures > 0 ? joinWitnesses(breaker, results, nowMs, windowMs) : breaker.witness,
    window: addToWindow(breaker.window, counted, nowMs, windowMs),
  };
}

// Witnesses of failures that no longer count are forgotten with them.
function joinWitnesses(
  { window, failuresInARow, witness }: Breaker,
  results: CallResults,
  nowMs: number,
  windowMs: number,
): string {
  const { failures } = totalsOf(liveSlots(window, nowMs, windowMs));
  const isFirst = failuresInARow === 0 && failures === 0;
  return isFirst || witness === results.witness ? results.witness : SEVERAL;
}

// Only a failure opens: successes that come after it must not, whatever share of the window failed.
function causeToOpen(
  { failuresInARow, witness, window }: Breaker,
  results: CallResults,
  settings: BreakerSettings,
): OpeningCause | null {
  if (results.failures === 0) return null;
  if (results.pauseMs > 0) return "pause";
  if (settings.witnesses > 1 && witness !== SEVERAL) return null;
  if (failuresInARow >= settings.failuresInARow) return "failures_in_a_row";
  const { requests, failures } = totalsOf(window);
  const isMany = failures * 100 >= settings.failureRatePercent * requests;
  return requests >= settings.minimumRequests && isMany ? "failure_rate" : null;
}

function open(
  breaker: Breaker,
  cause: OpeningCause,
  results: CallResults,
  moment: Moment,
  settings: BreakerSettings,
): Breaker {
  const failedProbes = cause === "failed_probe" ? breaker.failedProbes + 1 : 0;
  const pauseMs = Math.min(results.pauseMs, MAX_PAUSE_MS);
  const openMs = Math.max(openMsAfter(failedProbes, moment.chancePermille, settings), pauseMs);
  return {
    ...change(breaker, "open", moment.nowMs, openMs),
    cause,
    failedProbes,
    openedCount: breaker.openedCount + 1,
    openedAtMs: moment.nowMs,
  };
}

function openMsAfter(
  failedProbes: number,
  chancePermille: number,
  { openMs, maxOpenMs }: BreakerSettings,
): number {
  if (failedProbes === 0) return openMs;
  let grownMs = openMs;
  for (let probe = 0; probe < failedProbes && grownMs < maxOpenMs; probe++) {
    grownMs = Math.min(grownMs * OPEN_GROWTH, maxOpenMs);
  }
  return Math.floor(grownMs + grownMs * OPEN_JITTER_PERCENT * chancePermille / 100_000);
}

function close(breaker: Breaker, nowMs: number): Breaker {
  const closed = change(breaker, "closed", nowMs, 0);
  return { ...closed, failedProbes: 0, failuresInARow: 0, witness: NOBODY, window: [] };
}

function addToTotals(breaker: Breaker, results: CallResults): Breaker {
  const { failures, successes, trailingFailures } = results;
  return {
    ...breaker,
    requests: breaker.requests + failures + successes,
    failures: breaker.failures + failures,
    failuresInARow: successes > 0 ? trailingFailures : breaker.failuresInARow + failures,
  };
}

function change(
  breaker: Breaker,
  state: BreakerState,
  sinceMs: number,
  durationMs: number,
): Breaker {
  return { ...breaker, state, generation: breaker.generation + 1, sinceMs, durationMs };
}
