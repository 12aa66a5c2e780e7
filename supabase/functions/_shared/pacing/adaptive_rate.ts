/** What is left of a limit after Meta said that it is too high; null is the whole of it. */
export interface LoweredRate {
  /** The part of the limit that was left then: more than 0, at most 1. */
  share: number;
  loweredAtMs: number;
}

/** Throttled answers of calls that were under way together lower the rate once. */
export const LOWER_AGAIN_AFTER_MS = 5_000;
/** So long nothing is raised. */
export const HOLD_MS = 10_000;
/** In this time the rate would rise from nothing to the whole limit; a halved one takes half of it. */
export const RISE_MS = 200_000;
export const SMALLEST_SHARE = 1 / 32;

/**
 * The rate after a throttled answer: half of what it was, at most once in 5 s. It rises again by itself,
 * by the same amount in every second (https://en.wikipedia.org/wiki/Additive_increase/multiplicative_decrease),
 * so that it has to be written down only when it is lowered.
 */
export function lowerRate(rate: LoweredRate | null, nowMs: number): LoweredRate {
  const isRecent = rate !== null && Math.abs(nowMs - rate.loweredAtMs) < LOWER_AGAIN_AFTER_MS;
  if (isRecent) return rate;
  return { share: Math.max(SMALLEST_SHARE, shareAt(rate, nowMs) / 2), loweredAtMs: nowMs };
}

/** The part of the limit that may be used at this moment: 1 is the whole, and the rate is history. */
export function shareAt(rate: LoweredRate | null, nowMs: number): number {
  if (rate === null) return 1;
  const risingMs = Math.max(0, nowMs - rate.loweredAtMs - HOLD_MS);
  return Math.min(1, rate.share + risingMs / RISE_MS);
}

/** The limit that is in force at this moment, a whole number of messages and at least one. */
export function limitAt(limit: number, rate: LoweredRate | null, nowMs: number): number {
  return Math.max(1, Math.floor(limit * shareAt(rate, nowMs)));
}
