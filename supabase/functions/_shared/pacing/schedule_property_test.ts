import { strict as assert } from "node:assert";
import fc from "fast-check";

import { senderLimit, tenantLimit } from "./limits.ts";
import type { Limit } from "./limits.ts";
import { createSchedule } from "./test_schedule.ts";

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
  const { clock, ask } = createSchedule(limits);
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
      const { clock, ask, inForce } = createSchedule();
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
      const { clock, ask } = createSchedule({
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
    const { clock, ask } = createSchedule(limits);
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
