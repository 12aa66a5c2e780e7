import { strict as assert } from "node:assert";

import {
  admitCalls,
  type Breaker,
  type CallResults,
  isolateBreaker,
  NEW_BREAKER,
  reportCalls,
  resetBreaker,
  SEVERAL,
} from "./breaker.ts";
import { BREAKER_SETTINGS, type BreakerSettings } from "./breaker_settings.ts";

export const startMs = 1_795_315_200_000;
export const second = 1_000;
export const minute = 60 * second;

/** A breaker under a clock that the test moves; what is reported was admitted just before. */
export function drive(settings: BreakerSettings = BREAKER_SETTINGS.tenant, chancePermille = 0) {
  let breaker: Breaker = NEW_BREAKER;
  let nowMs = startMs;
  const report = (overrides: Partial<CallResults>) => {
    const results = {
      generation: breaker.generation,
      failures: 0,
      successes: 0,
      trailingFailures: 0,
      pauseMs: 0,
      witness: SEVERAL,
      ...overrides,
    };
    breaker = reportCalls(breaker, results, { nowMs, chancePermille }, settings);
    return breaker.state;
  };
  return {
    get breaker() {
      return breaker;
    },
    report,
    wait: (ms: number) => nowMs += ms,
    admit() {
      const asked = admitCalls(breaker, nowMs, settings);
      breaker = asked.breaker;
      const { admission } = asked;
      return admission.allowed
        ? { ...admission, waitMs: 0 }
        : { ...admission, waitMs: admission.retryAtMs - nowMs };
    },
    /** So many calls one after the other. */
    fail(times = 1) {
      for (let i = 0; i < times; i++) report({ failures: 1, trailingFailures: 1 });
      return breaker.state;
    },
    succeed(times = 1) {
      for (let i = 0; i < times; i++) report({ successes: 1 });
      return breaker.state;
    },
    isolate: () => breaker = isolateBreaker(breaker, nowMs),
    reset: () => breaker = resetBreaker(breaker, nowMs),
  };
}

/** One that five failures have opened. */
export function opened(settings?: BreakerSettings, chancePermille?: number) {
  const it = drive(settings, chancePermille);
  assert.equal(it.fail(5), "open");
  return it;
}
