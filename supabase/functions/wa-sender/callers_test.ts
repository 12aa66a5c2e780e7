import { strict as assert } from "node:assert";

import { createCallers } from "./callers.ts";

function setup() {
  let called = Promise.withResolvers<void>();
  const clock = { uptimeMs: 1_000 };
  const callers = createCallers({ nextCall: () => called.promise }, {
    uptime: () => clock.uptimeMs,
    sleep: (ms) => {
      clock.uptimeMs += ms;
      return Promise.resolve();
    },
  });
  return {
    callers,
    clock,
    call() {
      called.resolve();
      called = Promise.withResolvers();
    },
  };
}

async function isOver(promise: Promise<void>): Promise<boolean> {
  let over = false;
  promise.then(() => over = true);
  await new Promise((resolve) => setTimeout(resolve));
  return over;
}

Deno.test("who called since the last claim may have an early one at once", async () => {
  const { callers, call, clock } = setup();
  assert.equal(await isOver(callers.mayClaimEarly()), false);
  call();
  assert.equal(await isOver(callers.mayClaimEarly()), true);
  assert.equal(clock.uptimeMs, 1_000);
});

Deno.test("a claim answers all calls before it, none that come while it is made", async () => {
  const { callers, call } = setup();
  call();
  callers.answer({ early: true });
  assert.equal(await isOver(callers.called()), false);
  call();
  assert.equal(await isOver(callers.called()), true);
});

Deno.test("between two early claims others are sent for 40 ms", async () => {
  const { callers, call, clock } = setup();
  callers.answer({ early: true });
  clock.uptimeMs += 10;
  call();
  await callers.mayClaimEarly();
  assert.equal(clock.uptimeMs, 1_040);
});

Deno.test("a claim that was due anyway delays no early one", async () => {
  const { callers, call, clock } = setup();
  callers.answer({ early: false });
  call();
  await callers.mayClaimEarly();
  assert.equal(clock.uptimeMs, 1_000);
});

Deno.test("callers are around for a second after a call, also when it was answered", async () => {
  const { callers, call, clock } = setup();
  assert.equal(callers.areAround(), false);
  call();
  await callers.called();
  callers.answer({ early: true });
  clock.uptimeMs += 999;
  assert.equal(callers.areAround(), true);
  clock.uptimeMs += 1;
  assert.equal(callers.areAround(), false);
});

Deno.test("without a turn nobody ever calls", async () => {
  const callers = createCallers(undefined, { uptime: () => 0, sleep: () => Promise.resolve() });
  assert.equal(await isOver(callers.mayClaimEarly()), false);
  assert.equal(callers.areAround(), false);
});
