import { LRUCache } from "lru-cache";
import { admitCalls, NEW_BREAKER, reportCalls } from "./breaker.ts";
import type { Breaker } from "./breaker.ts";
import { settingsOf } from "./breaker_scopes.ts";
import type { BreakerAdmission, LocalBreakers } from "./breakers.ts";

/** The least recently used make room. */
export const MAX_LOCAL_BREAKERS = 5_000;

/** Breakers in memory under the rules of breaker.ts, on the clock of this isolate. */
export function createLocalBreakers(
  { now, random }: { now: () => number; random: () => number },
): LocalBreakers {
  const breakers = new LRUCache<string, Breaker>({ max: MAX_LOCAL_BREAKERS });
  const read = (scope: string) => breakers.get(scope) ?? NEW_BREAKER;

  return {
    admit(scopes) {
      return new Map(scopes.map((scope) => {
        const { breaker, admission } = admitCalls(read(scope), now(), settingsOf(scope));
        breakers.set(scope, breaker);
        return [scope, { ...admission, decidedBy: "isolate" }];
      }));
    },
    report(results) {
      const moment = { nowMs: now(), chancePermille: Math.floor(random() * 1_000) };
      return results.flatMap((result) => {
        const { scope } = result;
        const before = read(scope);
        const breaker = reportCalls(before, result, moment, settingsOf(scope));
        breakers.set(scope, breaker);
        return breaker.state === before.state ? [] : [{ scope, from: before.state, breaker }];
      });
    },
    mirror(admissions) {
      for (const [scope, admission] of admissions) {
        breakers.set(scope, mirrorOf(scope, admission, now()));
      }
    },
    // Times of another clock mean nothing here: a pause begins when it is heard of.
    adopt(scope, breaker) {
      breakers.set(scope, { ...breaker, sinceMs: now(), window: [] });
    },
  };
}

const STATES = { open: "open", probing: "half_open", isolated: "isolated" } as const;

function mirrorOf(scope: string, admission: BreakerAdmission, nowMs: number): Breaker {
  const heard = { ...NEW_BREAKER, generation: admission.generation, sinceMs: nowMs };
  if (!admission.allowed) {
    const durationMs = Math.max(admission.retryAtMs - nowMs, 0);
    return { ...heard, state: STATES[admission.reason], durationMs };
  }
  if (!admission.probe) return heard;
  return { ...heard, state: "half_open", durationMs: settingsOf(scope).probeLeaseMs };
}
