import { strict as assert } from "node:assert";

import { createLayeredCache } from "./layered_cache.ts";
import type { Place, SharedLayer, Source } from "./layered_cache.ts";

const LIMITS = {
  maxEntries: 1_000,
  ttlMs: 1_000,
  maxStaleMs: 5_000,
  minRereadMs: 100,
  maxBatch: 500,
};

type Stored = Record<string, { version: number; value: string } | { refused: "suspended" }>;

function aSource(stored: Stored) {
  const state = { stored, isDown: false };
  const calls: string[][] = [];
  let held: { asked: () => void; released: Promise<void> } | null = null;
  const source: Source<string, "suspended"> = {
    async read(keys) {
      calls.push(keys);
      const rows = new Map(Object.entries(state.stored));
      const { isDown } = state;
      held?.asked();
      await held?.released;
      if (isDown) throw new Error("connection refused");
      return rows;
    },
  };
  /** Has the next call read at once and answer when it is let go. */
  function holdAnswer() {
    const asked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    held = { asked: asked.resolve, released: released.promise };
    return { asked: asked.promise.then(() => held = null), letGo: () => released.resolve() };
  }
  return { source, state, calls, holdAnswer };
}

function aSharedLayer() {
  const kept = new Map<string, string>();
  const calls: Place[][] = [];
  const keyOf = ({ generation, key, version }: Place) => `${generation}:${key}:${version}`;
  const shared: SharedLayer<string> = {
    read(places) {
      calls.push([...places]);
      return Promise.resolve(places.map((place) => kept.get(keyOf(place))));
    },
    write: (entries) => entries.forEach((entry) => kept.set(keyOf(entry), entry.value)),
    remove: (place) => void kept.delete(keyOf(place)),
  };
  return { shared, kept, calls };
}

function setup(
  stored: Stored = { a: { version: 1, value: "A1" }, b: { version: 1, value: "B1" } },
  options: { shared?: SharedLayer<string>; limits?: Partial<typeof LIMITS> } = {},
) {
  const { source, state, calls, holdAnswer } = aSource(stored);
  const clock = { nowMs: 1_000_000 };
  const cache = createLayeredCache({
    shared: options.shared ?? null,
    source,
    limits: { ...LIMITS, ...options.limits },
    now: () => clock.nowMs,
  });
  const read = async (key: string, version = 1, generation = 1) => {
    const [answer] = await cache.read([{ key, version }], generation);
    return answer!;
  };
  return { cache, read, state, calls, holdAnswer, clock };
}

Deno.test("a value is read once and served from memory until its time is up", async () => {
  const { read, calls, clock } = setup();
  assert.deepEqual(await read("a"), { from: "source", value: "A1" });
  clock.nowMs += 999;
  assert.deepEqual(await read("a"), { from: "memory", value: "A1" });
  clock.nowMs += 1;
  assert.deepEqual(await read("a"), { from: "source", value: "A1" });
  assert.equal(calls.length, 2);
});

Deno.test("1,000 concurrent misses of one key are one read, and all are answered", async () => {
  const { read, calls } = setup();
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => read("a")));
  assert.deepEqual(calls, [["a"]]);
  assert.deepEqual(new Set(answers.map((it) => "value" in it && it.value)), new Set(["A1"]));
  assert.equal(answers.filter(({ from }) => from === "source").length, 1);
});

Deno.test("keys that miss at the same time share one call of each layer", async () => {
  const { shared, calls: sharedCalls } = aSharedLayer();
  const { cache, read, calls } = setup(undefined, { shared });
  const both = [{ key: "a", version: 1 }, { key: "b", version: 1 }, { key: "a", version: 1 }];
  const [claim] = await Promise.all([cache.read(both, 1), read("b"), read("c")]);
  assert.deepEqual(calls, [["a", "b", "c"]]);
  assert.equal(sharedCalls.length, 1);
  assert.deepEqual(claim.map(({ from }) => from), ["source", "source", "memory"]);
});

Deno.test("more keys than one call may carry go in several", async () => {
  const { cache, calls } = setup({}, { limits: { maxBatch: 2 } });
  await cache.read(["a", "b", "c"].map((key) => ({ key, version: 1 })), 1);
  assert.deepEqual(calls, [["a", "b"], ["c"]]);
});

Deno.test("100 callers of a failing load make one call and all of them are told", async () => {
  const { read, calls, state } = setup();
  state.isDown = true;
  const answers = await Promise.all(Array.from({ length: 100 }, () => read("a")));
  assert.equal(calls.length, 1);
  for (const answer of answers) {
    assert.deepEqual(answer, { from: "nowhere", reason: "unavailable" });
  }
  state.isDown = false;
  assert.deepEqual(await read("a"), { from: "source", value: "A1" });
});

Deno.test("what was read before an invalidation is not kept after it", async () => {
  const { cache, read, state, holdAnswer } = setup();
  const { asked, letGo } = holdAnswer();
  const slow = read("a");
  await asked;
  state.stored = { a: { version: 1, value: "replaced" } };
  cache.drop({ key: "a", version: 1 });
  letGo();
  assert.deepEqual(await slow, { from: "source", value: "A1" });
  assert.deepEqual(await read("a"), { from: "source", value: "replaced" });
});

Deno.test("what was read under an earlier generation is kept in no layer", async () => {
  const { shared, kept } = aSharedLayer();
  const { read, state, holdAnswer } = setup(undefined, { shared });
  const { asked, letGo } = holdAnswer();
  const slow = read("a");
  await asked;
  state.stored = { a: { version: 1, value: "replaced" } };
  assert.deepEqual(await read("a", 1, 2), { from: "source", value: "replaced" });
  letGo();
  assert.deepEqual(await slow, { from: "source", value: "A1" });
  assert.deepEqual(await read("a", 1, 2), { from: "memory", value: "replaced" });
  assert.deepEqual([...kept], [["2:a:1", "replaced"]]);
});

Deno.test("readers in flight get an answer and no error when their key is invalidated", async () => {
  const { cache, read, holdAnswer } = setup();
  const { asked, letGo } = holdAnswer();
  const reading = Promise.all([read("a"), read("a")]);
  await asked;
  cache.drop({ key: "a", version: 1 });
  letGo();
  assert.deepEqual((await reading).map((it) => "value" in it && it.value), ["A1", "A1"]);
});

Deno.test("a newer version does not wait for a load of the older one, nor is replaced by it", async () => {
  const { read, state, holdAnswer } = setup();
  const { asked, letGo } = holdAnswer();
  const older = read("a", 1);
  await asked;
  state.stored = { a: { version: 2, value: "A2" } };
  assert.deepEqual(await read("a", 2), { from: "source", value: "A2" });
  letGo();
  assert.deepEqual(await older, { from: "source", value: "A1" });
  assert.deepEqual(await read("a", 2), { from: "memory", value: "A2" });
});

Deno.test("a newer version than the one wanted will do, an older one will not", async () => {
  const { read, state, calls } = setup({ a: { version: 2, value: "A2" } });
  await read("a", 2);
  assert.deepEqual(await read("a", 1), { from: "memory", value: "A2" });
  assert.deepEqual(await read("a", 3), { from: "nowhere", reason: "unavailable" });
  state.stored = { a: { version: 3, value: "A3" } };
  assert.deepEqual(await read("a", 3), { from: "source", value: "A3" });
  assert.equal(calls.length, 3);
});

Deno.test("what the shared layer has is not asked of the source, and what the source says is shared", async () => {
  const { shared, kept } = aSharedLayer();
  const first = setup(undefined, { shared });
  await first.read("a");
  assert.deepEqual([...kept], [["1:a:1", "A1"]]);
  const second = setup(undefined, { shared });
  assert.deepEqual(await second.read("a"), { from: "shared", value: "A1" });
  assert.deepEqual(await second.read("a"), { from: "memory", value: "A1" });
  assert.deepEqual(second.calls, []);
});

Deno.test("what was dropped is asked of the source, whatever the shared layer holds", async () => {
  const { shared, kept } = aSharedLayer();
  kept.set("1:a:1", "refused");
  const { cache, read } = setup(undefined, { shared });
  assert.deepEqual(await read("a"), { from: "shared", value: "refused" });
  cache.drop({ key: "a", version: 1 });
  assert.deepEqual([...kept], []);
  kept.set("1:a:1", "written by a slow neighbour");
  assert.deepEqual(await read("a"), { from: "source", value: "A1" });
  assert.deepEqual([...kept], [["1:a:1", "A1"]]);
});

Deno.test("a value that the source gave a moment ago is not read again", async () => {
  const { cache, read, calls, clock } = setup();
  await read("a");
  clock.nowMs += 99;
  cache.drop({ key: "a", version: 1 });
  await read("a");
  assert.equal(calls.length, 1);
  clock.nowMs += 1;
  cache.drop({ key: "a", version: 1 });
  await read("a");
  assert.equal(calls.length, 2);
});

Deno.test("drops during the read that follows a drop ask for no further one", async () => {
  const { cache, read, calls, clock } = setup();
  await read("a");
  clock.nowMs += 500;
  const reading = Array.from({ length: 32 }, () => {
    cache.drop({ key: "a", version: 1 });
    return read("a");
  });
  await Promise.all(reading);
  assert.equal(calls.length, 2);
});

Deno.test("what does not exist and what nobody may have is kept in no layer", async () => {
  const { shared, kept } = aSharedLayer();
  const { cache, read, state } = setup({ b: { refused: "suspended" } }, { shared });
  assert.deepEqual(await read("a"), { from: "nowhere", reason: "not_found" });
  assert.deepEqual(await read("b"), { from: "nowhere", reason: "suspended" });
  assert.deepEqual([cache.size(), kept.size], [0, 0]);
  state.stored = { a: { version: 1, value: "A1" }, b: { version: 1, value: "B1" } };
  assert.deepEqual(await read("a"), { from: "source", value: "A1" });
  assert.deepEqual(await read("b"), { from: "source", value: "B1" });
});

Deno.test("what ceased to exist is not served as stale", async () => {
  const { read, state, clock } = setup();
  await read("a");
  clock.nowMs += 1_000;
  state.stored = {};
  assert.deepEqual(await read("a"), { from: "nowhere", reason: "not_found" });
  state.isDown = true;
  assert.deepEqual(await read("a"), { from: "nowhere", reason: "unavailable" });
});

Deno.test("an expired value serves while no layer can tell, and for so long only", async () => {
  const { read, state, clock } = setup();
  await read("a");
  state.isDown = true;
  clock.nowMs += 5_999;
  assert.deepEqual(await read("a"), { from: "stale", value: "A1" });
  assert.deepEqual(await read("a", 2), { from: "nowhere", reason: "unavailable" });
  clock.nowMs += 1;
  assert.deepEqual(await read("a"), { from: "nowhere", reason: "unavailable" });
});

Deno.test("an expired value does not serve while the shared layer can tell", async () => {
  const { shared, kept } = aSharedLayer();
  const { read, state, clock } = setup(undefined, { shared });
  await read("a");
  state.isDown = true;
  clock.nowMs += 1_000;
  kept.set("1:a:1", "fresh");
  assert.deepEqual(await read("a"), { from: "shared", value: "fresh" });
});

Deno.test("a dropped value never serves as stale", async () => {
  const { cache, read, state, clock } = setup();
  await read("a");
  clock.nowMs += 500;
  cache.drop({ key: "a", version: 1 });
  state.isDown = true;
  assert.deepEqual(await read("a"), { from: "nowhere", reason: "unavailable" });
});

Deno.test("the least recently used makes room", async () => {
  const stored = Object.fromEntries(
    ["a", "b", "c"].map((key) => [key, { version: 1, value: key }]),
  );
  const { cache, read } = setup(stored, { limits: { maxEntries: 2 } });
  for (const key of ["a", "b", "a", "c"]) await read(key);
  assert.equal(cache.size(), 2);
  assert.equal((await read("a")).from, "memory");
  assert.equal((await read("b")).from, "source");
});

Deno.test("a clock that was set back makes no value live longer", async () => {
  const { read, clock } = setup();
  await read("a");
  clock.nowMs -= 3_600_000;
  assert.deepEqual(await read("a"), { from: "source", value: "A1" });
});

Deno.test("an older generation forgets nothing", async () => {
  const { read, calls } = setup();
  await read("a", 1, 2);
  assert.equal((await read("a", 1, 1)).from, "memory");
  assert.equal((await read("a", 1, 3)).from, "source");
  assert.equal(calls.length, 2);
});

Deno.test("a shared layer that breaks its word fails who asked and nobody later", async () => {
  const { shared } = aSharedLayer();
  let isBroken = true;
  const broken = {
    ...shared,
    read: (places: readonly Place[]) =>
      isBroken ? Promise.reject(new Error("broken")) : shared.read(places),
  };
  const { read } = setup(undefined, { shared: broken });
  await assert.rejects(read("a"), /broken/);
  isBroken = false;
  assert.deepEqual(await read("a"), { from: "source", value: "A1" });
});
