import { strict as assert } from "node:assert";
import { Ratelimit } from "@upstash/ratelimit";
import { Redis as UpstashRedis } from "@upstash/redis";

import type { Redis } from "../../local/redis/redis.ts";
import { startRedis } from "../../local/redis/start.ts";
import { openInProcessRedis } from "../../local/redis/in_process.ts";
import { startUpstashRest } from "../../local/redis/upstash_rest.ts";

const token = "a-token";

interface Rest {
  url: string;
  client: UpstashRedis;
  post(path: string, body: unknown, headers?: HeadersInit): Promise<[number, unknown]>;
}

async function onInstalledRedis(use: (redis: Redis) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  const redis = await startRedis({ dir });
  try {
    await use(redis);
  } finally {
    await redis.stop();
    await Deno.remove(dir, { recursive: true });
  }
}

async function onInProcessRedis(use: (redis: Redis) => Promise<void>): Promise<void> {
  const redis = openInProcessRedis();
  try {
    await use(redis);
  } finally {
    await redis.stop();
  }
}

async function withRest(redis: Redis, use: (rest: Rest) => Promise<void>): Promise<void> {
  const server = await startUpstashRest({ redis, token, port: 0 });
  const client = new UpstashRedis({ url: server.url, token, retry: false, enableTelemetry: false });
  const post: Rest["post"] = async (path, body, headers = {}) => {
    const response = await fetch(`${server.url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    return [response.status, await response.json()];
  };
  try {
    await use({ url: server.url, client, post });
  } finally {
    await server.stop();
  }
}

/** One test on each kind of Redis, which must behave alike. */
function testBoth(title: string, test: (rest: Rest) => Promise<void>): void {
  Deno.test(`${title} (installed)`, () => onInstalledRedis((redis) => withRest(redis, test)));
  Deno.test(`${title} (in process)`, () => onInProcessRedis((redis) => withRest(redis, test)));
}

testBoth("@upstash/redis reads back what it wrote", async ({ client }) => {
  await client.set("object", { a: [1, "ä", null] }, { ex: 100 });
  assert.deepEqual(await client.get("object"), { a: [1, "ä", null] });
  assert.equal(await client.get("missing"), null);
  assert.equal(await client.incrby("count", 5), 5);
  assert.equal(await client.set("count", 1, { nx: true }), null);
  assert.ok(await client.ttl("object") > 90);
  await client.hset("hash", { one: 1, two: "2" });
  assert.deepEqual(await client.hgetall("hash"), { one: 1, two: 2 });
  assert.deepEqual(await client.hmget("hash", "one", "none"), { one: 1, none: null });
  await client.zadd("scores", { score: 2, member: "b" }, { score: 1, member: "a" });
  assert.deepEqual(await client.zrange("scores", 0, -1), ["a", "b"]);
  assert.equal(await client.del("object", "count", "nothing"), 2);
});

testBoth(
  "concurrent commands of one client share a pipeline and keep their answers",
  async ({ client }) => {
    const keys = Array.from({ length: 50 }, (_, i) => `key-${i}`);
    await Promise.all(keys.map((key, i) => client.set(key, i)));
    const values = await Promise.all(keys.map((key) => client.get(key)));
    assert.deepEqual(values, keys.map((_, i) => i));
  },
);

testBoth("a pipeline answers each command, errors included", async ({ post }) => {
  const [status, answer] = await post("/pipeline", [["SET", "k", "v"], ["NOSUCH"], ["GET", "k"]]);
  assert.equal(status, 200);
  assert.ok(Array.isArray(answer));
  assert.deepEqual(answer[0], { result: "OK" });
  assert.match(answer[1].error, /^ERR unknown command/);
  assert.deepEqual(answer[2], { result: "v" });
});

testBoth("multi-exec answers each command", async ({ post, client }) => {
  const commands = [["SET", "n", 1], ["INCR", "n"], ["GET", "n"]];
  assert.deepEqual(await post("/multi-exec", commands), [200, [
    { result: "OK" },
    { result: 2 },
    { result: "2" },
  ]]);
  assert.deepEqual(await client.multi().incr("n").get("n").exec(), [3, 3]);
});

testBoth("strings are base64 when asked for, everywhere but in OK", async ({ post }) => {
  const headers = { "upstash-encoding": "base64" };
  assert.deepEqual(await post("/", ["SET", "k", "ä"], headers), [200, { result: "OK" }]);
  assert.deepEqual(await post("/", ["GET", "k"], headers), [200, { result: "w6Q=" }]);
  const nested = await post("/", ["MGET", "k", "none"], headers);
  assert.deepEqual(nested, [200, { result: ["w6Q=", null] }]);
});

testBoth(
  "a command in the path takes the body and the query as further arguments",
  async ({ url, post }) => {
    assert.deepEqual(await post("/set/k%2F1?EX=100", "hello world"), [200, { result: "OK" }]);
    const read = await fetch(`${url}/get/k%2F1?_token=${token}`);
    assert.deepEqual(await read.json(), { result: "hello world" });
    const [, { result }] = await post("/ttl/k%2F1", "") as [number, { result: number }];
    assert.ok(result > 90);
  },
);

testBoth("a command that Redis refuses is a 400 with its message", async ({ post }) => {
  const [status, body] = await post("/", ["NOSUCH", "x"]);
  assert.equal(status, 400);
  assert.match((body as { error: string }).error, /^ERR unknown command/);
  assert.equal((await post("/", "not json"))[0], 400);
  assert.equal((await post("/", ["SUBSCRIBE", "x"]))[0], 400);
});

testBoth("a wrong token is a 401 and another method a 405", async ({ url, post }) => {
  assert.equal((await post("/", ["PING"], { authorization: "Bearer other" }))[0], 401);
  for (const [path, init] of [["/get/k", {}], ["/get/k?_token=other", {}]] as const) {
    const response = await fetch(url + path, init);
    assert.equal(response.status, 401);
    await response.body?.cancel();
  }
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${url}/get/k`, { method: "DELETE", headers });
  assert.equal(response.status, 405);
  await response.body?.cancel();
});

testBoth(
  "scripts see missing values as false and whole seconds that do not wrap",
  async ({ client }) => {
    await client.hset("h", { a: 1 });
    const script = `
    local h = redis.call("HMGET", KEYS[1], "a", "b")
    local time = redis.call("TIME")
    local ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
    local late = tonumber(ARGV[1]) + 1
    redis.call("HSET", KEYS[1], "at", late, "none", tostring(redis.call("GET", "missing")))
    return { h[1], h[2] == false, ms > 1600000000000, redis.call("HGET", KEYS[1], "at"), 2.9, { "x" } }`;
    const answer = await client.eval(script, ["h"], [1_795_322_718_516]);
    assert.deepEqual(answer, [1, 1, 1, 1_795_322_718_517, 2, ["x"]]);
    assert.equal(await client.hget("h", "none"), false);
    const lock = `return redis.call("set", KEYS[1], "x", "px", ARGV[1], "nx")`;
    assert.equal(await client.eval(lock, ["lock"], [60_000]), "OK");
    assert.equal(await client.eval(lock, ["lock"], [60_000]), null);
    assert.ok(await client.pttl("lock") > 50_000);
  },
);

testBoth(
  "a script's answer ends at its first nil and its errors keep their message",
  async ({ client }) => {
    assert.deepEqual(await client.eval("return {1, 2, nil, 4}", [], []), [1, 2]);
    assert.equal(await client.eval("return redis.status_reply('FINE')", [], []), "FINE");
    assert.equal(await client.eval("return nil", [], []), null);
    await assert.rejects(client.eval("return redis.error_reply('BAD news')", [], []), /BAD news/);
    await assert.rejects(client.eval("return redis.call('NOSUCH')", [], []));
    const caught = "local r = redis.pcall('NOSUCH') return type(r.err)";
    assert.equal(await client.eval(caught, [], []), "string");
  },
);

testBoth("EVALSHA answers to the hash of a script with Upstash's flags", async ({ client }) => {
  const script = "#!lua flags=allow-key-locking\nreturn ARGV[1]";
  const hash = await sha1(script);
  await assert.rejects(client.evalsha(hash, [], ["x"]), /NOSCRIPT/);
  assert.equal(await client.eval(script, [], ["x"]), "x");
  assert.equal(await client.evalsha(hash, [], ["y"]), "y");
  assert.equal(await client.scriptLoad(script), hash);
  assert.deepEqual(await client.scriptExists(hash), [1]);
});

testBoth(
  "@upstash/ratelimit counts in a sliding window, refuses and refunds",
  async ({ client }) => {
    const limiter = new Ratelimit({
      redis: client,
      limiter: Ratelimit.slidingWindow(3, "1000 s"),
      ephemeralCache: false,
      timeout: 0,
    });
    const seen = [];
    for (let i = 0; i < 4; i++) seen.push((await limiter.limit("tenant")).success);
    assert.deepEqual(seen, [true, true, true, false]);
    await limiter.limit("tenant", { rate: -2 });
    assert.equal((await limiter.limit("tenant")).success, true);
    assert.equal((await limiter.getRemaining("other")).remaining, 3);
  },
);

testBoth("@upstash/ratelimit takes from a bucket of tokens", async ({ client }) => {
  const limiter = new Ratelimit({
    redis: client,
    limiter: Ratelimit.tokenBucket(1, "1000 s", 2),
    ephemeralCache: false,
    timeout: 0,
  });
  const seen = [];
  for (let i = 0; i < 3; i++) seen.push((await limiter.limit("pair")).success);
  assert.deepEqual(seen, [true, true, false]);
});

Deno.test("without a Redis to answer, commands are refused with 503", async () => {
  const gone: Redis = {
    kind: "external",
    command: () => Promise.reject(new Error("Connection is closed.")),
    transaction: () => Promise.reject(new Error("Connection is closed.")),
    stop: () => Promise.resolve(),
  };
  await withRest(gone, async ({ post }) => {
    assert.equal((await post("/", ["GET", "k"]))[0], 503);
    assert.equal((await post("/pipeline", [["GET", "k"]]))[0], 503);
  });
});

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}
