/** The Lua script and the pure rules are one algorithm: they decide alike, whatever comes when. */
import { strict as assert } from "node:assert";
import fc from "fast-check";

import type { Redis } from "../../local/redis/redis.ts";
import { groupRequests } from "../../supabase/functions/_shared/pacing/batch.ts";
import { createLocalWindows } from "../../supabase/functions/_shared/pacing/local_windows.ts";
import { createRedisWindows } from "../../supabase/functions/_shared/pacing/redis_windows.ts";
import type { SendRequest } from "../../supabase/functions/_shared/pacing/send_request.ts";
import { testOnBothRedis } from "../support/breaker_redis.ts";
import { redisAt } from "../support/redis_at.ts";

const START_MS = 1_800_000_000_000;

interface Claim {
  afterMs: number;
  requests: SendRequest[];
}

const limits = fc.constantFrom(
  { messages: 1, windowMs: 700 },
  { messages: 7, windowMs: 1_000 },
  { messages: 80, windowMs: 60_000 },
  { messages: 500, windowMs: 2_000 },
);

const request: fc.Arbitrary<SendRequest> = fc.record({
  tenantId: fc.constantFrom("a", "b"),
  senderId: fc.constantFrom("s1", "s2", "s3"),
  recipient: fc.oneof(fc.constant("busy"), fc.integer({ min: 1, max: 1_000 }).map(String)),
  lane: fc.constantFrom("urgent", "normal", "bulk"),
  deferrals: fc.integer({ min: 0, max: 3 }),
  tenantLimit: limits,
  senderPerSecond: fc.constantFrom(1, 5, 80, 1_000),
});

/** Now and then the clock is put back, or jumps ahead. */
const afterMs = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 1_500 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1_500, max: 90_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -5_000, max: 0 }) },
);

const claims: fc.Arbitrary<Claim[]> = fc.array(
  fc.record({ afterMs, requests: fc.array(request, { minLength: 1, maxLength: 40 }) }),
  { maxLength: 12 },
);

/** The Lua of the Redis in process is slow. */
const RUNS: Record<Redis["kind"], number> = { external: 300, server: 300, in_process: 15 };

testOnBothRedis("the script decides as the pure rules do", (redis) =>
  fc.assert(
    fc.asyncProperty(claims, async (asked) => {
      const clock = { nowMs: START_MS };
      const local = createLocalWindows();
      await redis.command(["FLUSHALL"]);
      const shared = createRedisWindows(redisAt(redis, () => clock.nowMs));
      for (const { afterMs, requests } of asked) {
        clock.nowMs += afterMs;
        const batch = groupRequests(requests);
        const { verdicts, nowMs } = await shared.decide(batch);
        assert.equal(nowMs, clock.nowMs);
        assert.deepEqual(verdicts, local.decide(batch, clock.nowMs));
      }
    }),
    // Shrinking over a network takes minutes: the seed that is printed does it at a desk.
    { numRuns: RUNS[redis.kind], endOnFailure: true },
  ));
