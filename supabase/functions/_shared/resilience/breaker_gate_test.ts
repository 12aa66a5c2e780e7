import { strict as assert } from "node:assert";

import { openGate } from "./breaker_gate.ts";
import type { Judgement } from "./breaker_judgement.ts";
import { createLocalBreakers } from "./breaker_local.ts";
import { scopesOf } from "./breaker_scopes.ts";
import { type BreakerResult, createBreakers } from "./breakers.ts";

const well: Judgement = {
  succeeded: ["app", "tenant", "business_account", "sender", "template"],
  failed: [],
  pauseMs: 0,
  named: false,
};
const hung: Judgement = { succeeded: [], failed: ["app", "tenant"], pauseMs: 0, named: false };
const tooFast: Judgement = {
  succeeded: ["app", "tenant", "business_account"],
  failed: ["sender"],
  pauseMs: 0,
  named: true,
};
const locked: Judgement = {
  succeeded: ["app"],
  failed: ["tenant"],
  pauseMs: 3_600_000,
  named: true,
};

function of(tenantId: string): string[] {
  return scopesOf({
    tenantId,
    senderId: `sender-of-${tenantId}`,
    businessAccountId: `account-of-${tenantId}`,
    template: null,
  });
}

const [a, b] = [of("a"), of("b")];

function setup() {
  const clock = { nowMs: 1_000_000 };
  const now = () => clock.nowMs;
  const local = createLocalBreakers({ now, random: () => 0 });
  const never = () => new Promise<never>(() => {});
  const log = { info: () => {}, warn: () => {} };
  const breakers = createBreakers({ shared: null, local, now, sleep: never, log });
  const reported: BreakerResult[][] = [];
  const spied = {
    ...breakers,
    report: (results: readonly BreakerResult[]) => {
      reported.push([...results]);
      return breakers.report(results);
    },
  };
  return { clock, reported, open: () => openGate(spied, [...a, ...b], now) };
}

/** Nothing here waits for anything but promises. */
async function reportsToLand(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** The world with tenant a's breaker open, and its pause over. */
async function halfOpen() {
  const world = setup();
  const gate = await world.open();
  for (let i = 0; i < 5; i++) gate.note(a, hung);
  await gate.close();
  world.clock.nowMs += 60_000;
  world.reported.length = 0;
  return world;
}

Deno.test("a gate lets everything through that no breaker holds back", async () => {
  const gate = await setup().open();
  assert.deepEqual(gate.enter(a), { allowed: true });
  assert.deepEqual(gate.enter(a), { allowed: true });
  assert.deepEqual(gate.enter(b), { allowed: true });
});

Deno.test("a gate reports each scope once, with all that was noted of it", async () => {
  const { open, reported } = setup();
  const gate = await open();
  for (const judgement of [hung, well, tooFast, tooFast]) gate.note(a, judgement);
  gate.note(b, well);
  await gate.close();
  assert.equal(reported.length, 1);
  const told = Object.fromEntries(
    reported[0]!.map((it) => [it.scope, [it.failures, it.successes, it.trailingFailures]]),
  );
  assert.deepEqual(told, {
    app: [1, 4, 0],
    "tenant:a": [1, 3, 0],
    "business_account:account-of-a": [0, 3, 0],
    "sender:sender-of-a": [2, 1, 2],
    "tenant:b": [0, 1, 0],
    "business_account:account-of-b": [0, 1, 0],
    "sender:sender-of-b": [0, 1, 0],
  });
});

Deno.test("a gate of which nothing was noted reports nothing", async () => {
  const { open, reported } = setup();
  const gate = await open();
  gate.enter(a);
  await gate.close();
  assert.deepEqual(reported, []);
});

Deno.test("tenant A's circuit opens in the midst of a claim; tenant B is unaffected", async () => {
  const { open, clock } = setup();
  const gate = await open();
  for (let i = 0; i < 5; i++) {
    assert.deepEqual(gate.enter(a), { allowed: true });
    gate.note(a, hung);
  }
  assert.deepEqual(gate.enter(a), {
    allowed: false,
    scope: "tenant:a",
    reason: "open",
    retryAtMs: clock.nowMs + 60_000,
  });
  assert.deepEqual(gate.enter(b), { allowed: true });
  await gate.close();
  const next = await open();
  assert.equal(next.enter(a).allowed, false);
  assert.equal(next.enter(b).allowed, true);
});

Deno.test("what opens in the midst of a claim is told to the others at once", async () => {
  const { open, reported } = setup();
  const [gate, overlapping] = [await open(), await open()];
  for (let i = 0; i < 5; i++) gate.note(a, hung);
  assert.equal((await open()).enter(a).allowed, false);
  assert.deepEqual(reported.map((results) => results.map(({ scope }) => scope)), [["tenant:a"]]);
  gate.note(a, hung);
  await gate.close();
  await overlapping.close();
  const told = reported.flat().filter(({ scope }) => scope === "tenant:a");
  assert.deepEqual(told.map(({ failures }) => failures), [5, 1]);
});

Deno.test("two failures among the first five calls of a claim say nothing of all calls", async () => {
  const gate = await setup().open();
  for (const judgement of [well, hung, well, hung, well, hung]) gate.note(a, judgement);
  assert.equal(gate.enter(a).allowed, true);
});

Deno.test("when the calls of two tenants hang, the app's circuit opens for all", async () => {
  const { open } = setup();
  const gate = await open();
  for (let i = 0; i < 5; i++) {
    gate.note(a, hung);
    gate.note(b, hung);
  }
  await gate.close();
  const refused = (await open()).enter(of("a"));
  assert.ok(!refused.allowed && refused.scope === "app");
});

Deno.test("a message that several breakers hold back is told the latest of their times", async () => {
  const { open, clock } = setup();
  const gate = await open();
  for (let i = 0; i < 5; i++) gate.note(a, tooFast);
  gate.note(a, locked);
  for (let i = 0; i < 5; i++) gate.note(b, hung);
  gate.note(b, { ...tooFast, pauseMs: 1_800_000 });
  const latest = [a, b].map((scopes) => {
    const entry = gate.enter(scopes);
    return entry.allowed ? null : [entry.scope, entry.retryAtMs - clock.nowMs];
  });
  assert.deepEqual(latest, [["tenant:a", 3_600_000], ["sender:sender-of-b", 1_800_000]]);
});

Deno.test("one message alone is the probe", async () => {
  const { open, clock } = await halfOpen();
  const gate = await open();
  assert.deepEqual(gate.enter(a), { allowed: true });
  assert.deepEqual(gate.enter(a), {
    allowed: false,
    scope: "tenant:a",
    reason: "probing",
    retryAtMs: clock.nowMs + 3_000,
  });
});

Deno.test("a probe is reported at once, while the rest of the claim goes on", async () => {
  const { open, reported } = await halfOpen();
  const gate = await open();
  gate.enter(a);
  gate.note(a, well);
  assert.deepEqual(reported.map((results) => results.map(({ scope }) => scope)), [["tenant:a"]]);
  await gate.close();
  const rest = reported[1]!.map(({ scope }) => scope);
  assert.deepEqual(rest, ["app", "business_account:account-of-a", "sender:sender-of-a"]);
});

Deno.test("after a probe that went well the rest of the claim may go", async () => {
  const { open, reported } = await halfOpen();
  const gate = await open();
  gate.enter(a);
  gate.note(a, well);
  await reportsToLand();
  assert.deepEqual(gate.enter(a), { allowed: true });
  gate.note(a, well);
  await gate.close();
  const last = reported.at(-1)!.find(({ scope }) => scope === "tenant:a");
  assert.deepEqual([last?.generation, last?.successes], [3, 1]);
  assert.equal((await open()).enter(a).allowed, true);
});

Deno.test("after a probe that failed the claim and the next ones are held back", async () => {
  const { open, reported } = await halfOpen();
  const gate = await open();
  gate.enter(a);
  gate.note(a, hung);
  await gate.close();
  assert.equal(reported.flat().filter(({ scope }) => scope === "tenant:a").length, 1);
  assert.equal(gate.enter(a).allowed, false);
  const entry = (await open()).enter(a);
  assert.ok(!entry.allowed && entry.reason === "open");
});

Deno.test("a probe that no message took is given back", async () => {
  const { open } = await halfOpen();
  const gate = await open();
  gate.enter(b);
  await gate.close();
  assert.equal((await open()).enter(a).allowed, true);
});

Deno.test("a probe whose message was let in and never sent is given back", async () => {
  const { open } = await halfOpen();
  const gate = await open();
  assert.equal(gate.enter(a).allowed, true);
  await gate.close();
  assert.equal((await open()).enter(a).allowed, true);
});

Deno.test("a probe whose answer says nothing of its scope is given back", async () => {
  const { open } = await halfOpen();
  const gate = await open();
  gate.enter(a);
  gate.note(a, { ...well, succeeded: ["app"] });
  await gate.close();
  const next = await open();
  assert.equal(next.enter(a).allowed, true);
  next.note(a, well);
  await next.close();
  assert.equal((await open()).enter(a).allowed, true);
});

Deno.test("a probe that was not sent within its lease is not sent", async () => {
  const { open, clock } = await halfOpen();
  const slow = await open();
  clock.nowMs += 15_000;
  const entry = slow.enter(a);
  assert.ok(!entry.allowed && entry.reason === "probing");
  const quick = await open();
  assert.equal(quick.enter(a).allowed, true);
  await slow.close();
  quick.note(a, well);
  await quick.close();
  assert.equal((await open()).enter(a).allowed, true);
});

Deno.test("a message that another breaker holds back takes no probe", async () => {
  const { open } = await halfOpen();
  const gate = await open();
  for (let i = 0; i < 5; i++) gate.note([a[3]!], tooFast);
  assert.equal(gate.enter(a).allowed, false);
  const othersOfTenant = scopesOf({
    tenantId: "a",
    senderId: "sender-of-b",
    businessAccountId: "account-of-b",
    template: null,
  });
  assert.equal(gate.enter(othersOfTenant).allowed, true);
});

Deno.test("a scope that the gate was not asked for is a mistake of the caller", async () => {
  const gate = await setup().open();
  assert.throws(() => gate.enter(["tenant:c"]), /not asked for tenant:c/);
});
