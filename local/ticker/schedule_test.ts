import { strict as assert } from "node:assert";
import {
  advanceClock,
  type JobClock,
  mayStart,
  newJobClock,
  parseSchedule,
  type Schedule,
  startRun,
} from "./schedule.ts";

const at = (time: string) => Date.parse(`2026-11-22T${time}Z`);

function schedule(text: string): Schedule {
  const parsed = parseSchedule(text);
  assert(parsed, `${text} is a schedule`);
  return parsed;
}

/** Looks at the clock once a second, as the ticker does. */
function look(clock: JobClock, from: number, until: number): JobClock {
  for (let now = from; now <= until; now += 1_000) clock = advanceClock(clock, now);
  return clock;
}

for (const text of ["1 second", "5 seconds", " 59  SECONDS "]) {
  Deno.test(`parseSchedule() reads ${JSON.stringify(text)} as an interval`, () => {
    assert.deepEqual(parseSchedule(text), {
      kind: "interval",
      everyMs: parseInt(text.trim()) * 1_000,
    });
  });
}

const invalid = [
  "",
  "0 seconds",
  "60 seconds",
  "5 minutes",
  "* * * *",
  "30 * * * * *",
  "61 * * * *",
];
for (const text of invalid) {
  Deno.test(`parseSchedule() refuses ${JSON.stringify(text)}`, () => {
    assert.equal(parseSchedule(text), null);
  });
}

const calendar: [text: string, after: string, until: string, due: boolean][] = [
  ["* * * * *", "2026-11-22T10:00:30Z", "2026-11-22T10:00:59Z", false],
  ["* * * * *", "2026-11-22T10:00:30Z", "2026-11-22T10:01:00Z", true],
  ["*/5 * * * *", "2026-11-22T10:01:00Z", "2026-11-22T10:04:59Z", false],
  ["30 4 * * *", "2026-11-22T04:29:59Z", "2026-11-22T04:30:00Z", true],
  ["@hourly", "2026-11-22T10:59:59Z", "2026-11-22T11:00:00Z", true],
  // Either of two restricted day fields suffices: 2026-11-23 is a Monday, not a first.
  ["0 0 1 * mon", "2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z", true],
  ["0 0 $ * *", "2026-11-29T23:59:59Z", "2026-11-30T00:00:00Z", true],
  ["0 0 $ * *", "2026-11-28T23:59:59Z", "2026-11-29T00:00:00Z", false],
];
for (const [text, after, until, due] of calendar) {
  Deno.test(`${text} is ${due ? "" : "not "}due between ${after} and ${until}`, () => {
    const parsed = schedule(text);
    assert.equal(parsed.kind, "calendar");
    assert.equal(parsed.isDue(Date.parse(after), Date.parse(until)), due);
  });
}

Deno.test("an interval job first runs one interval after it was seen", () => {
  const clock = newJobClock(schedule("5 seconds"), at("10:00:00"));
  assert.equal(mayStart(look(clock, at("10:00:01"), at("10:00:04"))), false);
  assert.equal(mayStart(look(clock, at("10:00:01"), at("10:00:05"))), true);
});

Deno.test("an interval job that takes long has at most one run waiting, due at once", () => {
  const seen = newJobClock(schedule("5 seconds"), at("10:00:00"));
  const started = startRun(look(seen, at("10:00:01"), at("10:00:05")), at("10:00:05"));
  const late = look(started, at("10:00:06"), at("10:00:40"));
  assert.deepEqual([late.due, mayStart(late)], [1, false]);
  const ended = { ...late, isRunning: false };
  assert.equal(mayStart(ended), true);
  assert.equal(startRun(ended, at("10:00:41")).due, 0);
});

Deno.test("a calendar job that takes long has every missed run waiting", () => {
  const seen = newJobClock(schedule("* * * * *"), at("10:00:30"));
  const started = startRun(look(seen, at("10:00:31"), at("10:01:00")), at("10:01:00"));
  const late = look(started, at("10:01:01"), at("10:04:00"));
  assert.deepEqual([late.due, mayStart(late)], [3, false]);
});

Deno.test("a stretch in which nobody looked counts as one run", () => {
  const seen = newJobClock(schedule("* * * * *"), at("10:00:30"));
  assert.equal(advanceClock(seen, at("18:00:00")).due, 1);
});

Deno.test("an @reboot job runs once", () => {
  const seen = newJobClock(schedule("@reboot"), at("10:00:00"));
  assert.equal(mayStart(seen), true);
  const started = startRun(seen, at("10:00:00"));
  assert.equal(
    mayStart({ ...look(started, at("10:00:01"), at("10:05:00")), isRunning: false }),
    false,
  );
});
