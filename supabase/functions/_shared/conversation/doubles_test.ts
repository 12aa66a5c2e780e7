import { strict as assert } from "node:assert";

import { takeNext } from "./doubles.ts";
import type { PendingStep } from "./doubles.ts";
import type { Doubles } from "./machine.ts";

const MERGE: Doubles = { policy: "merge", wait_ms: 2_000, most_ms: 6_000 };
const REPLACE: Doubles = { policy: "replace", wait_ms: 2_000, most_ms: 6_000 };

function texts(...at: number[]): PendingStep[] {
  return at.map((one, index) => ({
    id: index + 1,
    at: one,
    event: { type: "customer.wrote", text: `t${one}`, wamid: `w${one}` },
  }));
}

function aTap(at: number, id = 99): PendingStep {
  return { id, at, event: { type: "customer.chose", id: "yes", title: "Yes", wamid: `w${at}` } };
}

Deno.test("queued messages are taken one after the other, without waiting", () => {
  const next = takeNext(texts(0, 10), { policy: "queue" }, 10);
  assert.ok(next.do === "take" && next.steps.length === 1);
});

Deno.test("merged texts wait until the customer pauses, then are one with the last one's id", () => {
  assert.deepEqual(takeNext(texts(0, 1_000), MERGE, 2_999), { do: "wait", until: 3_000 });
  const next = takeNext(texts(0, 1_000), MERGE, 3_000);
  assert.ok(next.do === "take");
  assert.deepEqual(next.event, { type: "customer.wrote", text: "t0\nt1000", wamid: "w1000" });
  assert.deepEqual(next.steps.map(({ id }) => id), [1, 2]);
});

Deno.test("who goes on writing is answered all the same after the longest wait", () => {
  const waiting = texts(0, 1_500, 3_000, 4_500, 5_900);
  assert.deepEqual(takeNext(waiting, MERGE, 5_999), { do: "wait", until: 6_000 });
  assert.equal(takeNext(waiting, MERGE, 6_000).do, "take");
});

Deno.test("a tap is not waited on, and texts before it do not wait longer", () => {
  const next = takeNext([...texts(0), aTap(10)], MERGE, 10);
  assert.ok(next.do === "take" && next.event.type === "customer.wrote");
  assert.ok(takeNext([aTap(10)], MERGE, 10).do === "take");
});

Deno.test("of replaced answers the last one counts, and all are taken", () => {
  const next = takeNext([aTap(0, 1), ...texts(5), aTap(10, 3)], REPLACE, 10);
  assert.ok(next.do === "take");
  assert.deepEqual([next.steps.length, next.event.type], [3, "customer.chose"]);
  assert.deepEqual(takeNext([aTap(0), ...texts(5)], REPLACE, 10), { do: "wait", until: 2_005 });
});

Deno.test("an event of an agent is never merged or replaced", () => {
  const took: PendingStep = { id: 7, at: 0, event: { type: "agent.took" } };
  for (const policy of [MERGE, REPLACE]) {
    const next = takeNext([took, ...texts(1)], policy, 1);
    assert.ok(next.do === "take" && next.steps.length === 1 && next.event.type === "agent.took");
  }
});

Deno.test("what is taken leaves the list of what waits as it was", () => {
  const waiting = texts(0, 1);
  takeNext(waiting, MERGE, 10_000);
  assert.equal(waiting.length, 2);
});
