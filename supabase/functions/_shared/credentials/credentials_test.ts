import { strict as assert } from "node:assert";

import { createCredentials } from "./credentials.ts";
import type { SenderVersion } from "./credentials.ts";

function aSender(overrides: Partial<SenderVersion> = {}): SenderVersion {
  return { senderId: "s1", phoneNumberId: "111", credentialVersion: 1, ...overrides };
}

function setup(stored: Record<string, string> | Error = { s1: "token-1", s2: "token-2" }) {
  const calls: string[][] = [];
  const clock = { nowMs: 1_000_000 };
  const state = { stored };
  const credentials = createCredentials({
    read: (senderIds) => {
      calls.push(senderIds);
      if (state.stored instanceof Error) return Promise.reject(state.stored);
      return Promise.resolve(new Map(Object.entries(state.stored)));
    },
    fallback: { phoneNumberId: "999", accessToken: "from-the-environment" },
    now: () => clock.nowMs,
  });
  return { credentials, calls, clock, state };
}

Deno.test("a token is read once and then served from memory for 15 minutes", async () => {
  const { credentials, calls, clock } = setup();
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await credentials.find([aSender()], 1), [{
      found: true,
      accessToken: "token-1",
    }]);
  }
  assert.equal(calls.length, 1);
  clock.nowMs += 15 * 60_000 + 1;
  await credentials.find([aSender()], 1);
  assert.equal(calls.length, 2);
});

Deno.test("all senders of a claim that are missing are read in one call", async () => {
  const { credentials, calls } = setup();
  const found = await credentials.find([aSender(), aSender({ senderId: "s2" }), aSender()], 1);
  assert.deepEqual(calls, [["s1", "s2"]]);
  assert.deepEqual(found.map((it) => it.found && it.accessToken), [
    "token-1",
    "token-2",
    "token-1",
  ]);
});

Deno.test("another version is never served from the cache of the one before", async () => {
  const { credentials, state } = setup();
  await credentials.find([aSender()], 1);
  state.stored = { s1: "rotated" };
  const [found] = await credentials.find([aSender({ credentialVersion: 2 })], 1);
  assert.deepEqual(found, { found: true, accessToken: "rotated" });
});

Deno.test("a credential that is not there is not remembered as missing", async () => {
  const { credentials, state } = setup({});
  assert.deepEqual(await credentials.find([aSender()], 1), [{ found: false, reason: "not_found" }]);
  state.stored = { s1: "added" };
  assert.deepEqual(await credentials.find([aSender()], 1), [{ found: true, accessToken: "added" }]);
});

Deno.test("without the database the environment answers for its own number and for no other", async () => {
  const { credentials } = setup(new Error("connection refused"));
  const found = await credentials.find([aSender(), aSender({ phoneNumberId: "999" })], 1);
  assert.deepEqual(found, [
    { found: false, reason: "unavailable" },
    { found: true, accessToken: "from-the-environment" },
  ]);
});

Deno.test("a newer cache generation drops everything, an older one nothing", async () => {
  const { credentials, calls } = setup();
  await credentials.find([aSender()], 1);
  await credentials.find([aSender()], 2);
  assert.equal(calls.length, 2);
  await credentials.find([aSender()], 1);
  assert.equal(calls.length, 2);
});

Deno.test("a forgotten token is read again", async () => {
  const { credentials, calls } = setup();
  await credentials.find([aSender()], 1);
  credentials.forget(aSender());
  await credentials.find([aSender()], 1);
  assert.equal(calls.length, 2);
});

Deno.test("statistics count every request and where its answer came from", async () => {
  const { credentials, state } = setup();
  await credentials.find([aSender()], 1);
  await credentials.find([aSender()], 1);
  state.stored = new Error("down");
  await credentials.find([
    aSender({ senderId: "s3" }),
    aSender({ senderId: "s4", phoneNumberId: "999" }),
  ], 1);
  assert.deepEqual(credentials.statistics(), {
    total_requests: 4,
    cache_hits: 1,
    db_hits: 1,
    fallback_hits: 1,
    failures: 1,
    size: 1,
  });
});
