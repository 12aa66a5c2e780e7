/** A drain that others call meanwhile, or wait for. */
import { strict as assert } from "node:assert";

import type { ClaimedMessage } from "../_shared/queue/outbound.ts";
import type { SendOutcome } from "../_shared/whatsapp/send_outcome.ts";
import { drain } from "./drain.ts";
import { ACCEPTED, aMessage, createTestDrain, goOn, LIMITS } from "./test_drain.ts";

Deno.test("a drain does not idle while another one waits for it", async () => {
  const { deps, clock } = createTestDrain([], { nextDueInMs: () => 500 });
  const somebodyWaits = new AbortController();
  deps.sleep = (ms, signal) => {
    clock.nowMs += ms / 2;
    somebodyWaits.abort();
    return signal?.aborted ? Promise.reject(signal.reason) : Promise.resolve();
  };
  const signals = { ...goOn, somebodyWaits: somebodyWaits.signal };
  await drain(deps, { ...LIMITS, maxIdleMs: 1_000 }, signals);
  assert.equal(clock.nowMs, 250);
});

/** A turn whose calls a test makes. */
function aTurn() {
  let called = Promise.withResolvers<void>();
  let passes = 0;
  return {
    turn: { nextCall: () => called.promise, pass: () => void (passes += 1) },
    call() {
      called.resolve();
      called = Promise.withResolvers();
    },
    passes: () => passes,
  };
}

function ofSender(senderId: string, nth: number): ClaimedMessage {
  return { ...aMessage(nth), senderId };
}

Deno.test("a drain whose calls hang sends what is accepted meanwhile when it is called", async () => {
  const hanging = Promise.withResolvers<SendOutcome>();
  const { turn, call } = aTurn();
  const sent: string[] = [];
  const send = ({ id }: ClaimedMessage) => {
    sent.push(id);
    if (id === "m1") return hanging.promise;
    // Only now is there an end to the other call.
    hanging.resolve(ACCEPTED);
    return Promise.resolve(ACCEPTED);
  };
  const { deps, waiting } = createTestDrain([ofSender("s1", 1)], { send });
  const drained = drain(deps, LIMITS, { ...goOn, turn });
  while (sent.length === 0) await new Promise<void>(queueMicrotask);
  waiting.push(ofSender("s2", 2));
  call();
  const { sent: count } = await drained;
  assert.deepEqual([count, sent], [2, ["m1", "m2"]]);
});

Deno.test("a drain that is called claims a few more while enough wait, and their senders take turns", async () => {
  const { turn, call } = aTurn();
  const sent: string[] = [];
  const calls: PromiseWithResolvers<SendOutcome>[] = [];
  const send = ({ id }: ClaimedMessage) => {
    sent.push(id);
    calls.push(Promise.withResolvers());
    return calls.at(-1)!.promise;
  };
  const backlog = Array.from({ length: 9 }, (_, nth) => ofSender("s1", nth));
  const { deps, waiting } = createTestDrain(backlog, { send });
  const limits = { ...LIMITS, concurrency: 1, concurrencyPerSender: 1 };
  const drained = drain(deps, limits, { ...goOn, turn });
  while (sent.length === 0) await new Promise<void>(queueMicrotask);
  waiting.push(...Array.from({ length: 20 }, (_, nth) => ofSender("s2", 10 + nth)));
  call();
  while (waiting.length === 20) await new Promise<void>(queueMicrotask);
  assert.equal(waiting.length, 4);
  for (let nth = 0; nth < 29; nth++) {
    while (calls.length <= nth) await new Promise<void>(queueMicrotask);
    calls[nth]!.resolve(ACCEPTED);
  }
  await drained;
  assert.deepEqual(sent.slice(0, 5), ["m0", "m1", "m10", "m2", "m11"]);
});

Deno.test("while callers are around a drain claims at most 64 at once, and afterwards a whole batch again", async () => {
  const { turn, call } = aTurn();
  const backlog = Array.from({ length: 500 }, (_, nth) => ofSender(`s${nth}`, nth));
  const { deps, waiting, clock } = createTestDrain(backlog);
  const asked: number[] = [];
  deps.queue.claim = async (batch) => {
    asked.push(batch);
    if (asked.length === 1) call();
    await new Promise((resolve) => setTimeout(resolve));
    if (asked.length === 4) clock.uptimeMs += 1_000;
    return waiting.splice(0, batch);
  };
  await drain(deps, { ...LIMITS, fullBatch: 100, concurrency: 1_000 }, { ...goOn, turn });
  assert.equal(asked[0], 100);
  assert.ok(asked.slice(1, 4).every((batch) => batch <= 64), `${asked}`);
  assert.equal(asked[4], 100);
});

Deno.test("a drain that has sent its number lets the next begin while its calls are under way", async () => {
  const hanging = Promise.withResolvers<SendOutcome>();
  const { turn, passes } = aTurn();
  const { deps, handOns } = createTestDrain([aMessage(1), aMessage(2)], {
    send: () => hanging.promise,
  });
  const drained = drain(deps, { ...LIMITS, maxMessages: 1 }, { ...goOn, turn });
  while (passes() === 0) await new Promise<void>(queueMicrotask);
  assert.equal(handOns(), 1);
  hanging.resolve(ACCEPTED);
  assert.equal((await drained).sent, 1);
});
