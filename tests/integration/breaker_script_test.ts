import { strict as assert } from "node:assert";
import fc from "fast-check";

import type { Redis } from "../../local/redis/redis.ts";
import { encodeBreaker } from "../../supabase/functions/_shared/resilience/breaker_format.ts";
import {
  admitCalls,
  type Breaker,
  isolateBreaker,
  NEW_BREAKER,
  reportCalls,
  resetBreaker,
} from "../../supabase/functions/_shared/resilience/breaker.ts";
import { settingsOf } from "../../supabase/functions/_shared/resilience/breaker_scopes.ts";
import { createBreakerStore } from "../../supabase/functions/_shared/resilience/breaker_store.ts";
import type {
  BreakerAdmission,
  BreakerChange,
  BreakerResult,
} from "../../supabase/functions/_shared/resilience/breakers.ts";
import { directClient, testOnBothRedis, withClock } from "../support/breaker_redis.ts";

const scopes = ["app", "tenant:one", "sender:two"] as const;
const startMs = 1_795_315_200_123;

type Step =
  | { kind: "wait"; ms: number }
  | { kind: "admit"; scopes: string[] }
  | { kind: "report"; chance: number; results: Reported[] }
  | { kind: "reset" | "isolate"; scope: string };

interface Reported {
  scope: string;
  /** Back from the newest generation of the scope: 0 is current. */
  late: number;
  failures: number;
  successes: number;
  trailing: number;
  pauseMs: number;
  witness: string;
}

const scope = fc.constantFrom(...scopes);
const reported: fc.Arbitrary<Reported> = fc.record({
  scope,
  late: fc.constantFrom(0, 0, 0, 0, 0, 1, 2),
  failures: fc.constantFrom(0, 0, 1, 1, 3, 5),
  successes: fc.constantFrom(0, 0, 0, 1, 4, 11),
  trailing: fc.nat(3),
  pauseMs: fc.constantFrom(0, 0, 0, 0, 0, 90_000, 999_999_999),
  witness: fc.constantFrom("tenant:one", "tenant:two", "*"),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait"), ms: aWait() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("admit"),
      scopes: fc.uniqueArray(scope, { minLength: 1 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("report"),
      chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
      results: fc.uniqueArray(reported, { minLength: 1, selector: (it) => it.scope }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("reset", "isolate"), scope }) },
) as fc.Arbitrary<Step>;

function aWait(): fc.Arbitrary<number> {
  return fc.oneof(
    fc.constantFrom(0, 1, 14_999, 15_000, 60_000, 66_000, 300_000),
    fc.integer({ min: -70_000, max: 100_000 }),
  );
}

/** The rules of breaker.ts over a plain map: what Redis must do. */
class Pure {
  readonly breakers = new Map<string, Breaker>();
  nowMs = startMs;

  read(scope: string): Breaker {
    return this.breakers.get(scope) ?? NEW_BREAKER;
  }

  admit(scopes: string[]): [string, BreakerAdmission][] {
    return scopes.map((scope) => {
      const { breaker, admission } = admitCalls(this.read(scope), this.nowMs, settingsOf(scope));
      if (breaker !== this.read(scope)) this.breakers.set(scope, breaker);
      return [scope, { ...admission, decidedBy: "redis" }];
    });
  }

  report(results: BreakerResult[], chance: number): BreakerChange[] {
    const moment = { nowMs: this.nowMs, chancePermille: Math.floor(chance * 1_000) };
    return results.flatMap((result) => {
      const { scope } = result;
      const before = this.read(scope);
      const breaker = reportCalls(before, result, moment, settingsOf(scope));
      if (breaker !== before) this.breakers.set(scope, breaker);
      return breaker.state === before.state ? [] : [{ scope, from: before.state, breaker }];
    });
  }

  steer(kind: "reset" | "isolate", scope: string): void {
    if (kind === "reset" && !this.breakers.has(scope)) return;
    const steered = kind === "reset" ? resetBreaker : isolateBreaker;
    this.breakers.set(scope, steered(this.read(scope), this.nowMs));
  }

  resultOf({ scope, late, trailing, ...rest }: Reported): BreakerResult {
    const generation = this.read(scope).generation - late;
    const trailingFailures = Math.min(trailing, rest.failures);
    return { ...rest, scope, generation, trailingFailures, decidedBy: "redis" };
  }
}

async function linesOf(redis: Redis): Promise<Record<string, string>> {
  const lines: Record<string, string> = {};
  for (const scope of scopes) {
    const line = await redis.command(["GET", `switchyard:breaker:${scope}`]);
    if (typeof line === "string") lines[scope] = line;
  }
  return lines;
}

testOnBothRedis("the script in Redis does what breaker.ts does", async (redis) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { size: "max", maxLength: 40 }), async (steps) => {
      await redis.command(["FLUSHALL"]);
      const pure = new Pure();
      let chance = 0;
      const store = createBreakerStore({
        redis: directClient(withClock(redis, () => pure.nowMs)),
        now: () => pure.nowMs,
        random: () => chance,
      });
      for (const it of steps) {
        switch (it.kind) {
          case "wait":
            pure.nowMs += it.ms;
            break;
          case "admit":
            assert.deepEqual([...await store.admit(it.scopes)], pure.admit(it.scopes));
            break;
          case "report": {
            const results = it.results.map((one) => pure.resultOf(one));
            chance = it.chance;
            assert.deepEqual(await store.report(results), pure.report(results, chance));
            break;
          }
          default:
            await store[it.kind](it.scope);
            pure.steer(it.kind, it.scope);
        }
        const expected = Object.fromEntries(
          scopes.flatMap((one) => {
            const breaker = pure.breakers.get(one);
            return breaker === undefined ? [] : [[one, encodeBreaker(breaker)]];
          }),
        );
        assert.deepEqual(await linesOf(redis), expected);
      }
    }),
    { numRuns: redis.kind === "in_process" ? 60 : 300, endOnFailure: true },
  );
});
