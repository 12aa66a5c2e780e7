/** Outcomes on their way to the database while calls go on. */
import { strict as assert } from "node:assert";

import { DatabaseError } from "../_shared/database.ts";
import type { ClaimedMessage } from "../_shared/queue/outbound.ts";
import type { SendOutcome } from "../_shared/whatsapp/send_outcome.ts";
import { drain } from "./drain.ts";
import { ACCEPTED, aMessage, createTestDrain, goOn, LIMITS } from "./test_drain.ts";

Deno.test("outcomes are settled while other calls are still under way", async () => {
  const slow = Promise.withResolvers<SendOutcome>();
  const send = (message: ClaimedMessage) =>
    message.id === "m1" ? slow.promise : Promise.resolve(ACCEPTED);
  const { deps, settlements } = createTestDrain([1, 2].map(aMessage), { send });
  const draining = drain(deps, LIMITS, goOn);
  while (settlements.length === 0) await Promise.resolve();
  assert.deepEqual(settlements.map(({ id }) => id), ["m2"]);
  slow.resolve(ACCEPTED);
  await draining;
  assert.equal(settlements.length, 2);
});

Deno.test("a call does not wait until the outcome of another is written, and only so many go unwritten", async () => {
  const called: string[] = [];
  const send = ({ id }: ClaimedMessage) => {
    called.push(id);
    return Promise.resolve(ACCEPTED);
  };
  const messages = Array.from({ length: 600 }, (_, i) => aMessage(i));
  const { deps, settlements } = createTestDrain(messages, { send });
  const database = Promise.withResolvers<void>();
  const settle = deps.queue.settle;
  deps.queue.settle = (batch) => database.promise.then(() => settle(batch));
  const draining = drain(deps, { ...LIMITS, fullBatch: 600, concurrency: 1 }, goOn);
  while (called.length < 500) await Promise.resolve();
  for (let turn = 0; turn < 1_000; turn++) await Promise.resolve();
  assert.equal(called.length, 500);
  database.resolve();
  await draining;
  assert.equal(called.length, 600);
  assert.equal(settlements.length, 600);
});

Deno.test("a settlement that was superseded by another worker is logged and not counted", async () => {
  const { deps, lines } = createTestDrain([aMessage(1)]);
  deps.queue.settle = (batch) => Promise.resolve(batch.map(() => false));
  const report = await drain(deps, LIMITS, goOn);
  assert.equal(report.sent, 0);
  assert.ok(lines.some((line) => line.includes('"attempt.superseded"')));
});

Deno.test("an outcome is settled when the database comes back, not forgotten", async () => {
  const { deps, settlements } = createTestDrain([aMessage(1)]);
  const settle = deps.queue.settle;
  let outages = 3;
  deps.queue.settle = (batch) =>
    outages-- > 0
      ? Promise.reject(new DatabaseError("away", { code: "57P01", unavailable: true }))
      : settle(batch);
  const report = await drain(deps, LIMITS, goOn);
  assert.equal(report.sent, 1);
  assert.equal(settlements.length, 1);
});
