import { strict as assert } from "node:assert";

import { createLog } from "../telemetry/log.ts";
import { createSharedTokens } from "./shared_tokens.ts";
import type { TokenCipher } from "./token_cipher.ts";
import type { TokenStore } from "./token_store.ts";

const place = { generation: 7, key: "sender-1", version: 3 };
const key = "switchyard:credential:7:sender-1:3";

/** Says what it is and where it belongs, so that a test can read it. */
const cipher: TokenCipher = {
  seal: (token, place) => Promise.resolve(`sealed(${token})@${place}`),
  open(envelope, place) {
    const [, token, at] = /^sealed\((.*)\)@(.*)$/.exec(envelope) ?? [];
    return Promise.resolve(at === place && token !== undefined ? token : null);
  },
};

function setup(entries: Record<string, string> = {}, seal = cipher.seal) {
  const kept = new Map(Object.entries(entries));
  const calls: string[] = [];
  const lifetimes: number[] = [];
  const work: Promise<unknown>[] = [];
  const lines: string[] = [];
  const clock = { nowMs: 1_000_000 };
  const redis = { isDown: false, isFull: false };
  function answer<Value>(name: string, value: () => Value): Promise<Value> {
    calls.push(name);
    return redis.isDown
      ? Promise.reject(new Error("timed out"))
      : Promise.resolve().then(() => value());
  }
  const store: TokenStore = {
    read: (keys) => answer("read", () => keys.map((it) => kept.get(it) ?? null)),
    write: (written, ttlSeconds) =>
      answer("write", () => {
        if (redis.isFull) throw new Error("OOM command not allowed");
        lifetimes.push(ttlSeconds);
        for (const { key, envelope } of written) kept.set(key, envelope);
      }),
    remove: (removed) => answer("remove", () => void kept.delete(removed)),
  };
  const shared = createSharedTokens({
    store,
    cipher: { ...cipher, seal },
    now: () => clock.nowMs,
    keepAlive: (it) => void work.push(it),
    log: createLog({ write: (line) => lines.push(line), now: () => 0, fields: {} }),
  });
  return { shared, kept, calls, lifetimes, work, lines, clock, redis };
}

Deno.test("a token is stored sealed, for an hour, under its generation, sender and version", async () => {
  const { shared, kept, lifetimes, work } = setup();
  shared.write([{ ...place, value: "token" }]);
  await Promise.all(work);
  assert.deepEqual([...kept], [[key, `sealed(token)@${key}`]]);
  assert.deepEqual(lifetimes, [3_600]);
  assert.deepEqual(await shared.read([place]), ["token"]);
  for (const other of [{ generation: 8 }, { key: "sender-2" }, { version: 4 }]) {
    assert.deepEqual(await shared.read([{ ...place, ...other }]), [undefined]);
  }
});

Deno.test("all senders of a claim are one round trip, and so are all that are stored", async () => {
  const { shared, calls, work } = setup({ [key]: `sealed(token)@${key}` });
  const absent = { ...place, key: "absent" };
  assert.deepEqual(await shared.read([absent, place]), [undefined, "token"]);
  shared.write([{ ...place, value: "a" }, { ...absent, value: "b" }]);
  await Promise.all(work);
  assert.deepEqual(calls, ["read", "write"]);
});

Deno.test("what does not open is not there, and is told once", async () => {
  const { shared, lines } = setup({ [key]: "sealed(token)@another:place" });
  assert.deepEqual(await shared.read([place]), [undefined]);
  assert.deepEqual(await shared.read([place]), [undefined]);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /credentials\.envelope_refused/);
  assert.doesNotMatch(lines[0]!, /sealed\(/);
});

Deno.test("Redis that does not answer holds nothing and is left alone for five seconds", async () => {
  const { shared, calls, clock, redis, lines } = setup({ [key]: `sealed(token)@${key}` });
  redis.isDown = true;
  assert.deepEqual(await shared.read([place]), [undefined]);
  clock.nowMs += 4_999;
  assert.deepEqual(await shared.read([place]), [undefined]);
  assert.deepEqual(calls, ["read"]);

  clock.nowMs += 1;
  redis.isDown = false;
  assert.deepEqual(await shared.read([place]), ["token"]);
  assert.deepEqual(lines.map((line) => JSON.parse(line).event), [
    "credentials.shared_cache_lost",
    "credentials.shared_cache_found",
  ]);
});

Deno.test("when the five seconds are over one caller tries and the others go on without", async () => {
  const { shared, calls, clock, redis } = setup();
  redis.isDown = true;
  await shared.read([place]);
  clock.nowMs += 5_000;
  await Promise.all([shared.read([place]), shared.read([place]), shared.read([place])]);
  assert.equal(calls.length, 2);
});

Deno.test("a full Redis that stores nothing is still read", async () => {
  const { shared, calls, work, redis } = setup({ [key]: `sealed(token)@${key}` });
  redis.isFull = true;
  for (let nth = 0; nth < 2; nth++) {
    shared.write([{ ...place, key: "other", value: "token" }]);
    await Promise.all(work);
    assert.deepEqual(await shared.read([place]), ["token"]);
  }
  assert.deepEqual(calls, ["write", "read", "read"]);
});

Deno.test("a token that cannot be sealed is not stored and fails nobody", async () => {
  const { shared, calls, work } = setup({}, () => Promise.reject(new Error("no such key")));
  shared.write([{ ...place, value: "token" }]);
  await Promise.all(work);
  assert.deepEqual(calls, []);
});

Deno.test("a removed token is gone", async () => {
  const { shared, kept, work } = setup({ [key]: `sealed(token)@${key}` });
  shared.remove(place);
  await Promise.all(work);
  assert.equal(kept.size, 0);
});

Deno.test("a clock that was set back does not keep Redis out of use", async () => {
  const { shared, calls, clock, redis } = setup();
  redis.isDown = true;
  await shared.read([place]);
  clock.nowMs -= 3_600_000;
  await shared.read([place]);
  assert.equal(calls.length, 2);
});
