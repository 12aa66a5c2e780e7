import { strict as assert } from "node:assert";

import type { Redis } from "../../local/redis/redis.ts";
import {
  createBreakerStore,
  type SharedBreakers,
} from "../../supabase/functions/_shared/resilience/breaker_store.ts";
import type { BreakerResult } from "../../supabase/functions/_shared/resilience/breakers.ts";
import { type RestRedis, serveRest, testOnBothRedis, withClock } from "../support/breaker_redis.ts";

const startMs = 1_795_315_200_000;
const a = "tenant:a";
const b = "tenant:b";

interface World {
  redis: Redis;
  rest: RestRedis;
  clock: { nowMs: number };
  /** The breakers of one more isolate. */
  isolate(): SharedBreakers;
}

function testStore(title: string, test: (world: World) => Promise<void>): void {
  testOnBothRedis(title, async (redis) => {
    const clock = { nowMs: startMs };
    const now = () => clock.nowMs;
    await using rest = serveRest(withClock(redis, now));
    const isolate = () => createBreakerStore({ redis: rest.client(), now, random: () => 0 });
    await test({ redis, rest, clock, isolate });
  });
}

function result(scope: string, overrides: Partial<BreakerResult> = {}): BreakerResult {
  const failures = overrides.failures ?? 0;
  return {
    scope,
    decidedBy: "redis",
    generation: 0,
    failures,
    successes: 0,
    trailingFailures: failures,
    pauseMs: 0,
    witness: "*",
    ...overrides,
  };
}

async function admitOne(store: SharedBreakers, scope: string) {
  return (await store.admit([scope])).get(scope)!;
}

testStore("failures that several isolates see open one breaker for all", async ({ isolate }) => {
  const [one, other] = [isolate(), isolate()];
  assert.deepEqual(await one.report([result(a, { failures: 3 })]), []);
  const [change] = await other.report([result(a, { failures: 2 })]);
  assert.deepEqual([change?.from, change?.breaker.state], ["closed", "open"]);
  assert.deepEqual(await admitOne(one, a), {
    allowed: false,
    generation: 1,
    reason: "open",
    retryAtMs: startMs + 60_000,
    decidedBy: "redis",
  });
});

testStore("each tenant has an independent breaker", async ({ isolate }) => {
  const store = isolate();
  await store.report([result(a, { failures: 5 }), result(b, { successes: 5 })]);
  const admissions = await store.admit([a, b]);
  assert.deepEqual([a, b].map((scope) => admissions.get(scope)?.allowed), [false, true]);
});

testStore("of 20 that ask at once when the pause is over, one gets the probe", async (world) => {
  const isolates = Array.from({ length: 20 }, world.isolate);
  await isolates[0]!.report([result(a, { failures: 5 })]);
  for (let round = 0; round < 5; round++) {
    world.clock.nowMs += 60_000;
    const asked = await Promise.all(isolates.map((store) => admitOne(store, a)));
    const letThrough = asked.filter((it) => it.allowed);
    assert.equal(letThrough.length, 1);
    assert.ok(letThrough[0]!.allowed && letThrough[0]!.probe);
  }
});

testStore("a probe whose holder died is leased again after 15 s, to one", async (world) => {
  const isolates = Array.from({ length: 20 }, world.isolate);
  const [dying, ...others] = isolates as [SharedBreakers, ...SharedBreakers[]];
  await dying.report([result(a, { failures: 5 })]);
  world.clock.nowMs += 60_000;
  const lost = await admitOne(dying, a);
  world.clock.nowMs += 14_999;
  assert.equal((await admitOne(others[0]!, a)).allowed, false);
  world.clock.nowMs += 1;
  const asked = await Promise.all(others.map((store) => admitOne(store, a)));
  assert.equal(asked.filter((it) => it.allowed).length, 1);

  const late = result(a, { generation: lost.generation, successes: 1 });
  assert.deepEqual(await dying.report([late]), [], "its late answer changes nothing");
  assert.equal((await admitOne(dying, a)).allowed, false);
});

testStore("a probe that was given back goes to the next that asks", async ({ isolate, clock }) => {
  const store = isolate();
  await store.report([result(a, { failures: 5 })]);
  clock.nowMs += 60_000;
  const { generation } = await admitOne(store, a);
  assert.deepEqual(await store.report([result(a, { generation })]), []);
  assert.equal((await admitOne(isolate(), a)).allowed, true);
});

testStore("answers of calls begun before it opened change nothing", async ({ isolate, clock }) => {
  const store = isolate();
  const { generation } = await admitOne(store, a);
  await store.report([result(a, { failures: 5 })]);
  clock.nowMs += 60_000;
  const probe = await admitOne(store, a);
  assert.deepEqual(await store.report([result(a, { generation, successes: 9 })]), []);
  const [closed] = await store.report([result(a, { generation: probe.generation, successes: 1 })]);
  assert.equal(closed?.breaker.state, "closed");
  assert.deepEqual(await store.report([result(a, { generation, failures: 9 })]), []);
  assert.equal((await admitOne(store, a)).allowed, true);
});

testStore("of 20 reports at once of a probe's generation, one decides", async (world) => {
  const isolates = Array.from({ length: 20 }, world.isolate);
  await isolates[0]!.report([result(a, { failures: 5 })]);
  world.clock.nowMs += 60_000;
  const { generation } = await admitOne(isolates[0]!, a);
  const changes = await Promise.all(
    isolates.map((store, i) =>
      store.report([result(a, { generation, failures: i % 2, successes: 1 - i % 2 })])
    ),
  );
  assert.equal(changes.flat().length, 1);
});

testStore("what is said of breakers at once from all sides is all counted", async (world) => {
  const isolates = Array.from({ length: 20 }, world.isolate);
  await Promise.all(isolates.map((store) => store.report([result(a, { successes: 7 })])));
  assert.equal((await isolates[0]!.list())[0]?.total_requests, 140);
});

testStore("a batch of 800 scopes is one request each for asking and telling", async (world) => {
  const scopes = Array.from({ length: 800 }, (_, i) => `sender:${i}`);
  const store = world.isolate();
  await store.admit([a]);
  await store.report([result(a, { successes: 1 })]);
  const before = world.rest.requests();
  const admissions = await store.admit(scopes);
  assert.equal(world.rest.requests() - before, 1);
  assert.equal([...admissions.values()].filter((it) => it.allowed).length, 800);
  const changes = await store.report(scopes.map((scope) => result(scope, { failures: 5 })));
  assert.equal(world.rest.requests() - before, 2);
  assert.deepEqual(changes.map((it) => it.scope), scopes);
});

testStore(
  "asking is one command inside whatever the batch, telling is one for each breaker and two",
  async (world) => {
    const { redis, isolate } = world;
    if (redis.kind === "in_process") return;
    const scopes = Array.from({ length: 50 }, (_, i) => `sender:${i}`);
    const store = isolate();
    const told = scopes.map((scope) => result(scope, { successes: 3 }));
    // The scripts are known from here on.
    await store.admit(scopes);
    await store.report(told);

    assert.deepEqual(await commandsOf(redis, () => store.admit(scopes)), { mget: 1 });
    assert.deepEqual(await commandsOf(redis, () => store.report(told)), {
      mget: 1,
      set: 50,
      zadd: 1,
    });
  },
);

testStore("a batch beyond 1,000 scopes is answered for each of them", async ({ isolate }) => {
  const scopes = Array.from({ length: 2_500 }, (_, i) => `sender:${i}`);
  const store = isolate();
  const changes = await store.report(scopes.map((scope) => result(scope, { failures: 5 })));
  assert.deepEqual(changes.map((it) => it.scope), scopes);
  const admissions = await store.admit(scopes);
  assert.deepEqual([...admissions.keys()], scopes);
  assert.ok([...admissions.values()].every((it) => !it.allowed));
});

testStore("a client shares its request with what else is asked in the same turn", async (world) => {
  const redis = world.rest.client();
  const now = () => world.clock.nowMs;
  const store = createBreakerStore({ redis, now, random: () => 0 });
  await store.admit([a]);
  const before = world.rest.requests();
  await Promise.all([store.admit([a]), redis.set("x", 1), redis.incr("y")]);
  assert.equal(world.rest.requests() - before, 1);
});

testOnBothRedis(
  "pauses are counted on the clock of Redis, whatever the isolate's says",
  async (redis) => {
    await using rest = serveRest(redis);
    const now = () => 12_345;
    const store = createBreakerStore({ redis: rest.client(), now, random: () => 0 });
    await store.report([result(a, { failures: 5 })]);
    const admission = await admitOne(store, a);
    assert.ok(!admission.allowed);
    const waitMs = admission.retryAtMs - now();
    assert.ok(waitMs > 30_000 && waitMs <= 60_000, `waits ${waitMs} ms`);
  },
);

testStore("state expires by itself, an hour after its pause", async ({ isolate, redis }) => {
  const store = isolate();
  await store.report([result(a, { failures: 5 }), result(b, { successes: 1 })]);
  const ttl = async (scope: string) => Number(await redis.command(["PTTL", keyOf(scope)]));
  const hourMs = 3_600_000;
  assert.ok(await ttl(a) > hourMs && await ttl(a) <= hourMs + 60_000);
  assert.ok(await ttl(b) > hourMs - 60_000 && await ttl(b) <= hourMs);
});

testStore("Redis that forgets everything leaves all breakers closed", async (world) => {
  const store = world.isolate();
  await store.report([result(a, { failures: 5 })]);
  await world.redis.command(["FLUSHALL"]);
  assert.deepEqual(await admitOne(store, a), {
    allowed: true,
    generation: 0,
    probe: false,
    decidedBy: "redis",
  });
});

testStore("what is no breaker in its place is read as a new one, and replaced", async (world) => {
  const store = world.isolate();
  for (const nonsense of ["hello", "0", "2 open 7", ""]) {
    await world.redis.command(["SET", keyOf(a), nonsense]);
    assert.equal((await admitOne(store, a)).allowed, true);
  }
  await store.report([result(a, { failures: 5 })]);
  assert.equal((await admitOne(store, a)).allowed, false);
});

testStore(
  "an operator isolates a breaker until resetting it",
  async ({ isolate, clock, redis }) => {
    const store = isolate();
    await store.report([result(a, { successes: 1 })]);
    assert.equal((await store.isolate(a)).state, "isolated");
    assert.equal(Number(await redis.command(["PTTL", keyOf(a)])), -1);
    clock.nowMs += 30 * 24 * 3_600_000;
    const held = await admitOne(isolate(), a);
    assert.ok(!held.allowed && held.reason === "isolated");
    assert.equal((await store.reset(a))?.state, "closed");
    assert.equal((await admitOne(isolate(), a)).allowed, true);
  },
);

testStore(
  "a reset closes an open breaker, and results under way no longer count",
  async (world) => {
    const store = world.isolate();
    await store.report([result(a, { failures: 5 })]);
    await store.reset(a);
    assert.equal((await admitOne(store, a)).allowed, true);
    assert.deepEqual(await store.report([result(a, { failures: 9 })]), []);
  },
);

testStore("there is nothing to reset where nobody was heard of", async ({ isolate }) => {
  assert.equal(await isolate().reset(a), null);
  assert.equal((await isolate().isolate(b)).scope, b);
});

testStore("the list tells each breaker's statistics, the troubled ones first", async (world) => {
  const store = world.isolate();
  assert.deepEqual(await store.list(), []);
  await store.report([
    result("app", { successes: 8, failures: 1, trailingFailures: 0 }),
    result(a, { successes: 1 }),
    result(b, { failures: 5 }),
  ]);
  const listed = await store.list();
  assert.deepEqual(listed.map(({ scope, state }) => [scope, state]), [
    [b, "open"],
    ["app", "closed"],
    [a, "closed"],
  ]);
  assert.deepEqual(listed[0], {
    scope: b,
    state: "open",
    cause: "failures_in_a_row",
    total_requests: 5,
    failures: 5,
    failure_rate: 100,
    consecutive_failures: 5,
    opened_count: 1,
    opened_at: new Date(startMs).toISOString(),
    next_probe_at: new Date(startMs + 60_000).toISOString(),
    generation: 1,
  });
});

testStore("the list is bounded, and what is troubled stays on it", async ({ isolate, clock }) => {
  const store = isolate();
  await store.report([result(b, { failures: 5 })]);
  clock.nowMs += 600_000;
  for (let part = 0; part < 3; part++) {
    const scopes = Array.from({ length: 500 }, (_, i) => `sender:${part}-${i}`);
    await store.report(scopes.map((scope) => result(scope, { successes: 1 })));
  }
  const listed = await store.list();
  assert.equal(listed.length, 1_000);
  assert.equal(listed[0]?.scope, b);
});

/** How often each command ran inside scripts; the clock of the test stands in for TIME. */
async function commandsOf(redis: Redis, work: () => Promise<unknown>) {
  await redis.command(["CONFIG", "RESETSTAT"]);
  await work();
  const lines = String(await redis.command(["INFO", "commandstats"])).split("\r\n");
  const counted = lines.flatMap((line) => {
    const [, name = "", calls] = /^cmdstat_([a-z]+):calls=(\d+)/.exec(line) ?? [];
    return calls === undefined || ["eval", "config"].includes(name) ? [] : [[name, Number(calls)]];
  });
  return Object.fromEntries(counted.sort());
}

function keyOf(scope: string): string {
  return `switchyard:breaker:${scope}`;
}
