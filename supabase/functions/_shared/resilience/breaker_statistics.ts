import type { Breaker, BreakerState, OpeningCause } from "./breaker.ts";
import { settingsOf } from "./breaker_scopes.ts";
import { liveSlots, totalsOf } from "./breaker_window.ts";

/** What an operator is told of a breaker; counts begin when it was first used, or last forgotten. */
export interface BreakerStatistics {
  scope: string;
  state: BreakerState;
  /** Why it opened last. */
  cause: OpeningCause;
  total_requests: number;
  failures: number;
  /** Per cent of the requests of the last 30 s; 0 without requests. */
  failure_rate: number;
  consecutive_failures: number;
  opened_count: number;
  /** ISO 8601, like all times here. */
  opened_at: string | null;
  /** When calls are tried again: null where they are not held back, or by an operator. */
  next_probe_at: string | null;
  generation: number;
}

/** The statistics of one breaker as of now. */
export function statisticsOf(scope: string, breaker: Breaker, nowMs: number): BreakerStatistics {
  const { state, cause, openedAtMs, openedCount, sinceMs, durationMs, generation } = breaker;
  const isWaiting = state === "open" || state === "half_open";
  return {
    scope,
    state,
    cause,
    total_requests: breaker.requests,
    failures: breaker.failures,
    failure_rate: failureRateOf(scope, breaker, nowMs),
    consecutive_failures: breaker.failuresInARow,
    opened_count: openedCount,
    opened_at: openedCount === 0 ? null : isoOf(openedAtMs),
    next_probe_at: isWaiting ? isoOf(sinceMs + durationMs) : null,
    generation,
  };
}

/** What is logged of a breaker that has just opened. */
export function describeOpening(breaker: Breaker): Record<string, unknown> {
  const { requests, failures } = totalsOf(breaker.window);
  return {
    // The name and fields under which the requirements ask for it.
    name: "circuit_breaker_opened",
    state: "OPEN",
    failure_count: breaker.failuresInARow,
    cause: breaker.cause,
    requests,
    failures,
    open_ms: breaker.durationMs,
    opened_count: breaker.openedCount,
  };
}

function failureRateOf(scope: string, { window }: Breaker, nowMs: number): number {
  const { requests, failures } = totalsOf(liveSlots(window, nowMs, settingsOf(scope).windowMs));
  return requests === 0 ? 0 : Math.round(failures / requests * 1_000) / 10;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
