import { strict as assert } from "node:assert";

import { createTurnstile } from "./turnstile.ts";

function setup() {
  const runs: {
    resolve: (value: string) => void;
    reject: (error: Error) => void;
    somebodyWaits: AbortSignal;
  }[] = [];
  const enter = createTurnstile((somebodyWaits) =>
    new Promise<string>((resolve, reject) => runs.push({ resolve, reject, somebodyWaits }))
  );
  return { runs, enter };
}

/** Lets every reaction to a settled promise run. */
function settled(): Promise<void> {
  return new Promise((resolve) =>
    queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => queueMicrotask(resolve))))
  );
}

Deno.test("a turnstile lets one run go at a time, and calls meanwhile share the next", async () => {
  const { runs, enter } = setup();
  const first = enter();
  const [second, third] = [enter(), enter()];
  assert.equal(runs.length, 1);
  runs[0]!.resolve("one");
  assert.equal(await first, "one");
  await settled();
  assert.equal(runs.length, 2);
  runs[1]!.resolve("two");
  assert.deepEqual(await Promise.all([second, third]), ["two", "two"]);
  assert.equal(runs.length, 2);
});

Deno.test("a run that fails fails its own callers only", async () => {
  const { runs, enter } = setup();
  const first = enter();
  const second = enter();
  runs[0]!.reject(new Error("broken"));
  await assert.rejects(first, /broken/);
  await settled();
  runs[1]!.resolve("fine");
  assert.equal(await second, "fine");
});

Deno.test("a turnstile that is free again starts at once", async () => {
  const { runs, enter } = setup();
  const first = enter();
  runs[0]!.resolve("one");
  await first;
  await settled();
  void enter();
  assert.equal(runs.length, 2);
});

Deno.test("a run is told when somebody waits for the next one", () => {
  const { runs, enter } = setup();
  void enter();
  assert.equal(runs[0]!.somebodyWaits.aborted, false);
  void enter();
  assert.equal(runs[0]!.somebodyWaits.aborted, true);
});
