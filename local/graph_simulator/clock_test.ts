import { strict as assert } from "node:assert";
import { createClock } from "./clock.ts";

function aClock() {
  const outside = { time: 1_000, wakes: [] as { delayMs: number; wake: () => void }[] };
  const clock = createClock({
    now: () => outside.time,
    wakeAfter(delayMs, wake) {
      const planned = { delayMs, wake };
      outside.wakes.push(planned);
      return () => outside.wakes.splice(outside.wakes.indexOf(planned), 1);
    },
  });
  return { outside, clock };
}

Deno.test("advance() runs callbacks in the order of their time, each at its own time", () => {
  const { clock } = aClock();
  const ran: [string, number][] = [];
  clock.after(300, () => ran.push(["late", clock.now()]));
  clock.after(100, () => ran.push(["early", clock.now()]));
  clock.after(200, () => ran.push(["middle", clock.now()]));
  clock.advance(250);
  assert.deepEqual(ran, [["early", 1_100], ["middle", 1_200]]);
  assert.equal(clock.now(), 1_250);
});

Deno.test("advance() also runs what callbacks plan within that time", () => {
  const { clock } = aClock();
  const ran: number[] = [];
  const again = () => {
    ran.push(clock.now());
    clock.after(10, again);
  };
  clock.after(10, again);
  clock.advance(35);
  assert.deepEqual(ran, [1_010, 1_020, 1_030]);
});

Deno.test("a cancelled callback does not run", () => {
  const { clock } = aClock();
  const cancel = clock.after(10, () => assert.fail("ran"));
  cancel();
  clock.advance(20);
});

Deno.test("the same function planned twice runs twice", () => {
  const { clock } = aClock();
  let ran = 0;
  const count = () => ran++;
  clock.after(10, count);
  clock.after(10, count);
  clock.advance(10);
  assert.equal(ran, 2);
});

Deno.test("real time wakes once for the earliest callback", () => {
  const { clock, outside } = aClock();
  let ran = 0;
  clock.after(50, () => ran++);
  clock.after(20, () => ran++);
  assert.deepEqual(outside.wakes.map(({ delayMs }) => delayMs), [20]);
  outside.time += 20;
  outside.wakes.shift()?.wake();
  assert.equal(ran, 1);
  assert.deepEqual(outside.wakes.map(({ delayMs }) => delayMs), [30]);
});

Deno.test("a stopped clock runs nothing and plans nothing", () => {
  const { clock, outside } = aClock();
  clock.after(10, () => assert.fail("ran"));
  clock.stop();
  clock.after(10, () => assert.fail("ran"));
  clock.advance(100);
  assert.equal(outside.wakes.length, 0);
});

Deno.test("a thousand callbacks at random times run sorted", () => {
  const { clock } = aClock();
  const ran: number[] = [];
  for (let index = 0; index < 1_000; index++) {
    clock.after((index * 7_919) % 1_009, () => ran.push(clock.now()));
  }
  clock.advance(2_000);
  assert.equal(ran.length, 1_000);
  assert.deepEqual(ran, ran.toSorted((a, b) => a - b));
});
