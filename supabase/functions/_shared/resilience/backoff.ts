/** How long to wait before the next try, in milliseconds. */
export interface BackoffLimits {
  baseMs: number;
  capMs: number;
}

const DEFAULT_LIMITS: BackoffLimits = { baseMs: 1_000, capMs: 60_000 };

/**
 * Exponential backoff with full jitter: at least half a millisecond's chance of any moment up to
 * base × 2^failures, capped. `failures` counts the tries that failed before this wait, from 1.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ (2026-11)
 */
export function backoffMs(
  failures: number,
  random: () => number,
  { baseMs, capMs }: BackoffLimits = DEFAULT_LIMITS,
): number {
  if (!(failures >= 1)) throw new RangeError(`failures must be at least 1: ${failures}`);
  const ceiling = Math.min(capMs, baseMs * 2 ** (failures - 1));
  return Math.ceil(random() * ceiling);
}
