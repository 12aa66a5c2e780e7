import { strict as assert } from "node:assert";

import { senderLimit, tenantLimit } from "./limits.ts";
import { COME_BACK, COME_BACK_AGAIN, createSchedule, URGENT, waitsOf } from "./test_schedule.ts";

Deno.test("a tenant's whole limit goes at once, the next message when the first leaves the window", () => {
  const { ask, admitted } = createSchedule();
  assert.equal(admitted(80), 80);
  assert.deepEqual(ask(), { admitted: false, waitMs: 60_600, by: "tenant" });
});

Deno.test("who waits is spread evenly over the window, one hundredth slower than the limit", () => {
  const { askMany, admitted } = createSchedule({
    tenant: tenantLimit({ messages: 60, windowMs: 60_000 }),
  });
  admitted(60);
  const waits = waitsOf(askMany(121));
  assert.deepEqual(waits.slice(0, 4), [60_600, 61_610, 62_620, 63_630]);
  assert.equal(waits[120]! - waits[60]!, 60_600);
});

Deno.test("a message that comes back at its moment passes, and newcomers do not overtake it", () => {
  const { clock, ask, askMany, admitted } = createSchedule();
  admitted(80);
  const [first] = waitsOf(askMany(5));
  clock.nowMs += first!;
  assert.equal(ask().admitted, false);
  assert.deepEqual(ask(COME_BACK), { admitted: true });
  clock.nowMs += 4 * 758;
  assert.equal(admitted(4, COME_BACK), 4);
});

Deno.test("messages that never come back hold nothing up beyond their moments", () => {
  const { clock, ask, askMany, admitted } = createSchedule();
  admitted(80);
  const waits = waitsOf(askMany(10));
  clock.nowMs += waits.at(-1)! + 1_000;
  assert.deepEqual(ask(), { admitted: true });
});

Deno.test("a line that nobody has come back from for two windows is forgotten", () => {
  const { clock, ask, askMany, admitted } = createSchedule();
  admitted(80);
  const waits = waitsOf(askMany(10_000));
  assert.ok(waits.at(-1)! > 7_000_000);
  clock.nowMs += waits[0]! + 120_000;
  assert.equal(ask().admitted, false);
  clock.nowMs += 1;
  assert.deepEqual(ask(), { admitted: true });
});

Deno.test("urgent messages go beyond a tenant's full window by their share, one in five", () => {
  const { ask, admitted } = createSchedule();
  assert.equal(admitted(100), 80);
  assert.equal(admitted(20, URGENT), 16);
  const verdict = ask(URGENT);
  assert.ok(!verdict.admitted && verdict.waitMs <= 60_600 + 5 * 3_788);
});

Deno.test("urgent messages alone have the whole limit and no more", () => {
  const { admitted } = createSchedule();
  assert.equal(admitted(100, URGENT), 80);
});

Deno.test("what urgent messages use is missing to the others afterwards", () => {
  const { clock, admitted } = createSchedule();
  assert.equal(admitted(10, URGENT), 10);
  clock.nowMs += 1_000;
  assert.equal(admitted(100), 70);
});

Deno.test("a second of one sender never holds more than its throughput, urgent ones included", () => {
  const { admitted } = createSchedule({
    tenant: tenantLimit({ messages: 10_000, windowMs: 1_000 }),
    sender: senderLimit(80),
  });
  assert.equal(admitted(100), 72);
  assert.equal(admitted(100, URGENT), 8);
});

Deno.test("a limit of one lets one of each kind go", () => {
  const { admitted } = createSchedule({ tenant: tenantLimit({ messages: 1, windowMs: 60_000 }) });
  assert.equal(admitted(3), 1);
  assert.equal(admitted(3, URGENT), 1);
});

Deno.test("a raised limit lets newcomers go at once, a lowered one holds them back", () => {
  const { inForce, clock, ask, admitted } = createSchedule();
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
  const { clock, ask, admitted } = createSchedule();
  admitted(1);
  clock.nowMs += 50_000;
  admitted(79);
  assert.deepEqual(waitsOf([ask(), ask(), ask()]), [10_600, 60_600, 61_358]);
});

Deno.test("a line is slower by what urgent messages use", () => {
  const { askMany, admitted } = createSchedule();
  admitted(16, URGENT);
  admitted(64);
  assert.deepEqual(waitsOf(askMany(3)), [60_600, 61_547, 62_494]);
});

Deno.test("newcomers stand behind those whose moment could not be kept", () => {
  const { ask, askMany, admitted } = createSchedule();
  admitted(80);
  assert.deepEqual(waitsOf(askMany(3, COME_BACK)), [60_600, 61_358, 62_115]);
  assert.deepEqual(waitsOf([ask()]), [62_873]);
});

Deno.test("an urgent message's first moment may be of what others leave free, its next is of its share", () => {
  const waits = [0, 1].map((deferrals) => {
    const { clock, ask, admitted } = createSchedule();
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
  const { clock, admitted } = createSchedule({
    tenant: tenantLimit({ messages: 300, windowMs: 1_000 }),
  });
  clock.nowMs += 4;
  assert.equal(admitted(300), 300);
  clock.nowMs += 999;
  assert.equal(admitted(1), 0);
  clock.nowMs += 2;
  assert.equal(admitted(300, COME_BACK_AGAIN), 300);
});

Deno.test("a clock that jumps back by an hour delays nothing by more than the window", () => {
  const { clock, ask, admitted } = createSchedule();
  assert.equal(admitted(80), 80);
  clock.nowMs -= 3_600_000;
  const verdict = ask();
  assert.ok(!verdict.admitted && verdict.waitMs === 60_600);
  clock.nowMs += 60_000;
  assert.equal(admitted(80, COME_BACK), 80);
});

Deno.test("a clock that jumps forward lets a window's worth go early and no more", () => {
  const { clock, admitted } = createSchedule();
  admitted(80);
  clock.nowMs += 3_600_000;
  assert.equal(admitted(100), 80);
  clock.nowMs -= 3_600_000;
  assert.equal(admitted(100, COME_BACK), 0);
});
