import { strict as assert } from "node:assert";
import fc from "fast-check";

import {
  admitCalls,
  type Breaker,
  isolateBreaker,
  NEW_BREAKER,
  reportCalls,
  resetBreaker,
  SEVERAL,
} from "./breaker.ts";
import { BREAKER_SETTINGS } from "./breaker_settings.ts";

const settings = BREAKER_SETTINGS.tenant;
const slotMs = settings.windowMs / 10;

interface Ticket {
  epoch: number;
  generation: number;
}

/**
 * The rules as one would tell them: every answer is remembered with its time, calls carry the epoch
 * that they began in, and the epoch ends with every change of state and every probe.
 */
interface Model {
  nowMs: number;
  state: "closed" | "open" | "half_open" | "isolated";
  epoch: number;
  untilMs: number;
  failedProbes: number;
  answers: { atMs: number; failed: boolean }[];
  tickets: Ticket[];
}

interface Real {
  breaker: Breaker;
}

type Command = fc.Command<Model, Real>;

function enter(model: Model, state: Model["state"], forMs = 0): void {
  model.state = state;
  model.untilMs = model.nowMs + forMs;
  model.epoch += 1;
  if (state === "closed") Object.assign(model, { answers: [], failedProbes: 0 });
}

function shouldOpen({ answers, nowMs }: Model): boolean {
  const last = answers.slice(-5);
  if (last.length === 5 && last.every(({ failed }) => failed)) return true;
  const slot = (ms: number) => Math.floor(ms / slotMs);
  const recent = answers.filter(({ atMs }) => slot(atMs) > slot(nowMs) - 10);
  const failed = recent.filter((it) => it.failed);
  return recent.length >= 5 && failed.length / recent.length >= 0.3;
}

class Wait implements Command {
  constructor(readonly ms: number) {}
  check = () => true;
  run(model: Model): void {
    model.nowMs += this.ms;
  }
  toString = () => `wait ${this.ms}`;
}

class Admit implements Command {
  check = () => true;
  run(model: Model, real: Real): void {
    const { breaker, admission } = admitCalls(real.breaker, model.nowMs, settings);
    real.breaker = breaker;
    const isDue = model.state !== "isolated" && model.nowMs >= model.untilMs;
    const expected = model.state === "closed" || isDue;
    assert.equal(admission.allowed, expected);
    if (!admission.allowed) {
      const waitMs = admission.retryAtMs - model.nowMs;
      assert.ok(waitMs > 0 && waitMs <= settings.maxOpenMs, "held back for ever");
      return;
    }
    assert.equal(admission.probe, model.state !== "closed");
    if (admission.probe) enter(model, "half_open", settings.probeLeaseMs);
    model.tickets.push({ epoch: model.epoch, generation: admission.generation });
  }
  toString = () => "admit";
}

class Answer implements Command {
  constructor(readonly ticket: number, readonly failed: boolean) {}
  check = ({ tickets }: Readonly<Model>) => tickets.length > 0;
  run(model: Model, real: Real): void {
    const index = this.ticket % model.tickets.length;
    const [{ epoch, generation }] = model.tickets.splice(index, 1) as [Ticket];
    const failures = Number(this.failed);
    const results = {
      generation,
      failures,
      successes: 1 - failures,
      trailingFailures: failures,
      pauseMs: 0,
      witness: SEVERAL,
    };
    const moment = { nowMs: model.nowMs, chancePermille: 0 };
    const before = real.breaker;
    real.breaker = reportCalls(before, results, moment, settings);
    if (epoch === model.epoch) this.#count(model);
    else assert.equal(real.breaker, before, "a late answer changed something");
    assert.equal(real.breaker.state, model.state);
  }
  #count(model: Model): void {
    if (model.state === "half_open") {
      if (!this.failed) return enter(model, "closed");
      model.failedProbes += 1;
      const grownMs = settings.openMs * 1.5 ** model.failedProbes;
      return enter(model, "open", Math.min(grownMs, settings.maxOpenMs));
    }
    model.answers.push({ atMs: model.nowMs, failed: this.failed });
    if (this.failed && shouldOpen(model)) enter(model, "open", settings.openMs);
  }
  toString = () => `answer ${this.ticket} ${this.failed ? "failed" : "ok"}`;
}

class Steer implements Command {
  constructor(readonly order: "isolate" | "reset") {}
  check = () => true;
  run(model: Model, real: Real): void {
    const steer = this.order === "isolate" ? isolateBreaker : resetBreaker;
    real.breaker = steer(real.breaker, model.nowMs);
    enter(model, this.order === "isolate" ? "isolated" : "closed");
    assert.equal(real.breaker.state, model.state);
  }
  toString = () => this.order;
}

const wait = fc.oneof(fc.nat(4_000), fc.constantFrom(15_000, 30_000, 60_000, 90_000));
const commands = fc.commands([
  wait.map((ms) => new Wait(ms)),
  fc.constant(new Admit()),
  fc.constant(new Admit()),
  fc.tuple(fc.nat(50), fc.boolean()).map(([ticket, failed]) => new Answer(ticket, failed)),
  fc.nat(50).map((ticket) => new Answer(ticket, true)),
  fc.nat(100).map((n) => new Steer(n % 2 === 0 ? "isolate" : "reset")),
], { size: "max", maxCommands: 200 });

Deno.test("a breaker does what its rules say, whatever comes in whatever order", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2e12 }), commands, (nowMs, steps) => {
      const model: Model = {
        nowMs,
        state: "closed",
        epoch: 0,
        untilMs: 0,
        failedProbes: 0,
        answers: [],
        tickets: [],
      };
      fc.modelRun(() => ({ model, real: { breaker: NEW_BREAKER } }), steps);
    }),
    { numRuns: 500 },
  );
});

Deno.test("at most one probe is out at any time, however many ask", () => {
  const asks = fc.array(fc.nat(20_000), { minLength: 2, size: "max", maxLength: 100 });
  fc.assert(fc.property(asks, (waits) => {
    let breaker: Breaker = { ...NEW_BREAKER, state: "open", sinceMs: 0, durationMs: 60_000 };
    let nowMs = 60_000;
    let leasedAtMs = -Infinity;
    for (const waitMs of waits) {
      nowMs += waitMs;
      const asked = admitCalls(breaker, nowMs, settings);
      breaker = asked.breaker;
      if (!asked.admission.allowed) continue;
      assert.ok(nowMs - leasedAtMs >= settings.probeLeaseMs);
      leasedAtMs = nowMs;
    }
  }));
});
