/** A limit that is changed while messages wait at it. */
import { strict as assert } from "node:assert";

import { senderLimit, tenantLimit } from "./limits.ts";
import { COME_BACK, createSchedule, NEWCOMER, waitsOf } from "./test_schedule.ts";

const perMinute = (messages: number) => tenantLimit({ messages, windowMs: 60_000 });

/** A tenant that has sent its minute's messages, and so many more that wait. */
function withWaiting(messages: number, waiting: number) {
  const schedule = createSchedule({ tenant: perMinute(messages), sender: senderLimit(10_000) });
  assert.equal(schedule.admitted(messages), messages);
  const waits = waitsOf(schedule.askMany(waiting));
  return { ...schedule, lastMs: waits.at(-1)! };
}

Deno.test("newcomers stand behind those who wait as long as the new limit takes for them, raised or lowered", () => {
  for (const factor of [10, 2, 1 / 2, 1 / 8]) {
    const { inForce, ask, lastMs } = withWaiting(80, 400);
    assert.ok(lastMs > 300_000);
    inForce.tenant = perMinute(80 * factor);
    const [wait] = waitsOf([ask(NEWCOMER)]);
    assert.ok(Math.abs(wait! - lastMs / factor) < lastMs / factor / 50, `${factor}: ${wait} ms`);
  }
});

Deno.test("who is called back when the limit is raised goes at once where the window has room", () => {
  const { inForce, admitted } = withWaiting(80, 400);
  inForce.tenant = perMinute(400);
  assert.equal(admitted(400, COME_BACK), 320);
  assert.equal(admitted(1, NEWCOMER), 0);
});

Deno.test("a raised limit is never exceeded by those who are called back and come in their turn", () => {
  const { clock, inForce, ask } = withWaiting(80, 400);
  inForce.tenant = perMinute(120);
  let waiting = Array.from({ length: 400 }, () => ({ atMs: clock.nowMs, deferrals: 1 }));
  const went: number[] = [];
  while (waiting.length > 0) {
    clock.nowMs = Math.min(...waiting.map(({ atMs }) => atMs));
    waiting = waiting.flatMap((message) => {
      if (message.atMs > clock.nowMs) return [message];
      const verdict = ask({ urgent: false, deferrals: message.deferrals });
      if (verdict.admitted) went.push(clock.nowMs);
      return verdict.admitted
        ? []
        : [{ atMs: clock.nowMs + verdict.waitMs, deferrals: message.deferrals + 1 }];
    });
  }
  for (const from of went) {
    assert.ok(went.filter((at) => at >= from && at < from + 60_000).length <= 120);
  }
  // The minute that was spent, and all that waited, at the new pace.
  assert.ok(clock.nowMs - went[0]! < (80 + 400) / 120 * 60_000 * 1.02);
});

Deno.test("a message that comes while the pace changes step by step waits as at the last pace", () => {
  const { inForce, ask, lastMs } = withWaiting(80, 400);
  for (const messages of [20, 300, 81, 160]) {
    inForce.tenant = perMinute(messages);
    ask(COME_BACK);
  }
  const [wait] = waitsOf([ask(NEWCOMER)]);
  assert.ok(Math.abs(wait! - lastMs / 2) < lastMs / 50, `${wait} ms`);
});
