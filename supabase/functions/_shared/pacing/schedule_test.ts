import { strict as assert } from "node:assert";
import fc from "fast-check";

import { senderLimit, tenantLimit } from "./limits.ts";
import type { Limit } from "./limits.ts";
import { newPair } from "./pair.ts";
import { bind, decide, newLimitState } from "./schedule.ts";
import type { Asking, Verdict } from "./schedule.ts";

const START_MS = 1_800_000_000_000;
const NEWCOMER: Asking = { urgent: false, deferrals: 0 };
const URGENT: Asking = { urgent: true, deferrals: 0 };
const COME_BACK: Asking = { urgent: false, deferrals: 1 };
const COME_BACK_AGAIN: Asking = { urgent: false, deferrals: 2 };

/** One tenant with one sender, each message to a recipient of its own. */
function setup(limits: { tenant?: Limit; sender?: Limit } = {}) {
  const inForce = {
    tenant: limits.tenant ?? tenantLimit({ messages: 80, windowMs: 60_000 }),
    sender: limits.sender ?? senderLimit(1_000),
  };
  const clock = { nowMs: START_MS };
  const tenant = newLimitState(START_MS);
  const sender = newLimitState(START_MS);
  const ask = (asking: Asking = NEWCOMER, pair = newPair()): Verdict =>
    decide(
      {
        tenant: bind(inForce.tenant, tenant, clock.nowMs),
        sender: bind(inForce.sender, sender, clock.nowMs),
        pair,
      },
      asking,
      clock.nowMs,
    );
  const askMany = (count: number, asking?: Asking) =>
    Array.from({ length: count }, () => ask(asking));
  const admitted = (count: number, asking?: Asking) =>
    askMany(count, asking).filter((verdict) => verdict.admitted).length;
  return { clock, inForce, ask, askMany, admitted };
}

function waitsOf(verdicts: Verdict[]): number[] {
  return verdicts.map((verdict) => verdict.admitted ? 0 : verdict.waitMs);
}

Deno.test("a tenant's whole limit goes at once, the next message when the first leaves the window", () => {
  const { ask, admitted } = setup();
  assert.equal(admitted(80), 80);
  assert.deepEqual(ask(), { admitted: false, waitMs: 60_600, by: "tenant" });
});

Deno.test("who waits is spread evenly over the window, one hundredth slower than the limit", () => {
  const { askMany, admitted } = setup({ tenant: tenantLimit({ messages: 60, windowMs: 60_000 }) });
  admitted(60);
  const waits = waitsOf(askMany(121));
  assert.deepEqual(waits.slice(0, 4), [60_600, 61_610, 62_620, 63_630]);
  assert.equal(waits[120]! - waits[60]!, 60_600);
});

Deno.test("a message that comes back at its moment passes, and newcomers do not overtake it", () => {
  const { clock, ask, askMany, admitted } = setup();
  admitted(80);
  const [first] = waitsOf(askMany(5));
  clock.nowMs += first!;
  assert.equal(ask().admitted, false);
  assert.deepEqual(ask(COME_BACK), { admitted: true });
  clock.nowMs += 4 * 758;
  assert.equal(admitted(4, COME_BACK), 4);
});

Deno.test("messages that never come back hold nothing up beyond their moments", () => {
  const { clock, ask, askMany, admitted } = setup();
  admitted(80);
  const waits = waitsOf(askMany(10));
  clock.nowMs += waits.at(-1)! + 1_000;
  assert.deepEqual(ask(), { admitted: true });
});

Deno.test("a line that nobody has come back from for two windows is forgotten", () => {
  const { clock, ask, askMany, admitted } = setup();
  admitted(80);
  const waits = waitsOf(askMany(10_000));
  assert.ok(waits.at(-1)! > 7_000_000);
  clock.nowMs += waits[0]! + 120_000;
  assert.equal(ask().admitted, false);
  clock.nowMs += 1;
  assert.deepEqual(ask(), { admitted: true });
});

Deno.test("urgent messages go beyond a tenant's full window by their share, one in five", () => {
  const { ask, admitted } = setup();
  assert.equal(admitted(100), 80);
  assert.equal(admitted(20, URGENT), 16);
  const verdict = ask(URGENT);
  assert.ok(!verdict.admitted && verdict.waitMs <= 60_600 + 5 * 3_788);
});

Deno.test("urgent messages alone have the whole limit and no more", () => {
  const { admitted } = setup();
  assert.equal(admitted(100, URGENT), 80);
});

Deno.test("what urgent messages use is missing to the others afterwards", () => {
  const { clock, admitted } = setup();
  assert.equal(admitted(10, URGENT), 10);
  clock.nowMs += 1_000;
  assert.equal(admitted(100), 70);
});

Deno.test("a second of one sender never holds more than its throughput, urgent ones included", () => {
  const { admitted } = setup({
    tenant: tenantLimit({ messages: 10_000, windowMs: 1_000 }),
    sender: senderLimit(80),
  });
  assert.equal(admitted(100), 72);
  assert.equal(admitted(100, URGENT), 8);
});

Deno.test("a limit of one lets one of each kind go", () => {
  const { admitted } = setup({ tenant: tenantLimit({ messages: 1, windowMs: 60_000 }) });
  assert.equal(admitted(3), 1);
  assert.equal(admitted(3, URGENT), 1);
});

Deno.test("a raised limit lets newcomers go at once, a lowered one holds them back", () => {
  const { inForce, clock, ask, admitted } = setup();
  assert.equal(admitted(80), 80);
  inForce.tenant = tenantLimit({ messages: 100, windowMs: 60_000 });
  assert.equal(admitted(40), 20);
  clock.nowMs += 200_000;
  inForce.tenant = tenantLimit({ messages: 10, windowMs: 60_000 });
  assert.equal(admitted(40), 10);
  inForce.tenant = tenantLimit({ messages: 80, windowMs: 60_000 });
  assert.equal(admitted(70, COME_BACK), 70);
  assert.equal(ask(COME_BACK).admitted, false);
});

Deno.test("a line moves as messages of different moments leave the window", () => {
  const { clock, ask, admitted } = setup();
  admitted(1);
  clock.nowMs += 50_000;
  admitted(79);
  assert.deepEqual(waitsOf([ask(), ask(), ask()]), [10_600, 60_600, 61_358]);
});

Deno.test("a line is slower by what urgent messages use", () => {
  const { askMany, admitted } = setup();
  admitted(16, URGENT);
  admitted(64);
  assert.deepEqual(waitsOf(askMany(3)), [60_600, 61_547, 62_494]);
});

Deno.test("newcomers stand behind those whose moment could not be kept", () => {
  const { ask, askMany, admitted } = setup();
  admitted(80);
  assert.deepEqual(waitsOf(askMany(3, COME_BACK)), [60_600, 61_358, 62_115]);
  assert.deepEqual(waitsOf([ask()]), [62_873]);
});

Deno.test("an urgent message's first moment may be of what others leave free, its next is of its share", () => {
  const waits = [0, 1].map((deferrals) => {
    const { clock, ask, admitted } = setup();
    for (const afterMs of [30_000, 20_000]) {
      admitted(40);
      clock.nowMs += afterMs;
    }
    admitted(16, URGENT);
    return waitsOf([ask({ urgent: true, deferrals })])[0];
  });
  assert.deepEqual(waits, [10_600, 60_600]);
});

Deno.test("a moment that is rounded never makes room early", () => {
  const { clock, admitted } = setup({ tenant: tenantLimit({ messages: 300, windowMs: 1_000 }) });
  clock.nowMs += 4;
  assert.equal(admitted(300), 300);
  clock.nowMs += 999;
  assert.equal(admitted(1), 0);
  clock.nowMs += 2;
  assert.equal(admitted(300, COME_BACK_AGAIN), 300);
});

Deno.test("a recipient's pair is held back for as long as its burst would have taken", () => {
  const { clock, ask } = setup({ sender: senderLimit(1_000) });
  const pair = newPair();
  for (let i = 0; i < 20; i += 1) assert.deepEqual(ask(NEWCOMER, pair), { admitted: true });
  clock.nowMs += 6_000;
  assert.deepEqual(ask(NEWCOMER, pair), { admitted: false, waitMs: 114_000, by: "pair" });
  assert.deepEqual(ask(), { admitted: true });
});

Deno.test("a message that its pair holds back takes nobody's place with tenant and sender", () => {
  const { ask, admitted } = setup({ tenant: tenantLimit({ messages: 50, windowMs: 60_000 }) });
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

Deno.test("a clock that jumps back by an hour delays nothing by more than the window", () => {
  const { clock, ask, admitted } = setup();
  assert.equal(admitted(80), 80);
  clock.nowMs -= 3_600_000;
  const verdict = ask();
  assert.ok(!verdict.admitted && verdict.waitMs === 60_600);
  clock.nowMs += 60_000;
  assert.equal(admitted(80, COME_BACK), 80);
});

Deno.test("a clock that jumps forward lets a window's worth go early and no more", () => {
  const { clock, admitted } = setup();
  admitted(80);
  clock.nowMs += 3_600_000;
  assert.equal(admitted(100), 80);
  clock.nowMs -= 3_600_000;
  assert.equal(admitted(100, COME_BACK), 0);
});

interface Step {
  afterMs: number;
  count: number;
  urgent: boolean;
  deferrals: number;
}

const steps = fc.array(
  fc.record({
    afterMs: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 1_500 })),
    count: fc.integer({ min: 1, max: 30 }),
    urgent: fc.boolean(),
    deferrals: fc.integer({ min: 0, max: 2 }),
  }),
  { maxLength: 60 },
);

function countWithin(moments: { atMs: number }[], fromMs: number, toMs: number): number {
  return moments.filter(({ atMs }) => atMs > fromMs && atMs <= toMs).length;
}

/** Everything that went, in order. */
function play(asked: Step[], limits: { tenant: Limit; sender: Limit }) {
  const { clock, ask } = setup(limits);
  const went: { atMs: number; urgent: boolean }[] = [];
  for (const { afterMs, count, urgent, deferrals } of asked) {
    clock.nowMs += afterMs;
    for (let i = 0; i < count; i += 1) {
      if (ask({ urgent, deferrals }).admitted) went.push({ atMs: clock.nowMs, urgent });
    }
  }
  return went;
}

Deno.test("no window of any limit ever holds more than it may, whatever comes when", () => {
  fc.assert(fc.property(
    steps,
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 2_000 }),
    fc.integer({ min: 1, max: 60 }),
    (asked, messages, windowMs, perSecond) => {
      const limits = {
        tenant: tenantLimit({ messages, windowMs }),
        sender: senderLimit(perSecond),
      };
      const went = play(asked, limits);
      for (const { atMs } of went) {
        for (const { capacity, others, urgentShare, windowMs } of Object.values(limits)) {
          const inWindow = countWithin(went, atMs - windowMs, atMs);
          assert.ok(inWindow <= Math.max(capacity, others + urgentShare));
          const normal = went.filter(({ urgent }) => !urgent);
          assert.ok(countWithin(normal, atMs - windowMs, atMs) <= others);
          const alone = normal.length === 0 || normal.length === went.length;
          if (alone) assert.ok(inWindow <= capacity);
        }
      }
    },
  ));
});

Deno.test("a limit above 240 messages, whose moments are rounded, is never exceeded either", () => {
  fc.assert(fc.property(steps, fc.integer({ min: 241, max: 300 }), (asked, messages) => {
    const limits = {
      tenant: tenantLimit({ messages, windowMs: 1_000 }),
      sender: senderLimit(1_000),
    };
    const went = play(asked.map((step) => ({ ...step, count: step.count * 10 })), limits);
    const { capacity, urgentShare } = limits.tenant;
    for (const { atMs } of went) {
      assert.ok(countWithin(went, atMs - 1_000, atMs) <= capacity + urgentShare);
    }
  }));
});

Deno.test("every message that goes is within the limit that is in force at that moment", () => {
  fc.assert(fc.property(
    fc.array(fc.record({
      afterMs: fc.integer({ min: 0, max: 700 }),
      count: fc.integer({ min: 1, max: 30 }),
      deferrals: fc.integer({ min: 0, max: 2 }),
      messages: fc.integer({ min: 1, max: 40 }),
    })),
    (asked) => {
      const { clock, ask, inForce } = setup();
      const went: { atMs: number }[] = [];
      for (const { afterMs, count, deferrals, messages } of asked) {
        clock.nowMs += afterMs;
        inForce.tenant = tenantLimit({ messages, windowMs: 1_000 });
        for (let i = 0; i < count; i += 1) {
          if (!ask({ urgent: false, deferrals }).admitted) continue;
          went.push({ atMs: clock.nowMs });
          assert.ok(countWithin(went, clock.nowMs - 1_000, clock.nowMs) <= messages);
        }
      }
    },
  ));
});

Deno.test("newcomers of one sender keep their order", () => {
  fc.assert(fc.property(
    fc.array(
      fc.record({
        afterMs: fc.integer({ min: 0, max: 1_000 }),
        count: fc.integer({ min: 1, max: 30 }),
      }),
      { maxLength: 30 },
    ),
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 40 }),
    (asked, messages, perSecond) => {
      const { clock, ask } = setup({
        tenant: tenantLimit({ messages, windowMs: 1_000 }),
        sender: senderLimit(perSecond),
      });
      let lastAtMs = 0;
      for (const { afterMs, count } of asked) {
        clock.nowMs += afterMs;
        for (let i = 0; i < count; i += 1) {
          const verdict = ask();
          const atMs = clock.nowMs + (verdict.admitted ? 0 : verdict.waitMs);
          assert.ok(atMs >= lastAtMs);
          lastAtMs = atMs;
        }
      }
    },
  ));
});

Deno.test("an urgent message goes at once while its share is not used up, whatever the others do", () => {
  fc.assert(fc.property(steps, (asked) => {
    const limits = {
      tenant: tenantLimit({ messages: 20, windowMs: 1_000 }),
      sender: senderLimit(40),
    };
    const { clock, ask } = setup(limits);
    const urgentWent: { atMs: number }[] = [];
    for (const { afterMs, count, urgent, deferrals } of asked) {
      clock.nowMs += afterMs;
      if (!urgent) {
        for (let i = 0; i < count; i += 1) ask({ urgent: false, deferrals });
        continue;
      }
      const used = countWithin(urgentWent, clock.nowMs - 1_000, clock.nowMs);
      const verdict = ask({ urgent: true, deferrals: 2 });
      if (used < limits.tenant.urgentShare) assert.deepEqual(verdict, { admitted: true });
      if (verdict.admitted) urgentWent.push({ atMs: clock.nowMs });
    }
  }));
});
