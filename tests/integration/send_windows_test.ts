/** The limits at send time behave alike wherever they are kept. */
import { strict as assert } from "node:assert";

import type { ScriptRedis } from "../../supabase/functions/_shared/pacing/redis_windows.ts";
import type {
  Admission,
  SendRequest,
} from "../../supabase/functions/_shared/pacing/send_request.ts";
import { createSendWindows } from "../../supabase/functions/_shared/pacing/send_windows.ts";
import { testOnBothRedis } from "../support/breaker_redis.ts";
import { redisAt } from "../support/redis_at.ts";

const START_MS = 1_800_000_000_000;

interface Setup {
  clock: { nowMs: number };
  admit(requests: SendRequest[]): Promise<Admission[]>;
  /** How many of so many alike are admitted. */
  admitted(count: number, overrides?: Partial<SendRequest>): Promise<number>;
}

let recipients = 0;

function many(count: number, overrides: Partial<SendRequest> = {}): SendRequest[] {
  return Array.from({ length: count }, () => ({
    tenantId: "a",
    senderId: "s",
    recipient: `+1555${recipients += 1}`,
    lane: "normal",
    deferrals: 0,
    tenantLimit: { messages: 80, windowMs: 60_000 },
    senderPerSecond: 1_000,
    ...overrides,
  }));
}

function setup(redisOf: ((now: () => number) => ScriptRedis) | null): Setup {
  const clock = { nowMs: START_MS };
  const now = () => clock.nowMs;
  const log = {
    info: (event: string) => assert.fail(event),
    warn: (event: string, fields: unknown) => assert.fail(`${event} ${JSON.stringify(fields)}`),
  };
  const sleep = () => new Promise<void>(() => {});
  const { admit } = createSendWindows({ redis: redisOf?.(now) ?? null, now, sleep, log });
  const admitted: Setup["admitted"] = async (count, overrides) =>
    (await admit(many(count, overrides))).filter((admission) => admission.admitted).length;
  return { clock, admit, admitted };
}

/** One test in memory and on each kind of Redis. */
function testAll(title: string, test: (setup: Setup) => Promise<void>): void {
  Deno.test(`${title} (in memory)`, () => test(setup(null)));
  testOnBothRedis(title, (redis) => test(setup((now) => redisAt(redis, now))));
}

testAll(
  "a tenant's limit goes at once, the rest is given moments and passes at them",
  async ({ admit, admitted, clock }) => {
    assert.equal(await admitted(80), 80);
    const [first, second] = await admit(many(2));
    assert.deepEqual(first, { admitted: false, atMs: START_MS + 60_600, by: "tenant" });
    assert.deepEqual(second, { admitted: false, atMs: START_MS + 61_358, by: "tenant" });
    clock.nowMs = START_MS + 60_600;
    assert.deepEqual(await admit(many(1, { deferrals: 1 })), [{ admitted: true }]);
    assert.equal(await admitted(1), 0);
  },
);

testAll("tenants in one claim have each their own limit", async ({ admit }) => {
  const tenants = Array.from({ length: 60 }, (_, i) => `tenant-${i}`);
  const requests = tenants.flatMap((tenantId) =>
    many(4, { tenantId, senderId: tenantId, tenantLimit: { messages: 3, windowMs: 60_000 } })
  );
  const admissions = await admit(requests);
  const refused = admissions.flatMap(({ admitted }, i) => admitted ? [] : [i]);
  assert.deepEqual(refused, tenants.map((_, i) => 4 * i + 3));
});

testAll(
  "urgent messages have a fifth of a tenant's limit beyond it, and the whole of it alone",
  async ({ admitted }) => {
    assert.equal(await admitted(100), 80);
    assert.equal(await admitted(100, { lane: "urgent" }), 16);
    const other = { tenantId: "b", senderId: "t", lane: "urgent" } as const;
    assert.equal(await admitted(100, other), 80);
  },
);

testAll(
  "a sender's second holds no more than its throughput, and another sender is not held up",
  async ({ admit, admitted, clock }) => {
    const slow = { senderPerSecond: 20, tenantLimit: { messages: 1_000, windowMs: 1_000 } };
    assert.equal(await admitted(30, slow), 18);
    const urgent = await admit(many(3, { ...slow, lane: "urgent" }));
    const refused = { admitted: false, atMs: clock.nowMs + 1_050, by: "sender" };
    assert.deepEqual(urgent, [{ admitted: true }, { admitted: true }, refused]);
    assert.equal(await admitted(30, { ...slow, senderId: "t" }), 18);
  },
);

testAll("a recipient's pair has bursts of 45, and pays them back", async ({ admit, clock }) => {
  const busy = { recipient: "+15559999" };
  const admissions = await admit(many(50, busy));
  assert.equal(admissions.filter(({ admitted }) => admitted).length, 45);
  const paidBack = { admitted: false, atMs: START_MS + 270_000, by: "pair" };
  assert.deepEqual(admissions.at(-1), paidBack);
  assert.deepEqual(await admit(many(1)), [{ admitted: true }]);
  clock.nowMs += 269_999;
  assert.deepEqual(await admit(many(1, { ...busy, deferrals: 1 })), [paidBack]);
  clock.nowMs += 1;
  assert.deepEqual(await admit(many(1, { ...busy, deferrals: 2 })), [{ admitted: true }]);
});

testAll("a limit that is changed is in force at the next claim", async ({ admitted }) => {
  assert.equal(await admitted(20, { tenantLimit: { messages: 10, windowMs: 60_000 } }), 10);
  const raised = { tenantLimit: { messages: 30, windowMs: 60_000 }, deferrals: 2 };
  assert.equal(await admitted(40, raised), 20);
  const lowered = { tenantLimit: { messages: 29, windowMs: 60_000 }, deferrals: 2 };
  assert.equal(await admitted(40, lowered), 0);
});

testAll("a clock that jumps back delays nothing by more than the window", async (setup) => {
  const { admit, admitted, clock } = setup;
  assert.equal(await admitted(80), 80);
  clock.nowMs -= 3_600_000;
  const refused = { admitted: false, atMs: clock.nowMs + 60_600, by: "tenant" };
  assert.deepEqual(await admit(many(1)), [refused]);
  clock.nowMs += 60_000;
  assert.equal(await admitted(80, { deferrals: 2 }), 80);
});
