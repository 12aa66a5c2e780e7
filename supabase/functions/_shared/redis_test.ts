import { strict as assert } from "node:assert";

import { openRedis } from "./redis.ts";

/** Takes connections and does with each as told; counts them. */
function listen(take: (connection: Deno.Conn) => void) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const taken: Deno.Conn[] = [];
  const ended = (async () => {
    for await (const connection of listener) {
      taken.push(connection);
      take(connection);
    }
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    taken,
    async [Symbol.asyncDispose]() {
      listener.close();
      await ended;
    },
  };
}

function aRedis(
  url: string,
  deadline: (ms: number) => AbortSignal = () => new AbortController().signal,
) {
  const config = { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: "token" };
  const redis = openRedis(config, { deadline, timeoutMs: 500 });
  assert.ok(redis !== null);
  return redis;
}

Deno.test("a call whose connection breaks is not made twice", async () => {
  await using server = listen((connection) => connection.close());
  await assert.rejects(aRedis(server.url).get("key"));
  assert.equal(server.taken.length, 1);
});

Deno.test("a call that is not answered in time throws and has no value", async () => {
  await using server = listen(() => {});
  const asked: number[] = [];
  const redis = aRedis(server.url, (ms) => {
    asked.push(ms);
    return AbortSignal.abort(new DOMException("too late", "TimeoutError"));
  });
  await assert.rejects(redis.get("key"), { name: "TimeoutError" });
  await assert.rejects(redis.get("key"), { name: "TimeoutError" });
  assert.deepEqual(asked, [500, 500]);
  for (const connection of server.taken) connection.close();
});

Deno.test("without an address there is no Redis", () => {
  const config = { UPSTASH_REDIS_REST_URL: undefined, UPSTASH_REDIS_REST_TOKEN: undefined };
  const deadline = () => new AbortController().signal;
  assert.equal(openRedis(config, { deadline, timeoutMs: 500 }), null);
});
