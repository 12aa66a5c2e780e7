import { strict as assert } from "node:assert";

import type { Credentials, FoundCredential } from "../_shared/credentials/credentials.ts";
import { DatabaseError } from "../_shared/database.ts";
import type { ClaimedMessage, Settlement } from "../_shared/queue/outbound.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import type { SendOutcome } from "../_shared/whatsapp/send_outcome.ts";
import { NEW_BREAKER } from "../_shared/resilience/breaker.ts";
import type { BreakerAdmission, Breakers } from "../_shared/resilience/breakers.ts";
import type { Admission } from "../_shared/pacing/send_request.ts";
import { drain } from "./drain.ts";
import type { DrainDeps, DrainLimits } from "./drain.ts";

const LIMITS: DrainLimits = {
  fullBatch: 10,
  reducedBatch: 5,
  highDepth: 1_000,
  lowDepth: 100,
  concurrency: 4,
  concurrencyPerSender: 4,
  maxMessages: 1_000,
  maxDurationMs: 60_000,
  maxIdleMs: 0,
  maxClaimAgeMs: 25_000,
};

const ACCEPTED: SendOutcome = {
  kind: "accepted",
  wamid: "wamid.1",
  wa_id: null,
  user_id: null,
  message_status: null,
};

const REFUSED: SendOutcome = {
  kind: "credential_refused",
  code: 190,
  subcode: null,
  title: "Token expired",
  details: null,
  fbtrace_id: null,
  http_status: 401,
  cause: "token_invalid",
  scope: "sender",
  max_tries: 2,
  alert: true,
};

function aMessage(nth: number): ClaimedMessage {
  return {
    id: `m${nth}`,
    attempt: 1,
    tenantId: "t1",
    senderId: "s1",
    phoneNumberId: "111",
    businessAccountId: "222",
    credentialVersion: 1,
    recipient: `+1555020000${nth}`,
    type: "text",
    content: { body: "hello" },
    context: null,
    lane: "normal",
    failureCount: 0,
    deferralCount: 0,
    dueAtMs: 0,
    limit: { messages: 80, windowMs: 60_000, isOfSender: false },
    perSecond: 80,
    cacheGeneration: 1,
    depth: 0,
  };
}

function setup(
  messages: ClaimedMessage[],
  overrides: {
    send?: DrainDeps["send"];
    tokens?: string[];
    nextDueInMs?: () => number | null;
    found?: FoundCredential;
    admission?: Admission;
    breakerOpenUntilMs?: number;
  } = {},
) {
  const waiting = [...messages];
  const settlements: Settlement[] = [];
  const forgotten: string[] = [];
  const lines: string[] = [];
  const clock = { nowMs: 0, uptimeMs: 0 };
  const holds: [senderIds: string[], untilMs: number][] = [];
  const tokens = overrides.tokens ?? ["token"];
  let handOns = 0;
  const credentials: Credentials = {
    find: (senders) =>
      Promise.resolve(
        senders.map(() => overrides.found ?? { found: true, accessToken: tokens[0]! }),
      ),
    forget: ({ senderId }) => {
      forgotten.push(senderId);
      if (tokens.length > 1) tokens.shift();
    },
    statistics: () => ({
      total_requests: 0,
      cache_hits: 0,
      db_hits: 0,
      fallback_hits: 0,
      failures: 0,
      size: 0,
    }),
  };
  const deps: DrainDeps = {
    queue: {
      claim: (batch) => Promise.resolve(waiting.splice(0, batch)),
      settle: (batch) => {
        settlements.push(...batch);
        return Promise.resolve(batch.map(() => true));
      },
      hold: (senderIds, untilMs) => {
        holds.push([senderIds, untilMs]);
        return Promise.resolve();
      },
      nextDueInMs: () => Promise.resolve(overrides.nextDueInMs?.() ?? null),
      handOn: () => {
        handOns += 1;
        return Promise.resolve();
      },
    },
    credentials,
    breakers: breakersThatAre(overrides.breakerOpenUntilMs),
    windows: {
      admit: (requests) =>
        Promise.resolve(requests.map(() => overrides.admission ?? { admitted: true })),
    },
    send: overrides.send ?? (() => Promise.resolve(ACCEPTED)),
    now: () => clock.nowMs,
    uptime: () => clock.uptimeMs,
    random: () => 0,
    // Time passes when nothing else is left to do.
    sleep: async (ms, signal) => {
      await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
      clock.nowMs += ms;
      clock.uptimeMs += ms;
    },
    log: createLog({ write: (line) => lines.push(line), now: () => 0, fields: {} }),
  };
  return { deps, settlements, forgotten, lines, clock, waiting, holds, handOns: () => handOns };
}

/** Closed, or open for the sender until then. */
function breakersThatAre(openUntilMs?: number): Breakers {
  const { generation } = NEW_BREAKER;
  const admissionOf = (scope: string): BreakerAdmission =>
    openUntilMs !== undefined && scope.startsWith("sender:")
      ? { allowed: false, reason: "open", retryAtMs: openUntilMs, generation, decidedBy: "redis" }
      : { allowed: true, generation, probe: false, decidedBy: "redis" };
  return {
    admit: (scopes) => Promise.resolve(new Map([...scopes].map((it) => [it, admissionOf(it)]))),
    report: () => Promise.resolve([]),
  };
}

function aRefusal(code: string): DatabaseError {
  return new DatabaseError("Cannot claim_messages: away", { code, unavailable: true });
}

const goOn = { stop: new AbortController().signal };

Deno.test("a drain sends all that is due, each once, and tells what came of it", async () => {
  const { deps, settlements } = setup([1, 2, 3].map(aMessage));
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
  const { deps } = setup([1, 2, 3, 4, 5, 6, 7].map(aMessage), { send });
  await drain(deps, { ...LIMITS, concurrency: 3 }, goOn);
  assert.equal(most, 3);
});

Deno.test("outcomes are settled while other calls are still under way", async () => {
  const slow = Promise.withResolvers<SendOutcome>();
  const send = (message: ClaimedMessage) =>
    message.id === "m1" ? slow.promise : Promise.resolve(ACCEPTED);
  const { deps, settlements } = setup([1, 2].map(aMessage), { send });
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
  const { deps, settlements } = setup(messages, { send });
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

Deno.test("a refused token is read anew and the message tried once more with another one", async () => {
  const used: string[] = [];
  const send = (_message: ClaimedMessage, token: string) => {
    used.push(token);
    return Promise.resolve(token === "old" ? REFUSED : ACCEPTED);
  };
  const { deps, settlements, forgotten } = setup([aMessage(1)], { send, tokens: ["old", "new"] });
  await drain(deps, LIMITS, goOn);
  assert.deepEqual(used, ["old", "new"]);
  assert.deepEqual(forgotten, ["s1"]);
  assert.equal(settlements[0]!.outcome, "accepted");
});

Deno.test("a message that a limit holds back is deferred to the moment that it names", async () => {
  const { deps, settlements } = setup([aMessage(1)], {
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
  const { deps, settlements } = setup(messages, {
    admission: { admitted: false, atMs: 7_000, by: "pair" },
  });
  await drain(deps, LIMITS, goOn);
  const outcomes = Object.fromEntries(settlements.map(({ id, outcome }) => [id, outcome]));
  assert.deepEqual(outcomes, { m1: "deferred", m2: "accepted", m3: "deferred" });
});

Deno.test("what an open breaker holds back is deferred, and its sender is not read until then", async () => {
  const { deps, settlements, holds } = setup([1, 2].map(aMessage), { breakerOpenUntilMs: 60_000 });
  const report = await drain(deps, LIMITS, goOn);
  assert.equal(report.deferred, 2);
  assert.ok(settlements.every((it) => it.outcome === "deferred"));
  assert.deepEqual(holds, [[["s1"], 60_000]]);
});

const jumps: [what: string, nowMs: number, uptimeMs: number][] = [
  ["after half a minute of waiting", 25_001, 25_001],
  ["though the clock is put back by an hour meanwhile", -3_600_000, 25_001],
  ["though the machine slept and only its clock went on", 25_001, 10],
];
for (const [what, nowMs, uptimeMs] of jumps) {
  Deno.test(`a call that could outlive its lease is not begun ${what}`, async () => {
    const { deps, settlements, clock } = setup([aMessage(1)]);
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
    const { deps, clock, settlements } = setup([1, 2, 3].map(aMessage));
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
  const { deps, settlements } = setup(messages, { send });
  const draining = drain(deps, { ...LIMITS, fullBatch: 3, concurrencyPerSender: 2 }, goOn);
  while (settlements.length < 3) await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(settlements.map(({ id }) => id), ["m4", "m5", "m6"]);
  slow.resolve(ACCEPTED);
  assert.equal((await draining).sent, 6);
});

Deno.test("a drain claims again at once while more is due, and else when something was written", async () => {
  const { deps, waiting, settlements } = setup([1, 2, 3].map(aMessage));
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
  const { deps, waiting, settlements, clock } = setup([aMessage(1)], { send });
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

Deno.test("a refused token that is still the current one is not tried twice", async () => {
  let calls = 0;
  const send = () => {
    calls += 1;
    return Promise.resolve(REFUSED);
  };
  const { deps, settlements } = setup([aMessage(1)], { send });
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
  const { deps, settlements } = setup(messages, { send });
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
  const { deps, settlements } = setup([aMessage(1)], {
    send,
    found: { found: false, reason: "unavailable" },
  });
  const report = await drain(deps, LIMITS, goOn);
  assert.equal(calls, 0);
  assert.equal(report.deferred, 1);
  assert.equal(settlements[0]!.outcome, "deferred");
});

Deno.test("a drain stays for a message that is due soon and goes when none is", async () => {
  const due = [aMessage(1)];
  const { deps, waiting, clock } = setup([], { nextDueInMs: () => due.length > 0 ? 500 : null });
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
  const { deps, clock } = setup([], { nextDueInMs: () => 5_000 });
  await drain(deps, { ...LIMITS, maxIdleMs: 1_000 }, goOn);
  assert.equal(clock.nowMs, 0);
});

Deno.test("a drain that has sent its number of messages hands on", async () => {
  const { deps, waiting, handOns } = setup([1, 2, 3].map(aMessage));
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
  const { deps, settlements, waiting } = setup([1, 2, 3].map(aMessage), { send });
  await drain(deps, { ...LIMITS, fullBatch: 2, concurrency: 1 }, {
    stop: stop.signal,
  });
  assert.equal(settlements.length, 2);
  assert.equal(waiting.length, 1);
});

Deno.test("a settlement that was superseded by another worker is logged and not counted", async () => {
  const { deps, lines } = setup([aMessage(1)]);
  deps.queue.settle = (batch) => Promise.resolve(batch.map(() => false));
  const report = await drain(deps, LIMITS, goOn);
  assert.equal(report.sent, 0);
  assert.ok(lines.some((line) => line.includes('"attempt.superseded"')));
});

Deno.test("an outcome is settled when the database comes back, not forgotten", async () => {
  const { deps, settlements } = setup([aMessage(1)]);
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

Deno.test("a claim that lost a race for a lock is made again", async () => {
  const { deps, settlements } = setup([aMessage(1)]);
  const claim = deps.queue.claim;
  let deadlocks = 2;
  deps.queue.claim = (batch) => deadlocks-- > 0 ? Promise.reject(aRefusal("40P01")) : claim(batch);
  await drain(deps, LIMITS, goOn);
  assert.equal(settlements.length, 1);
});

Deno.test("a claim that fails ends the drain once all that is under way is settled", async () => {
  const answer = Promise.withResolvers<SendOutcome>();
  const failed = Promise.withResolvers<void>();
  const { deps, settlements } = setup([aMessage(1)], { send: () => answer.promise });
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

Deno.test("a drain does not idle while another one waits for it", async () => {
  const { deps, clock } = setup([], { nextDueInMs: () => 500 });
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
  const { deps, waiting } = setup([ofSender("s1", 1)], { send });
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
  const { deps, waiting } = setup(backlog, { send });
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

Deno.test("a drain that has sent its number lets the next begin while its calls are under way", async () => {
  const hanging = Promise.withResolvers<SendOutcome>();
  const { turn, passes } = aTurn();
  const { deps, handOns } = setup([aMessage(1), aMessage(2)], { send: () => hanging.promise });
  const drained = drain(deps, { ...LIMITS, maxMessages: 1 }, { ...goOn, turn });
  while (passes() === 0) await new Promise<void>(queueMicrotask);
  assert.equal(handOns(), 1);
  hanging.resolve(ACCEPTED);
  assert.equal((await drained).sent, 1);
});

Deno.test("a drain that cannot hand on settles what it has sent, and fails", async () => {
  const { deps, settlements } = setup([aMessage(1), aMessage(2)]);
  const queue = { ...deps.queue, handOn: () => Promise.reject(new Error("away")) };
  await assert.rejects(drain({ ...deps, queue }, { ...LIMITS, maxMessages: 1 }, goOn), /away/);
  assert.equal(settlements.length, 1);
});
