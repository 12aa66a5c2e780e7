import { strict as assert } from "node:assert";

import { createTurnstile } from "./turnstile.ts";
import type { Turn } from "./turnstile.ts";

function setup() {
  const runs: {
    resolve: (value: string) => void;
    reject: (error: Error) => void;
    somebodyWaits: AbortSignal;
    turn: Turn;
  }[] = [];
  const enter = createTurnstile((somebodyWaits, turn) =>
    new Promise<string>((resolve, reject) => runs.push({ resolve, reject, somebodyWaits, turn }))
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

Deno.test("a run hears of every call that comes while it is under way", async () => {
  const { runs, enter } = setup();
  void enter();
  const heard: string[] = [];
  for (const nth of ["first", "second"]) {
    void runs[0]!.turn.nextCall().then(() => heard.push(nth));
    await settled();
    assert.ok(!heard.includes(nth));
    void enter();
    await settled();
    assert.ok(heard.includes(nth));
  }
});

Deno.test("a run that passes its turn on lets the one who waits begin, and nobody beside it", async () => {
  const { runs, enter } = setup();
  const first = enter();
  const second = enter();
  runs[0]!.turn.pass();
  const third = enter();
  await settled();
  assert.equal(runs.length, 2);
  const fourth = enter();
  runs[0]!.resolve("one");
  assert.equal(await first, "one");
  await settled();
  assert.equal(runs.length, 2);
  runs[1]!.resolve("two");
  assert.deepEqual(await Promise.all([second, third]), ["two", "two"]);
  await settled();
  runs[2]!.resolve("three");
  assert.equal(await fourth, "three");
});

Deno.test("a run that passes its turn on while nobody waits lets the next caller begin at once", () => {
  const { runs, enter } = setup();
  void enter();
  runs[0]!.turn.pass();
  void enter();
  assert.equal(runs.length, 2);
});
