/** Backlogs played to their end: each message comes back at the moment that it was given, or late. */
import { strict as assert } from "node:assert";
import fc from "fast-check";

import { senderLimit, tenantLimit } from "./limits.ts";
import { newPair } from "./pair.ts";
import { bind, decide, newLimitState } from "./schedule.ts";

interface Waiting {
  order: number;
  dueMs: number;
  urgent: boolean;
  asked: number;
}

interface Sent {
  atMs: number;
  urgent: boolean;
  asked: number;
}

interface Play {
  /** When each message comes for the first time. */
  normalMs: number[];
  urgentMs?: number[];
  messages: (nowMs: number) => number;
  /** How late what is due is claimed. */
  lateMs: (dueMs: number) => number;
}

const MAX_CLAIM = 200;
const SENDER = senderLimit(80);

/** A tenant's messages through one sender, with 60 s windows, until all are sent. */
function play({ normalMs, urgentMs = [], messages, lateMs }: Play): Sent[] {
  const states = { tenant: newLimitState(0), sender: newLimitState(0) };
  const newcomer = (urgent: boolean) => (dueMs: number, order: number): Waiting => ({
    ...{ order, dueMs, urgent, asked: 0 },
  });
  let queue = [...urgentMs.map(newcomer(true)), ...normalMs.map(newcomer(false))].sort(byTurn);
  const sent: Sent[] = [];
  let nowMs = 0;
  while (queue.length > 0) {
    const { dueMs } = queue[0]!;
    nowMs = Math.max(nowMs + 1, dueMs + lateMs(dueMs));
    const due = queue.findIndex(({ dueMs }) => dueMs > nowMs);
    const claim = queue.splice(0, Math.min(MAX_CLAIM, due < 0 ? queue.length : due));
    const limit = tenantLimit({ messages: messages(nowMs), windowMs: 60_000 });
    const tenant = bind(limit, states.tenant, nowMs);
    const sender = bind(SENDER, states.sender, nowMs);
    for (const message of claim) {
      const asking = { urgent: message.urgent, deferrals: message.asked };
      const verdict = decide({ tenant, sender, pair: newPair() }, asking, nowMs);
      message.asked += 1;
      if (verdict.admitted) sent.push({ ...message, atMs: nowMs });
      else queue.push({ ...message, dueMs: nowMs + verdict.waitMs });
    }
    queue = queue.sort(byTurn);
  }
  return sent;
}

function byTurn(one: Waiting, other: Waiting): number {
  return one.dueMs - other.dueMs || one.order - other.order;
}

const atOnce = (count: number) => Array<number>(count).fill(0);
const asked = (sent: Sent[]) => sent.map((message) => message.asked);
const mean = (numbers: number[]) => numbers.reduce((sum, n) => sum + n, 0) / numbers.length;

Deno.test("a backlog goes at the limit, and each of its messages is put off once at the most", () => {
  const sent = play({ normalMs: atOnce(1_000), messages: () => 80, lateMs: () => 0 });
  assert.equal(Math.max(...asked(sent)), 2);
  for (let minute = 1; minute < 12; minute += 1) {
    const inMinute = sent.filter(({ atMs }) => Math.floor(atMs / 60_000) === minute);
    assert.ok(Math.abs(inMinute.length - 80) <= 1, `${inMinute.length} in minute ${minute}`);
  }
});

Deno.test("a hundred messages a second go at the limit, and each is put off once at the most", () => {
  const normalMs = Array.from({ length: 3_000 }, (_, i) => i * 10);
  const sent = play({ normalMs, messages: () => 80, lateMs: () => 3 });
  assert.equal(Math.max(...asked(sent)), 2);
  assert.ok(sent.at(-1)!.atMs < 3_000 / 79 * 60_000);
});

Deno.test("drains that come by a ticker alone keep the rate and put nothing off twice", () => {
  for (const tickMs of [1_000, 5_000, 10_000]) {
    const lateMs = (dueMs: number) => tickMs - dueMs % tickMs;
    const sent = play({ normalMs: atOnce(800), messages: () => 80, lateMs });
    assert.equal(Math.max(...asked(sent)), 2);
    assert.ok(sent.at(-1)!.atMs <= 800 / 79 * 60_000 + 2 * tickMs);
  }
});

Deno.test("urgent messages within their share are sent at once beside a backlog", () => {
  const urgentMs = Array.from({ length: 200 }, (_, i) => 1 + i * 3_750);
  const sent = play({ normalMs: atOnce(800), urgentMs, messages: () => 80, lateMs: () => 0 });
  const urgent = sent.filter((message) => message.urgent);
  assert.deepEqual(new Set(asked(urgent)), new Set([1]));
  assert.ok(Math.max(...asked(sent)) <= 5);
});

Deno.test("a standstill of the drains puts off what it made late once more, and no more", () => {
  const lateMs = (dueMs: number) => dueMs > 200_000 && dueMs < 260_000 ? 260_000 - dueMs : 3;
  const sent = play({ normalMs: atOnce(800), messages: () => 80, lateMs });
  assert.ok(Math.max(...asked(sent)) <= 4);
});

Deno.test("a limit that is halved meanwhile is kept, and puts off each message once more", () => {
  const messages = (nowMs: number) => nowMs > 200_000 ? 40 : 80;
  const sent = play({ normalMs: atOnce(800), messages, lateMs: () => 3 });
  assert.ok(Math.max(...asked(sent)) <= 4);
  const last = sent.filter(({ atMs }) => atMs > 260_000).map(({ atMs }) => atMs);
  last.forEach((atMs, i) => assert.ok(i < 40 || atMs - last[i - 40]! >= 60_000));
});

Deno.test("nobody waits for ever, whatever comes when and however late", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 300_000 }), { maxLength: 150 }),
      fc.array(fc.integer({ min: 0, max: 300_000 }), { maxLength: 50 }),
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 7 }),
      (normalMs, urgentMs, limit, late) => {
        let turn = 0;
        const lateMs = () => late[turn++ % late.length]!;
        const sent = play({ normalMs, urgentMs, messages: () => limit, lateMs });
        const count = normalMs.length + urgentMs.length;
        assert.equal(sent.length, count);
        const endMs = 300_000 + (count / limit + 2) * 80_000;
        assert.ok(sent.every(({ atMs }) => atMs <= endMs));
        assert.ok(count === 0 || mean(asked(sent)) <= 4);
      },
    ),
    { numRuns: 60 },
  );
});
