import { strict as assert } from "node:assert";

import { withDeadline } from "./deadline.ts";

const never = () => new Promise<never>(() => {});
const atOnce = () => Promise.resolve();

Deno.test("withDeadline() gives the answer of work that is done in time", async () => {
  const answer = await withDeadline(() => Promise.resolve(42), 100, never);
  assert.deepEqual(answer, { ok: true, value: 42 });
});

Deno.test("withDeadline() does not wait for work that hangs, and tells it to stop", async () => {
  let told: AbortSignal | undefined;
  const work = (signal: AbortSignal) => {
    told = signal;
    return never();
  };
  const answer = await withDeadline(work, 100, atOnce);
  assert.ok(!answer.ok && answer.timedOut);
  assert.equal(told?.aborted, true);
});

Deno.test("withDeadline() tells failure from lateness", async () => {
  const answer = await withDeadline(() => Promise.reject(new Error("refused")), 100, never);
  assert.ok(!answer.ok && !answer.timedOut);
});
