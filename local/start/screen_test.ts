import { strict as assert } from "node:assert";
import { createProgress, createScreen } from "./screen.ts";

function newScreen(coloured = false) {
  const clock = { now: 0 };
  const written: string[] = [];
  const screen = createScreen({
    write: (text) => written.push(text),
    now: () => clock.now,
    coloured,
  });
  return { screen, written, clock };
}

const never = () => () => {};

Deno.test("Progress.step() shows what was done, how long it took and what came of it", async () => {
  const { screen, written, clock } = newScreen();
  const progress = createProgress(screen, () => clock.now, never);
  const work = Promise.withResolvers<number>();
  const step = progress.step("Postgres", work.promise, (port) => `on ${port}`);
  clock.now = 1_240;
  work.resolve(54322);
  assert.equal(await step, 54322);
  assert.deepEqual(written, ["  ✓ Postgres         1.2 s  on 54322\n"]);
});

Deno.test("Progress.step() shows nothing of a step that failed", async () => {
  const { screen, written } = newScreen();
  const progress = createProgress(screen, () => 0, never);
  await assert.rejects(progress.step("Postgres", Promise.reject(new Error("no"))), /no/);
  assert.deepEqual(written, []);
});

Deno.test("Progress.step() says once what a person waits for, and only while they wait", async () => {
  const { screen, written } = newScreen();
  const due = new Set<() => void>();
  const progress = createProgress(screen, () => 0, (_ms, perform) => {
    due.add(perform);
    return () => due.delete(perform);
  });
  const work = Promise.withResolvers<void>();
  const step = progress.step("Postgres", work.promise, undefined, "is downloaded");
  due.forEach((perform) => perform());
  assert.deepEqual(written, ["  … Postgres       is downloaded\n"]);
  work.resolve();
  await step;
  assert.equal(due.size, 0);
});

Deno.test("Screen colours only where told", () => {
  assert.equal(newScreen(false).screen.bold("x"), "x");
  assert.equal(newScreen(true).screen.bold("x"), "\x1b[1mx\x1b[0m");
});

Deno.test("Screen.alarm() shows the same fault once a minute, whatever ids it carries", () => {
  const { screen, written, clock } = newScreen();
  for (const at of [0, 5_000, 59_999, 60_000]) {
    clock.now = at;
    screen.alarm(`wallet | {"level":"WARN","event":"call.failed","request_id":"${at}f"}`);
    screen.alarm(`admin | error: died (exit code ${at})`);
  }
  screen.alarm(`wallet | {"level":"WARN","event":"hold.expired"}`);
  assert.equal(written.length, 5);
});

Deno.test("Screen.alarm() takes control characters out", () => {
  const { screen, written } = newScreen();
  screen.alarm("wallet | \x1b]0;owned\x07\x1b[2J");
  assert.deepEqual(written, ["  ! wallet | ]0;owned[2J\n"]);
});
