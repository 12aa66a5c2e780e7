import { admitCalls, NEW_BREAKER, NOBODY, reportCalls } from "../resilience/breaker.ts";
import type { Breaker, BreakerState } from "../resilience/breaker.ts";
import type { BreakerSettings } from "../resilience/breaker_settings.ts";

/** Keeps calls from a database that has failed too often. */
export interface ReadBreaker {
  /** Throws a BreakerOpen without calling while it is open; else whatever the work throws. */
  run<Result>(work: () => Promise<Result>): Promise<Result>;
}

export interface ReadBreakerDeps {
  now: () => number;
  random: () => number;
  onChange: (state: BreakerState) => void;
}

/** Nothing was called: it has failed too often a short while ago. */
export class BreakerOpen extends Error {
  override name = "BreakerOpen";
  constructor() {
    super("Cannot call: it has failed too often a short while ago");
  }
}

/** How long it stays open before one call may try. */
export const OPEN_MS = 60_000;

/** Five failures in a row and nothing else: reads are too few for a rate (R05). */
const SETTINGS: BreakerSettings = {
  failuresInARow: 5,
  failureRatePercent: 100,
  minimumRequests: Infinity,
  windowMs: 30_000,
  openMs: OPEN_MS,
  maxOpenMs: OPEN_MS,
  probeLeaseMs: 15_000,
  witnesses: 1,
};

/** The breaker of one isolate on its way to the database; other isolates find out for themselves. */
export function createReadBreaker({ now, random, onChange }: ReadBreakerDeps): ReadBreaker {
  let breaker = NEW_BREAKER;

  function become(next: Breaker): void {
    const hasChanged = next.state !== breaker.state;
    breaker = next;
    if (hasChanged) onChange(next.state);
  }

  function report(generation: number, failures: 0 | 1): void {
    const results = {
      generation,
      failures,
      successes: 1 - failures,
      trailingFailures: failures,
      pauseMs: 0,
      witness: NOBODY,
    };
    const moment = { nowMs: now(), chancePermille: Math.floor(random() * 1_000) };
    become(reportCalls(breaker, results, moment, SETTINGS));
  }

  return {
    async run(work) {
      const asked = admitCalls(breaker, now(), SETTINGS);
      become(asked.breaker);
      if (!asked.admission.allowed) throw new BreakerOpen();
      const { generation } = asked.admission;
      try {
        const result = await work();
        report(generation, 0);
        return result;
      } catch (error) {
        report(generation, 1);
        throw error;
      }
    },
  };
}
