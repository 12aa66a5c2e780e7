import { strict as assert } from "node:assert";

import { createTurnstile } from "./turnstile.ts";

function setup() {
  const runs: { resolve: (value: string) => void; reject: (error: Error) => void }[] = [];
  const enter = createTurnstile(() =>
    new Promise<string>((resolve, reject) => runs.push({ resolve, reject }))
  );
  return { runs, enter };
}

Deno.test("a turnstile lets one run go at a time, and calls meanwhile share the next", async () => {
  const { runs, enter } = setup();
  const first = enter();
  const [second, third] = [enter(), enter()];
  assert.equal(runs.length, 1);
  runs[0]!.resolve("one");
  assert.equal(await first, "one");
  await Promise.resolve();
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
  await Promise.resolve();
  runs[1]!.resolve("fine");
  assert.equal(await second, "fine");
});

Deno.test("a turnstile that is free again starts at once", async () => {
  const { runs, enter } = setup();
  const first = enter();
  runs[0]!.resolve("one");
  await first;
  await Promise.resolve();
  void enter();
  assert.equal(runs.length, 2);
});
