/** Pair, sender and tenant together: what one holds back takes nothing from the others. */
import { strict as assert } from "node:assert";

import { senderLimit, tenantLimit } from "./limits.ts";
import type { Limit } from "./limits.ts";
import { newPair } from "./pair.ts";
import { bind, decide, newLimitState } from "./schedule.ts";
import { createSchedule, NEWCOMER, START_MS } from "./test_schedule.ts";

Deno.test("a recipient's pair is held back for as long as its burst would have taken", () => {
  const { clock, ask } = createSchedule({ sender: senderLimit(1_000) });
  const pair = newPair();
  for (let i = 0; i < 20; i += 1) assert.deepEqual(ask(NEWCOMER, pair), { admitted: true });
  clock.nowMs += 6_000;
  assert.deepEqual(ask(NEWCOMER, pair), { admitted: false, waitMs: 114_000, by: "pair" });
  assert.deepEqual(ask(), { admitted: true });
});

Deno.test("a message that its pair holds back takes nobody's place with tenant and sender", () => {
  const { ask, admitted } = createSchedule({
    tenant: tenantLimit({ messages: 50, windowMs: 60_000 }),
  });
  const pair = newPair();
  for (let i = 0; i < 45; i += 1) ask(NEWCOMER, pair);
  const heldBack = Array.from({ length: 20 }, () => ask(NEWCOMER, pair));
  assert.ok(heldBack.every((verdict) => !verdict.admitted && verdict.by === "pair"));
  assert.equal(admitted(10), 5);
});

/** One tenant with two senders. */
function setupTwo(limits: { tenant: Limit; slow: Limit; quick: Limit }) {
  const clock = { nowMs: START_MS };
  const tenant = newLimitState(START_MS);
  const states = { slow: newLimitState(START_MS), quick: newLimitState(START_MS) };
  const admitted = (count: number, sender: "slow" | "quick") => {
    const bounds = () => ({
      tenant: bind(limits.tenant, tenant, clock.nowMs),
      sender: bind(limits[sender], states[sender], clock.nowMs),
      pair: newPair(),
    });
    const verdicts = Array.from(
      { length: count },
      () => decide(bounds(), NEWCOMER, clock.nowMs),
    );
    return verdicts.filter((verdict) => verdict.admitted).length;
  };
  return { clock, admitted };
}

Deno.test("a slow sender's backlog does not hold up the tenant's other sender", () => {
  const { admitted } = setupTwo({
    tenant: tenantLimit({ messages: 100, windowMs: 1_000 }),
    slow: senderLimit(5),
    quick: senderLimit(1_000),
  });
  assert.equal(admitted(5_000, "slow"), 4);
  assert.equal(admitted(200, "quick"), 96);
});

Deno.test("what a sender holds back is reckoned with at the tenant until its moment has passed", () => {
  const limits = {
    tenant: tenantLimit({ messages: 10, windowMs: 60_000 }),
    slow: senderLimit(5),
    quick: senderLimit(1_000),
  };
  const { clock, admitted } = setupTwo(limits);
  assert.equal(admitted(8, "slow"), 4);
  assert.equal(admitted(2, "quick"), 2);
  clock.nowMs += 10_000;
  assert.equal(admitted(4, "quick"), 4);
  const other = setupTwo(limits);
  other.admitted(8, "slow");
  assert.equal(other.admitted(8, "quick"), 2);
});
