import { Redis as UpstashRedis } from "@upstash/redis";

import type { Redis } from "../../local/redis/redis.ts";
import { startRedis } from "../../local/redis/start.ts";
import { openInProcessRedis } from "../../local/redis/in_process.ts";
import { createUpstashRest } from "../../local/redis/upstash_rest.ts";
import type { BreakerRedis } from "../../supabase/functions/_shared/resilience/breaker_store.ts";

/** One test on each kind of Redis, which must behave alike. */
export function testOnBothRedis(title: string, test: (redis: Redis) => Promise<void>): void {
  Deno.test(`${title} (installed)`, async () => {
    const dir = await Deno.makeTempDir();
    const redis = await startRedis({ dir });
    try {
      await test(redis);
    } finally {
      await redis.stop();
      await Deno.remove(dir, { recursive: true });
    }
  });
  Deno.test(`${title} (in process)`, async () => {
    const redis = openInProcessRedis();
    try {
      await test(redis);
    } finally {
      await redis.stop();
    }
  });
}

const TIME_CALL = "redis.call('TIME')";

/** The same Redis, except that TIME, also inside scripts, is the test's clock. */
export function withClock(redis: Redis, now: () => number): Redis {
  const time = () => [String(Math.floor(now() / 1_000)), String(Math.floor(now() % 1_000) * 1_000)];
  return {
    ...redis,
    command: (args) => {
      const [name = "", script = "", ...rest] = args;
      if (name.toUpperCase() === "TIME") return Promise.resolve(time());
      if (name.toUpperCase() !== "EVAL") return redis.command(args);
      if (!script.includes(TIME_CALL)) throw new Error("This script does not ask for the time");
      const [seconds, micros] = time();
      // The decimal point keeps the in-process Lua, whose whole numbers are short, from wrapping.
      const frozen = script.replaceAll(TIME_CALL, `{ '${seconds}.0', '${micros}' }`);
      return redis.command([name, frozen, ...rest]);
    },
  };
}

/** As much of the Upstash client as breakers use, without HTTP in between. */
export function directClient(redis: Redis): BreakerRedis {
  return {
    createScript: (script: string) => ({
      exec: (keys: string[], args: string[]) =>
        redis.command([
          ...["EVAL", script.replace(/^#!.*\n/, ""), String(keys.length)],
          ...keys,
          ...args,
        ]),
    }),
    zrange: (key: string, from: number, to: number) =>
      redis.command(["ZRANGE", key, String(from), String(to)]),
    mget: (keys: string[]) => redis.command(["MGET", ...keys]),
    time: () => redis.command(["TIME"]),
  } as unknown as BreakerRedis;
}

/** A Redis behind the REST API that the Upstash client speaks, which can go away and come back. */
export interface RestRedis extends AsyncDisposable {
  /** A client such as one isolate has. */
  client(): UpstashRedis;
  requests(): number;
  /** From here on this Redis answers, or with null none does. */
  use(redis: Redis | null): void;
}

/** Serves it on a free port; for `await using`, which ends it. */
export function serveRest(redis: Redis): RestRedis {
  const token = "a-token";
  let current: Redis | null = redis;
  let requests = 0;
  const reach = () => {
    if (current === null) throw new Error("Redis is gone");
    return current;
  };
  const answer = createUpstashRest({
    kind: redis.kind,
    command: async (args) => await reach().command(args),
    transaction: async (commands) => await reach().transaction(commands),
    stop: () => Promise.resolve(),
  }, token);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    requests += 1;
    return answer(request);
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  return {
    client: () => new UpstashRedis({ url, token, retry: { retries: 0 }, enableTelemetry: false }),
    requests: () => requests,
    use: (next) => current = next,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
