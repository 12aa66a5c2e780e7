import { backoffMs } from "./backoff.ts";
import type { BackoffLimits } from "./backoff.ts";

export interface RetryOptions {
  /** In all, the first included. */
  maxTries: number;
  /** Says whether the same call may succeed later; what it refuses is thrown at once. */
  isTransient: (error: unknown) => boolean;
  backoff?: BackoffLimits;
  sleep: (ms: number) => Promise<void>;
  random: () => number;
}

/** Calls `work` until it succeeds or its tries are used up; throws what the last one threw. */
export async function retry<Result>(
  work: () => Promise<Result>,
  { maxTries, isTransient, backoff, sleep, random }: RetryOptions,
): Promise<Result> {
  if (!(maxTries >= 1)) throw new RangeError(`maxTries must be at least 1: ${maxTries}`);
  for (let failures = 1;; failures++) {
    try {
      return await work();
    } catch (error) {
      if (failures >= maxTries || !isTransient(error)) throw error;
      await sleep(backoffMs(failures, random, backoff));
    }
  }
}
