import { strict as assert } from "node:assert";

import type { Place, SharedLayer } from "../resilience/layered_cache.ts";
import { createCredentials } from "./credentials.ts";
import type { SenderVersion } from "./credentials.ts";

function aSender(overrides: Partial<SenderVersion> = {}): SenderVersion {
  return { senderId: "s1", phoneNumberId: "111", credentialVersion: 1, ...overrides };
}

/** A row as the database has it: a token, or null where the tenant is suspended. */
type Rows = Record<string, { version: number; token: string | null }>;

const ROWS: Rows = { s1: { version: 1, token: "token-1" }, s2: { version: 1, token: "token-2" } };

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
  rows: Rows = ROWS,
  options: {
    shared?: SharedLayer<string>;
    memory?: { maxEntries: number; ttlMs: number };
  } = {},
) {
  const calls: string[][] = [];
  const clock = { nowMs: 1_000_000 };
  const database = { rows, isDown: false };
  const credentials = createCredentials({
    shared: options.shared ?? null,
    stored: {
      read(senderIds) {
        calls.push(senderIds);
        if (database.isDown) return Promise.reject(new Error("connection refused"));
        const found = Object.entries(database.rows).map(([id, { version, token }]) =>
          [
            id,
            token === null ? { refused: "suspended" as const } : { version, value: token },
          ] as const
        );
        return Promise.resolve(new Map(found));
      },
    },
    fallback: { phoneNumberId: "999", accessToken: "from-the-environment" },
    now: () => clock.nowMs,
    memory: options.memory ?? { maxEntries: 1_000, ttlMs: 15 * 60_000 },
  });
  const find = async (sender = aSender(), generation = 1) => {
    const [found] = await credentials.find([sender], generation);
    return found!;
  };
  return { credentials, find, calls, clock, database };
}

Deno.test("a token is read once and then served from memory for 15 minutes", async () => {
  const { find, calls, clock } = setup();
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await find(), { found: true, accessToken: "token-1" });
  }
  clock.nowMs += 15 * 60_000 - 1;
  await find();
  assert.equal(calls.length, 1);
  clock.nowMs += 1;
  await find();
  assert.equal(calls.length, 2);
});

Deno.test("memory holds 1,000 tokens, and the least recently used makes room", async () => {
  const ids = Array.from({ length: 1_001 }, (_, nth) => `s${nth}`);
  const rows = Object.fromEntries(ids.map((id) => [id, { version: 1, token: id }]));
  const { credentials, calls } = setup(rows);
  await credentials.find(ids.map((senderId) => aSender({ senderId })), 1);
  assert.equal(credentials.statistics().size, 1_000);
  const before = calls.length;
  await credentials.find([aSender({ senderId: "s1000" }), aSender({ senderId: "s0" })], 1);
  assert.deepEqual(calls.slice(before), [["s0"]]);
});

Deno.test("size and time of the memory are configurable", async () => {
  const { credentials, find, calls, clock } = setup(ROWS, {
    memory: { maxEntries: 1, ttlMs: 1_000 },
  });
  await find();
  clock.nowMs += 1_000;
  await find();
  await find(aSender({ senderId: "s2" }));
  assert.equal(calls.length, 3);
  assert.equal(credentials.statistics().size, 1);
});

Deno.test("memory is asked before Redis, Redis before the database", async () => {
  const { shared, kept, calls: sharedCalls } = aSharedLayer();
  kept.set("1:s1:1", "from-redis");
  const { find, calls } = setup(ROWS, { shared });
  assert.deepEqual(await find(), { found: true, accessToken: "from-redis" });
  assert.deepEqual(await find(), { found: true, accessToken: "from-redis" });
  assert.equal(sharedCalls.length, 1);
  assert.deepEqual(calls, []);
  assert.deepEqual(await find(aSender({ senderId: "s2" })), {
    found: true,
    accessToken: "token-2",
  });
  assert.equal(kept.get("1:s2:1"), "token-2");
});

Deno.test("all senders of a claim that are missing are one call of Redis and one of the database", async () => {
  const { shared, calls: sharedCalls } = aSharedLayer();
  const { credentials, calls } = setup(ROWS, { shared });
  const found = await credentials.find([aSender(), aSender({ senderId: "s2" }), aSender()], 1);
  assert.deepEqual(calls, [["s1", "s2"]]);
  assert.equal(sharedCalls.length, 1);
  assert.deepEqual(found.map((it) => it.found && it.accessToken), [
    "token-1",
    "token-2",
    "token-1",
  ]);
});

Deno.test("a rotated token is used at the next claim, whatever the caches hold", async () => {
  const { shared } = aSharedLayer();
  const { find, database } = setup(ROWS, { shared });
  await find();
  database.rows = { s1: { version: 2, token: "rotated" } };
  assert.deepEqual(await find(aSender({ credentialVersion: 2 })), {
    found: true,
    accessToken: "rotated",
  });
});

Deno.test("a claim made before a rotation uses the rotated token once it is known", async () => {
  const { find } = setup({ s1: { version: 2, token: "rotated" } });
  assert.deepEqual(await find(aSender({ credentialVersion: 1 })), {
    found: true,
    accessToken: "rotated",
  });
});

const nowhere: [label: string, rows: Rows, reason: string][] = [
  ["404: a credential that is not there", {}, "not_found"],
  ["403: a suspended one", { s1: { version: 1, token: null } }, "suspended"],
];
for (const [label, rows, reason] of nowhere) {
  Deno.test(`${label} is cached nowhere`, async () => {
    const { shared, kept } = aSharedLayer();
    const { credentials, find, database } = setup(rows, { shared });
    assert.deepEqual(await find(), { found: false, reason });
    assert.deepEqual([kept.size, credentials.statistics().size], [0, 0]);
    database.rows = ROWS;
    assert.deepEqual(await find(), { found: true, accessToken: "token-1" });
  });
}

Deno.test("without the database the environment answers for its own number and for no other", async () => {
  const { credentials, database } = setup();
  database.isDown = true;
  const found = await credentials.find([aSender(), aSender({ phoneNumberId: "999" })], 1);
  assert.deepEqual(found, [
    { found: false, reason: "unavailable" },
    { found: true, accessToken: "from-the-environment" },
  ]);
});

Deno.test("the environment answers for its number when the database has no credential for it", async () => {
  const { find } = setup({});
  assert.deepEqual(await find(aSender({ phoneNumberId: "999" })), {
    found: true,
    accessToken: "from-the-environment",
  });
});

Deno.test("the environment does not answer while the database does, nor for a suspended tenant", async () => {
  const { find, database } = setup();
  const sender = aSender({ phoneNumberId: "999" });
  assert.deepEqual(await find(sender), { found: true, accessToken: "token-1" });
  database.rows = { s1: { version: 2, token: null } };
  assert.deepEqual(await find({ ...sender, credentialVersion: 2 }), {
    found: false,
    reason: "suspended",
  });
});

Deno.test("an expired token serves for an hour while neither Redis nor the database can tell", async () => {
  const { find, clock, database } = setup();
  await find();
  database.isDown = true;
  clock.nowMs += 75 * 60_000 - 1;
  assert.deepEqual(await find(), { found: true, accessToken: "token-1" });
  clock.nowMs += 1;
  assert.deepEqual(await find(), { found: false, reason: "unavailable" });
});

Deno.test("clear: a newer cache generation puts everything out of reach, Redis included", async () => {
  const { shared } = aSharedLayer();
  const { find, calls } = setup(ROWS, { shared });
  await find(aSender(), 1);
  await find(aSender(), 2);
  assert.equal(calls.length, 2);
  await find(aSender(), 1);
  assert.equal(calls.length, 2);
});

Deno.test("invalidate: another version puts one sender's token out of reach, Redis included", async () => {
  const { shared } = aSharedLayer();
  const { find, calls, database } = setup(ROWS, { shared });
  await find();
  await find(aSender({ senderId: "s2" }));
  database.rows = { ...ROWS, s1: { version: 2, token: "token-1" } };
  await find(aSender({ credentialVersion: 2 }));
  await find(aSender({ senderId: "s2" }));
  assert.deepEqual(calls, [["s1"], ["s2"], ["s1"]]);
});

Deno.test("401 and 190: a forgotten token is read from the database, past Redis", async () => {
  const { shared, kept } = aSharedLayer();
  kept.set("1:s1:1", "refused");
  const { credentials, find, calls } = setup(ROWS, { shared });
  assert.deepEqual(await find(), { found: true, accessToken: "refused" });
  credentials.forget(aSender());
  assert.deepEqual(await find(), { found: true, accessToken: "token-1" });
  assert.deepEqual(calls, [["s1"]]);
  assert.equal(kept.get("1:s1:1"), "token-1");
});

Deno.test("200 refusals of one token are one read", async () => {
  const { credentials, find, calls, clock } = setup();
  await find();
  clock.nowMs += 1_000;
  await Promise.all(Array.from({ length: 200 }, async () => {
    credentials.forget(aSender());
    await find();
  }));
  assert.equal(calls.length, 2);
});

Deno.test("preloaded tokens are found in memory, and preloading is no request", async () => {
  const { credentials, find, calls } = setup();
  await credentials.preload([aSender(), aSender({ senderId: "s2" })], 1);
  await find();
  await find(aSender({ senderId: "s2" }));
  assert.deepEqual(calls, [["s1", "s2"]]);
  const { total_requests, l1_hits } = credentials.statistics();
  assert.deepEqual([total_requests, l1_hits], [2, 2]);
});

Deno.test("preloading without a database fails nobody", async () => {
  const { credentials, database } = setup();
  database.isDown = true;
  await credentials.preload([aSender()], 1);
  assert.equal(credentials.statistics().size, 0);
});

Deno.test("preloading does not push out what it has just loaded", async () => {
  const { credentials } = setup(ROWS, { memory: { maxEntries: 1, ttlMs: 1_000 } });
  await credentials.preload([aSender(), aSender({ senderId: "s2" })], 1);
  const [found] = await credentials.find([aSender()], 1);
  assert.ok(found?.found);
  assert.equal(credentials.statistics().l1_hits, 1);
});

Deno.test("statistics count every request once, by the layer that answered", async () => {
  const { shared, kept } = aSharedLayer();
  kept.set("1:s5:1", "from-redis");
  const { credentials, find, clock, database } = setup(ROWS, { shared });
  await credentials.find([aSender(), aSender()], 1);
  await find();
  await find(aSender({ senderId: "s5" }));
  kept.clear();
  database.isDown = true;
  clock.nowMs += 15 * 60_000;
  await find();
  await find(aSender({ senderId: "s3" }));
  await find(aSender({ senderId: "s4", phoneNumberId: "999" }));
  assert.deepEqual(credentials.statistics(), {
    total_requests: 7,
    cache_hits: 4,
    l1_hits: 2,
    l2_hits: 1,
    stale_hits: 1,
    db_hits: 1,
    fallback_hits: 1,
    failures: 1,
    size: 2,
  });
});
