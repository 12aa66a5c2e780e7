import { strict as assert } from "node:assert";
import { Redis as UpstashRedis } from "@upstash/redis";

import { startRedis } from "../../local/redis/start.ts";
import { openInProcessRedis } from "../../local/redis/in_process.ts";
import { createLocalBreakers } from "../../supabase/functions/_shared/resilience/breaker_local.ts";
import {
  type BreakerRedis,
  createBreakerStore,
} from "../../supabase/functions/_shared/resilience/breaker_store.ts";
import {
  type BreakerResult,
  createBreakers,
} from "../../supabase/functions/_shared/resilience/breakers.ts";
import { serveRest, testOnBothRedis, withClock } from "../support/breaker_redis.ts";

const tenant = "tenant:a";
const never = () => new Promise<never>(() => {});

interface Clock {
  nowMs: number;
}

/** What one isolate has: the shared breakers over this client, and its own. */
function isolateOn(redis: BreakerRedis, clock: Clock, sleep: () => Promise<void> = never) {
  const now = () => clock.nowMs;
  const random = () => 0;
  const events: string[] = [];
  const write = (event: string) => void events.push(event);
  const breakers = createBreakers({
    shared: createBreakerStore({ redis, now, random }),
    local: createLocalBreakers({ now, random }),
    now,
    sleep,
    log: { info: write, warn: write },
  });
  const admit = async () => (await breakers.admit([tenant])).get(tenant)!;
  /** Asks, and reports so many calls that failed or went well. */
  const call = async (outcome: { failures?: number; successes?: number }) => {
    const admission = await admit();
    const { failures = 0, successes = 0 } = outcome;
    const result: BreakerResult = {
      scope: tenant,
      decidedBy: admission.decidedBy,
      generation: admission.generation,
      failures,
      successes,
      trailingFailures: failures,
      pauseMs: 0,
      witness: "*",
    };
    if (admission.allowed) await breakers.report([result]);
    return admission;
  };
  return { admit, call, events };
}

testOnBothRedis("Redis gone in the middle: each isolate goes on alone, and back", async (redis) => {
  const clock = { nowMs: 1_795_315_200_000 };
  const clocked = withClock(redis, () => clock.nowMs);
  await using rest = serveRest(clocked);
  const one = isolateOn(rest.client(), clock);
  const other = isolateOn(rest.client(), clock);
  await one.call({ failures: 3 });
  await other.call({ failures: 1 });

  rest.use(null);
  assert.equal((await one.admit()).decidedBy, "isolate");
  await one.call({ failures: 5 });
  assert.equal((await one.admit()).allowed, false, "one has seen it fail");
  assert.equal((await other.admit()).allowed, true, "the other has not");

  rest.use(clocked);
  clock.nowMs += 5_000;
  const { allowed, decidedBy } = await one.call({ failures: 1 });
  assert.deepEqual([allowed, decidedBy], [true, "redis"]);
  assert.equal((await other.admit()).allowed, false, "five failures in a row, for all");
  assert.deepEqual(one.events, [
    "breakers.kept_local",
    "breaker.opened",
    "breakers.shared_again",
    "breaker.opened",
  ]);
});

testOnBothRedis("Redis gone while calls are under way: their results count here", async (redis) => {
  const clock = { nowMs: 1_795_315_200_000 };
  await using rest = serveRest(withClock(redis, () => clock.nowMs));
  const local = createLocalBreakers({ now: () => clock.nowMs, random: () => 0 });
  const shared = createBreakerStore({
    redis: rest.client(),
    now: () => clock.nowMs,
    random: () => 0,
  });
  const log = { info: () => {}, warn: () => {} };
  const breakers = createBreakers({ shared, local, now: () => clock.nowMs, sleep: never, log });
  const { generation, decidedBy } = (await breakers.admit([tenant])).get(tenant)!;
  rest.use(null);
  const lost = { failures: 5, successes: 0, trailingFailures: 5, pauseMs: 0, witness: "*" };
  await breakers.report([{ scope: tenant, decidedBy, generation, ...lost }]);
  assert.equal((await breakers.admit([tenant])).get(tenant)?.allowed, false);
});

testOnBothRedis("Redis that lost everything while it was gone starts anew", async (redis) => {
  const clock = { nowMs: 1_795_315_200_000 };
  const clocked = withClock(redis, () => clock.nowMs);
  await using rest = serveRest(clocked);
  const one = isolateOn(rest.client(), clock);
  await one.call({ failures: 5 });
  assert.equal((await one.admit()).allowed, false);
  rest.use(null);
  assert.equal((await one.admit()).allowed, false, "the pause goes on");
  await redis.command(["FLUSHALL"]);
  rest.use(clocked);
  clock.nowMs += 5_000;
  assert.equal((await one.call({ successes: 1 })).allowed, true);
});

Deno.test("a server of Redis that is killed in the middle is done without", async () => {
  const dir = await Deno.makeTempDir();
  const clock = { nowMs: 1_795_315_200_000 };
  const redis = await startRedis({ dir });
  await using rest = serveRest(redis);
  const one = isolateOn(rest.client(), clock);
  assert.equal((await one.call({ failures: 1 })).decidedBy, "redis");
  await redis.stop();
  assert.equal((await one.call({ failures: 5 })).decidedBy, "isolate");
  assert.equal((await one.admit()).allowed, false);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("Redis that is full is done without", async () => {
  const dir = await Deno.makeTempDir();
  const clock = { nowMs: 1_795_315_200_000 };
  const redis = await startRedis({ dir });
  await using rest = serveRest(redis);
  try {
    if (redis.kind === "in_process") return;
    const one = isolateOn(rest.client(), clock);
    await one.call({ successes: 1 });
    await redis.command(["CONFIG", "SET", "maxmemory", "1"]);
    await one.call({ failures: 5 });
    assert.deepEqual(one.events, ["breakers.kept_local", "breaker.opened"]);
    assert.equal((await one.admit()).allowed, false);
  } finally {
    await redis.stop();
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("Redis that hangs is not waited for", async () => {
  const asked = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<Response>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    asked.resolve();
    return ended.promise;
  });
  const client = new UpstashRedis({
    url: `http://127.0.0.1:${server.addr.port}`,
    token: "a-token",
    retry: { retries: 0 },
    enableTelemetry: false,
  });
  // The second is over as soon as Redis was asked.
  const one = isolateOn(client, { nowMs: 0 }, () => asked.promise);
  assert.equal((await one.admit()).decidedBy, "isolate");
  ended.resolve(Response.json([{ error: "too late" }]));
  await server.shutdown();
});

Deno.test("nothing of breakers needs a Redis at all", async () => {
  const redis = openInProcessRedis();
  const clock = { nowMs: 0 };
  await using rest = serveRest(redis);
  rest.use(null);
  const one = isolateOn(rest.client(), clock);
  await one.call({ failures: 5 });
  assert.equal((await one.admit()).allowed, false);
  clock.nowMs += 60_000;
  assert.equal((await one.call({ successes: 1 })).allowed, true);
  assert.equal((await one.admit()).allowed, true);
  await redis.stop();
});
