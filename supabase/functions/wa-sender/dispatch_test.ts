/** What tokens, limits and breakers hold back, in the drain that asks them. */
import { strict as assert } from "node:assert";

import type { ClaimedMessage } from "../_shared/queue/outbound.ts";
import { drain } from "./drain.ts";
import { ACCEPTED, aMessage, createTestDrain, goOn, LIMITS, REFUSED } from "./test_drain.ts";

Deno.test("a refused token is read anew and the message tried once more with another one", async () => {
  const used: string[] = [];
  const send = (_message: ClaimedMessage, token: string) => {
    used.push(token);
    return Promise.resolve(token === "old" ? REFUSED : ACCEPTED);
  };
  const { deps, settlements, forgotten } = createTestDrain([aMessage(1)], {
    send,
    tokens: ["old", "new"],
  });
  await drain(deps, LIMITS, goOn);
  assert.deepEqual(used, ["old", "new"]);
  assert.deepEqual(forgotten, ["s1"]);
  assert.equal(settlements[0]!.outcome, "accepted");
});

Deno.test("a message that a limit holds back is deferred to the moment that it names", async () => {
  const { deps, settlements } = createTestDrain([aMessage(1)], {
    admission: { admitted: false, atMs: 7_000, by: "tenant" },
  });
  const report = await drain(deps, LIMITS, goOn);
  assert.equal(report.deferred, 1);
  assert.ok(settlements[0]!.outcome === "deferred");
  assert.equal(settlements[0]!.due_at, "1970-01-01T00:00:07.000Z");
  assert.equal(settlements[0]!.waiting_for, "limit:tenant");
});

Deno.test("a read receipt passes the limits, which hold back the messages around it", async () => {
  const messages = [aMessage(1), { ...aMessage(2), type: "read" }, aMessage(3)];
  const { deps, settlements } = createTestDrain(messages, {
    admission: { admitted: false, atMs: 7_000, by: "pair" },
  });
  await drain(deps, LIMITS, goOn);
  const outcomes = Object.fromEntries(settlements.map(({ id, outcome }) => [id, outcome]));
  assert.deepEqual(outcomes, { m1: "deferred", m2: "accepted", m3: "deferred" });
});

Deno.test("what an open breaker holds back is deferred, and its sender is not read until then", async () => {
  const { deps, settlements, holds } = createTestDrain([1, 2].map(aMessage), {
    breakerOpenUntilMs: 60_000,
  });
  const report = await drain(deps, LIMITS, goOn);
  assert.equal(report.deferred, 2);
  assert.ok(settlements.every((it) => it.outcome === "deferred"));
  assert.deepEqual(holds, [[["s1"], 60_000]]);
});

Deno.test("a refused token that is still the current one is not tried twice", async () => {
  let calls = 0;
  const send = () => {
    calls += 1;
    return Promise.resolve(REFUSED);
  };
  const { deps, settlements } = createTestDrain([aMessage(1)], { send });
  await drain(deps, LIMITS, goOn);
  assert.equal(calls, 1);
  assert.equal(settlements[0]!.outcome, "retry");
});

Deno.test("what is left of a claim is not called with a token that was refused in it", async () => {
  let calls = 0;
  const send = ({ senderId }: ClaimedMessage) => {
    calls += 1;
    return Promise.resolve(senderId === "s1" ? REFUSED : ACCEPTED);
  };
  const messages = [1, 2, 3].map(aMessage).concat({ ...aMessage(4), senderId: "s2" });
  const { deps, settlements } = createTestDrain(messages, { send });
  await drain(deps, { ...LIMITS, concurrency: 1 }, goOn);
  const settled = Object.fromEntries(
    settlements.map((it) => [it.id, it.outcome === "deferred" ? it.waiting_for : it.outcome]),
  );
  const waits = "credential:refused";
  assert.deepEqual(settled, { m1: "retry", m2: waits, m3: waits, m4: "accepted" });
  assert.equal(calls, 2);
});

Deno.test("a message whose credential cannot be had is put back without a call", async () => {
  let calls = 0;
  const send = () => {
    calls += 1;
    return Promise.resolve(ACCEPTED);
  };
  const { deps, settlements } = createTestDrain([aMessage(1)], {
    send,
    found: { found: false, reason: "unavailable" },
  });
  const report = await drain(deps, LIMITS, goOn);
  assert.equal(calls, 0);
  assert.equal(report.deferred, 1);
  assert.equal(settlements[0]!.outcome, "deferred");
});
