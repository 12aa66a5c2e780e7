import { strict as assert } from "node:assert";

import type { ClaimedMessage } from "../_shared/queue/outbound.ts";
import type { SendOutcome } from "../_shared/whatsapp/send_outcome.ts";
import { drain } from "./drain.ts";
import { ACCEPTED, aMessage, aRefusal, createTestDrain, goOn, LIMITS } from "./test_drain.ts";

Deno.test("a drain sends all that is due, each once, and tells what came of it", async () => {
  const { deps, settlements } = createTestDrain([1, 2, 3].map(aMessage));
  const report = await drain(deps, { ...LIMITS, fullBatch: 2 }, goOn);
  assert.deepEqual(report, {
    claimed: 3,
    sent: 3,
    deferred: 0,
    retried: 0,
    unknown: 0,
    dead: 0,
    duration_ms: 0,
  });
  assert.deepEqual(settlements.map(({ id }) => id).sort(), ["m1", "m2", "m3"]);
});

Deno.test("a drain never has more calls under way than its bound", async () => {
  let under = 0;
  let most = 0;
  const send = async () => {
    most = Math.max(most, ++under);
    await Promise.resolve();
    under -= 1;
    return ACCEPTED;
  };
  const { deps } = createTestDrain([1, 2, 3, 4, 5, 6, 7].map(aMessage), { send });
  await drain(deps, { ...LIMITS, concurrency: 3 }, goOn);
  assert.equal(most, 3);
});

const jumps: [what: string, nowMs: number, uptimeMs: number][] = [
  ["after half a minute of waiting", 25_001, 25_001],
  ["though the clock is put back by an hour meanwhile", -3_600_000, 25_001],
  ["though the machine slept and only its clock went on", 25_001, 10],
];
for (const [what, nowMs, uptimeMs] of jumps) {
  Deno.test(`a call that could outlive its lease is not begun ${what}`, async () => {
    const { deps, settlements, clock } = createTestDrain([aMessage(1)]);
    deps.windows = {
      admit: (requests) => {
        clock.nowMs += nowMs;
        clock.uptimeMs += uptimeMs;
        return Promise.resolve(requests.map(() => ({ admitted: true })));
      },
    };
    await drain(deps, LIMITS, goOn);
    assert.ok(settlements[0]!.outcome === "deferred" && settlements[0]!.waiting_for === "lease");
  });
}

Deno.test("a clock that jumps an hour neither ends a drain nor keeps it from ending", async () => {
  for (const jumpMs of [3_600_000, -3_600_000]) {
    const { deps, clock, settlements } = createTestDrain([1, 2, 3].map(aMessage));
    const claim = deps.queue.claim;
    deps.queue.claim = (batch) => {
      clock.nowMs += jumpMs;
      clock.uptimeMs += 20_000;
      return claim(batch);
    };
    await drain(deps, { ...LIMITS, fullBatch: 1 }, goOn);
    assert.equal(settlements.length, 3);
    assert.equal(clock.uptimeMs, 60_000);
  }
});

Deno.test("a slow sender does not keep the others from being claimed and sent", async () => {
  const slow = Promise.withResolvers<SendOutcome>();
  const send = (message: ClaimedMessage) =>
    message.senderId === "slow" ? slow.promise : Promise.resolve(ACCEPTED);
  const messages = [1, 2, 3, 4, 5, 6].map(aMessage).map((message, i) =>
    i < 3 ? { ...message, senderId: "slow" } : message
  );
  const { deps, settlements } = createTestDrain(messages, { send });
  const draining = drain(deps, { ...LIMITS, fullBatch: 3, concurrencyPerSender: 2 }, goOn);
  while (settlements.length < 3) await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(settlements.map(({ id }) => id), ["m4", "m5", "m6"]);
  slow.resolve(ACCEPTED);
  assert.equal((await draining).sent, 6);
});

Deno.test("a drain claims again at once while more is due, and else when something was written", async () => {
  const { deps, waiting, settlements } = createTestDrain([1, 2, 3].map(aMessage));
  const settledBefore: number[] = [];
  deps.queue.claim = async () => {
    settledBefore.push(settlements.length);
    await new Promise((resolve) => setTimeout(resolve, 0));
    // A part of each of several lanes: fewer than were asked for.
    return waiting.splice(0, 2).map((it) => ({ ...it, depth: waiting.length }));
  };
  await drain(deps, LIMITS, goOn);
  const [first, second, ...others] = settledBefore;
  assert.deepEqual([first, second], [0, 0]);
  assert.ok(others.length <= 2 && others.every((settled) => settled > 0), `${others}`);
});

Deno.test("what falls due while a call hangs is claimed within half a second", async () => {
  const hanging = Promise.withResolvers<SendOutcome>();
  const send = ({ id }: ClaimedMessage) =>
    id === "m1" ? hanging.promise : Promise.resolve(ACCEPTED);
  const { deps, waiting, settlements, clock } = createTestDrain([aMessage(1)], { send });
  const claim = deps.queue.claim;
  deps.queue.claim = (batch) => {
    if (clock.uptimeMs >= 2_000 && settlements.length === 0) waiting.push(aMessage(2));
    return claim(batch);
  };
  const draining = drain(deps, LIMITS, goOn);
  while (settlements.length === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  assert.ok(clock.uptimeMs <= 2_500, `${clock.uptimeMs}`);
  hanging.resolve(ACCEPTED);
  assert.equal((await draining).sent, 2);
});

Deno.test("a drain stays for a message that is due soon and goes when none is", async () => {
  const due = [aMessage(1)];
  const { deps, waiting, clock } = createTestDrain([], {
    nextDueInMs: () => due.length > 0 ? 500 : null,
  });
  const sleep = deps.sleep;
  deps.sleep = (ms) => {
    waiting.push(...due.splice(0));
    return sleep(ms);
  };
  const report = await drain(deps, { ...LIMITS, maxIdleMs: 1_000 }, goOn);
  assert.equal(report.sent, 1);
  assert.equal(clock.nowMs, 500);
});

Deno.test("a drain does not stay for a message that is due later than it may wait", async () => {
  const { deps, clock } = createTestDrain([], { nextDueInMs: () => 5_000 });
  await drain(deps, { ...LIMITS, maxIdleMs: 1_000 }, goOn);
  assert.equal(clock.nowMs, 0);
});

Deno.test("a drain that has sent its number of messages hands on", async () => {
  const { deps, waiting, handOns } = createTestDrain([1, 2, 3].map(aMessage));
  const report = await drain(deps, { ...LIMITS, maxMessages: 2 }, goOn);
  assert.equal(report.claimed, 2);
  assert.equal(waiting.length, 1);
  assert.equal(handOns(), 1);
});

Deno.test("a drain that is asked to stop settles what it has claimed and claims no more", async () => {
  const stop = new AbortController();
  const send = () => {
    stop.abort("wall_clock");
    return Promise.resolve(ACCEPTED);
  };
  const { deps, settlements, waiting } = createTestDrain([1, 2, 3].map(aMessage), { send });
  await drain(deps, { ...LIMITS, fullBatch: 2, concurrency: 1 }, {
    stop: stop.signal,
  });
  assert.equal(settlements.length, 2);
  assert.equal(waiting.length, 1);
});

Deno.test("a claim that lost a race for a lock is made again", async () => {
  const { deps, settlements } = createTestDrain([aMessage(1)]);
  const claim = deps.queue.claim;
  let deadlocks = 2;
  deps.queue.claim = (batch) => deadlocks-- > 0 ? Promise.reject(aRefusal("40P01")) : claim(batch);
  await drain(deps, LIMITS, goOn);
  assert.equal(settlements.length, 1);
});

Deno.test("a claim that fails ends the drain once all that is under way is settled", async () => {
  const answer = Promise.withResolvers<SendOutcome>();
  const failed = Promise.withResolvers<void>();
  const { deps, settlements } = createTestDrain([aMessage(1)], { send: () => answer.promise });
  const claim = deps.queue.claim;
  let claims = 0;
  deps.queue.claim = (batch) => {
    claims += 1;
    if (claims === 1) return claim(batch);
    failed.resolve();
    return Promise.reject(aRefusal("57P01"));
  };
  const draining = drain(deps, LIMITS, goOn).then(() => "ended", () => settlements.length);
  await failed.promise;
  answer.resolve(ACCEPTED);
  assert.equal(await draining, 1);
  assert.equal(claims, 2);
});

Deno.test("a drain that cannot hand on settles what it has sent, and fails", async () => {
  const { deps, settlements } = createTestDrain([aMessage(1), aMessage(2)]);
  const queue = { ...deps.queue, handOn: () => Promise.reject(new Error("away")) };
  await assert.rejects(drain({ ...deps, queue }, { ...LIMITS, maxMessages: 1 }, goOn), /away/);
  assert.equal(settlements.length, 1);
});
