/** The limits at send time over the client that the functions use, and what becomes of them without. */
import { strict as assert } from "node:assert";
import { Redis as Client } from "@upstash/redis";

import type { Redis } from "../../local/redis/redis.ts";
import { startRedis } from "../../local/redis/start.ts";
import { startUpstashRest } from "../../local/redis/upstash_rest.ts";
import type { SendRequest } from "../../supabase/functions/_shared/pacing/send_request.ts";
import { createSendWindows } from "../../supabase/functions/_shared/pacing/send_windows.ts";
import { runtime } from "../../supabase/functions/_shared/runtime.ts";
import { testOnBothRedis } from "../support/breaker_redis.ts";

const token = "a-token";

interface Place {
  redis: Redis;
  url: string;
  /** The commands that came over HTTP. */
  commands: string[];
}

async function withRest(redis: Redis, use: (place: Place) => Promise<void>): Promise<void> {
  const commands: string[] = [];
  const command = (args: string[]) => {
    commands.push(args[0]!.toLowerCase());
    return redis.command(args);
  };
  const rest = await startUpstashRest({ redis: { ...redis, command }, token, port: 0 });
  try {
    await use({ redis, url: rest.url, commands });
  } finally {
    await rest.stop();
  }
}

function testBoth(title: string, test: (place: Place) => Promise<void>): void {
  testOnBothRedis(title, (redis) => withRest(redis, test));
}

/** For what the Redis in process lacks; without an installed one there is nothing to test. */
function testServer(title: string, test: (place: Place) => Promise<void>): void {
  Deno.test(title, async () => {
    const dir = await Deno.makeTempDir();
    const redis = await startRedis({ dir });
    try {
      if (redis.kind !== "in_process") await withRest(redis, test);
    } finally {
      await redis.stop();
      await Deno.remove(dir, { recursive: true });
    }
  });
}

/** One isolate; its clock may be ahead. */
function isolate(url: string) {
  const clock = { aheadMs: 0 };
  const logged: string[] = [];
  const windows = createSendWindows({
    redis: new Client({
      url,
      token,
      retry: false,
      enableTelemetry: false,
      signal: () => runtime.deadline(1_000),
    }),
    now: () => runtime.now() + clock.aheadMs,
    sleep: runtime.sleep,
    log: { info: (event) => logged.push(event), warn: (event) => logged.push(event) },
  });
  const admitted = async (requests: SendRequest[]) =>
    (await windows.admit(requests)).filter((admission) => admission.admitted).length;
  return { clock, logged, admitted };
}

let recipients = 0;

function many(count: number): SendRequest[] {
  return Array.from({ length: count }, () => ({
    tenantId: "a",
    senderId: "s",
    recipient: `+1555${recipients += 1}`,
    lane: "normal",
    deferrals: 0,
    tenantLimit: { messages: 80, windowMs: 60_000 },
    senderPerSecond: 1_000,
  }));
}

testBoth("a claim is one command once the script is known", async ({ url, commands }) => {
  const { admitted, logged } = isolate(url);
  await admitted(many(10));
  const before = commands.length;
  assert.equal(await admitted(many(50)), 50);
  assert.equal(commands.length, before + 1);
  assert.deepEqual(logged, []);
});

testBoth("everything that is kept expires", async ({ url, redis }) => {
  await isolate(url).admitted(many(100));
  const keys = await redis.command(["KEYS", "*"]) as string[];
  assert.equal(keys.length, 82);
  for (const key of keys) {
    const leftMs = Number(await redis.command(["PTTL", key]));
    assert.ok(leftMs > 0 && leftMs <= 150_000, `${key} lives for ${leftMs} ms`);
  }
});

testBoth("isolates that claim at the same time stay within the limit together", async ({ url }) => {
  const isolates = Array.from({ length: 4 }, () => isolate(url));
  const claims = Array.from({ length: 20 }, (_, i) => isolates[i % 4]!.admitted(many(10)));
  const admitted = await Promise.all(claims);
  assert.equal(admitted.reduce((sum, count) => sum + count, 0), 80);
});

testServer("a claim reads each key once and writes each once", async ({ url, redis }) => {
  const { admitted } = isolate(url);
  await admitted(many(1));
  await redis.command(["CONFIG", "RESETSTAT"]);
  await admitted(many(50));
  const told = String(await redis.command(["INFO", "commandstats"]));
  const calls = Object.fromEntries(
    [...told.matchAll(/cmdstat_(\w+):calls=(\d+)/g)].map(([, name, count]) => [name, count]),
  );
  assert.deepEqual([calls.time, calls.mget, calls.set], ["1", "1", "52"]);
});

testServer(
  "a Redis that is full is done without, and used again when it has room",
  async ({ url, redis }) => {
    const { admitted, clock, logged } = isolate(url);
    await redis.command(["CONFIG", "SET", "maxmemory", "1"]);
    assert.equal(await admitted(many(80)), 20);
    await redis.command(["CONFIG", "SET", "maxmemory", "0"]);
    clock.aheadMs = 5_000;
    assert.equal(await admitted(many(80)), 60);
    assert.deepEqual(logged, ["windows.kept_local", "windows.shared_again"]);
  },
);

Deno.test("a Redis that refuses connections is done without", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  const { admitted, logged } = isolate(url);
  assert.equal(await admitted(many(80)), 20);
  assert.deepEqual(logged, ["windows.kept_local"]);
});

Deno.test("a Redis that never answers costs a claim about a second, once", async () => {
  const released = Promise.withResolvers<Response>();
  const listen = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(listen, () => released.promise);
  const { admitted, logged } = isolate(`http://127.0.0.1:${server.addr.port}`);
  const startedAt = performance.now();
  assert.equal(await admitted(many(80)), 20);
  assert.equal(await admitted(many(80)), 0);
  assert.ok(performance.now() - startedAt < 1_500);
  assert.deepEqual(logged, ["windows.kept_local"]);
  released.resolve(new Response());
  await server.shutdown();
});

testBoth("a Redis that refuses the token is done without", async ({ url }) => {
  const windows = createSendWindows({
    redis: new Client({ url, token: "another", retry: false, enableTelemetry: false }),
    now: runtime.now,
    sleep: runtime.sleep,
    log: { info: () => {}, warn: () => {} },
  });
  const admissions = await windows.admit(many(80));
  assert.equal(admissions.filter(({ admitted }) => admitted).length, 20);
});
