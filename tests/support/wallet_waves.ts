import { strict as assert } from "node:assert";
import fc from "fast-check";
import { type Answer, perform, performOnModel } from "./wallet_asking.ts";
import { assertBooksHold } from "./wallet_books.ts";
import { type Cut, isCut, type Lane } from "./wallet_lane.ts";
import type { WalletModel } from "./wallet_model.ts";
import { explain, type Told } from "./wallet_orders.ts";
import { isSame, isUnmoved, readBooks } from "./wallet_seen.ts";
import {
  ACCOUNTS,
  anyStep,
  type Asked,
  hasKey,
  isOwners,
  type Scene,
  type Step,
} from "./wallet_steps.ts";

/** The wallet of a run, and what came of all that was asked in all runs. */
export interface Real {
  lane: Lane;
  scene: Scene;
  tally: Map<string, number>;
  rows: string;
}

interface Plan {
  steps: { step: Step; twin: boolean }[];
  /** How long after the wave before. */
  minutes: number;
  cut: { nth: number; by: Cut; roundTrips: number } | null;
  again: boolean;
}

/** What was asked in a wave, over which connection, and what was answered; null when it was cut off. */
interface Call {
  asked: Asked;
  nth: number;
  answer: Answer | null;
}

/** All that it plans is asked at once; then the wallet must be what some order of it leaves. */
class Wave implements fc.AsyncCommand<WalletModel, Real> {
  constructor(readonly plan: Plan) {}

  check(): boolean {
    return true;
  }

  async run(model: WalletModel, real: Real): Promise<void> {
    const { lane, scene, tally } = real;
    model.pass(this.plan.minutes);
    scene.minutes = model.state.now;
    const before = JSON.stringify(model.state);
    const due = model.due();
    const asked = this.#ask(model);
    const calls = await this.#askAtOnce(real, asked);
    const repeated = await askAgain(real, calls.filter(({ answer }) => answer === null));
    const books = await readBooks(lane.sql, scene);

    const isReal = (end: WalletModel) => isSame(books, end);
    const found = explain(model, tellWave(calls, repeated, due), repeated.map(tellAnswer), isReal);
    assert.ok(
      found,
      `no order explains ${describe(calls, repeated)} after ${before}: ${books.seen}`,
    );
    model.become(found);
    for (const { answer } of [...calls, ...repeated]) count(tally, answer?.outcome ?? "cut off");
    if (isUnmoved(found, before)) assert.equal(books.rows, real.rows);
    if (this.plan.again) {
      await askAgain(real, calls.filter(({ asked: { step } }) => hasKey(step)), /^replayed/);
      assert.equal((await readBooks(lane.sql, scene)).rows, books.rows);
    }
    await assertBooksHold(lane.sql, scene.tenantId);
    real.rows = books.rows;
  }

  /** Those steps that name a hold where there is one; some are asked twice at once. */
  #ask(model: WalletModel): Asked[] {
    const holds = Object.keys(model.state.holds);
    return this.plan.steps.flatMap(({ step, twin }, nth) => {
      const holdId = "nth" in step ? holds[step.nth % holds.length] : "";
      if (holdId === undefined) return [];
      const key = `wave ${String(model.state.now).padStart(3, "0")} step ${
        String(nth).padStart(2, "0")
      }`;
      const asked = { step, key, holdId };
      return twin && hasKey(step) ? [asked, asked] : [asked];
    });
  }

  /** In the order in which they were answered. */
  async #askAtOnce({ lane, scene }: Real, all: Asked[]): Promise<Call[]> {
    const calls: Call[] = [];
    const { cut } = this.plan;
    const asking = all.map(async (asked, nth) => {
      const sql = lane.lineOf(nth, isOwners(asked.step));
      const answer = await perform(sql, scene, asked).catch(onlyIfCut);
      calls.push({ asked, nth, answer });
    });
    if (cut && all.length > 0) {
      const nth = cut.nth % all.length;
      await lane.cut(nth, isOwners(all[nth]!.step), cut.by, cut.roundTrips);
    }
    await Promise.all(asking);
    return calls;
  }

  toString(): string {
    return JSON.stringify(this.plan);
  }
}

const plan: fc.Arbitrary<Plan> = fc.record({
  steps: fc.oneof(
    { weight: 19, arbitrary: stepsOf(1, 4) },
    { weight: 1, arbitrary: stepsOf(5, 12) },
  ),
  minutes: fc.integer({ min: 1, max: 15 }),
  cut: fc.oneof(
    { weight: 4, arbitrary: fc.constant(null) },
    {
      weight: 1,
      arbitrary: fc.record({
        nth: fc.nat(11),
        by: fc.constantFrom<Cut>("server", "client"),
        roundTrips: fc.nat(6),
      }),
    },
  ),
  again: fc.nat(9).map((nth) => nth === 0),
});

function stepsOf(minLength: number, maxLength: number): fc.Arbitrary<Plan["steps"]> {
  const twin = fc.nat(7).map((nth) => nth === 0);
  return fc.array(fc.record({ step: anyStep, twin }), { minLength, maxLength, size: "max" });
}

/** Up to three waves, one after the other. */
export const waves = fc.commands([plan.map((drawn) => new Wave(drawn))], {
  maxCommands: 3,
  size: "max",
});

/** Asks each again under its key, one after the other, over connections that nobody cuts. */
async function askAgain({ lane, scene }: Real, calls: Call[], expected?: RegExp): Promise<Call[]> {
  const repeated: Call[] = [];
  for (const { asked, nth } of calls) {
    const answer = await perform(lane.lineOf(nth, isOwners(asked.step)), scene, asked);
    if (expected) assert.match(answer.outcome, expected);
    repeated.push({ asked, nth, answer });
  }
  return repeated;
}

/** What a wave told; the holds of what was cut off are known from when it was asked again. */
function tellWave(calls: Call[], repeated: Call[], due: string[]): Told[] {
  return calls.flatMap((call): Told[] => {
    const { asked, answer } = call;
    const isAlone = calls.length === 1 && answer !== null;
    // What runs by itself leaves what somebody has in hand to its next time: of what it may do beside
    // others each part happens, or does not.
    if (asked.step.kind === "expire" && !isAlone) {
      return due.map((id) => mayHappen((model) => model.expire(id)));
    }
    if (asked.step.kind === "repay" && !isAlone) {
      return Array.from(
        { length: ACCOUNTS },
        (_, nth) => mayHappen((model) => model.repayFrom(nth)),
      );
    }
    if (answer) return [tellAnswer(call)];
    const { placed } = repeated.find((later) => later.asked.key === asked.key)!.answer!;
    return [mayHappen((model) => performOnModel(model, asked, placed))];
  });
}

function mayHappen(does: (model: WalletModel) => unknown): Told {
  const apply = (model: WalletModel) => (does(model), "");
  return { apply, outcome: null, mayBeMissing: true };
}

function tellAnswer({ asked, answer }: Call): Told {
  const { outcome, placed } = answer!;
  // It pays the debts of all tenants: how many is not of this one.
  const isOfAll = asked.step.kind === "repay";
  return {
    apply: (model) => performOnModel(model, asked, placed),
    outcome: isOfAll ? null : outcome,
    mayBeMissing: false,
  };
}

function onlyIfCut(error: { code?: string }): null {
  if (!isCut(error)) throw error;
  return null;
}

function describe(calls: Call[], repeated: Call[]): string {
  const tell = ({ asked, answer }: Call) =>
    `${JSON.stringify(asked.step)} ${asked.holdId}: ${answer?.outcome ?? "cut off"}`;
  return [...calls.map(tell), "and again", ...repeated.map(tell)].join("\n");
}

function count(tally: Map<string, number>, outcome: string): void {
  tally.set(outcome, (tally.get(outcome) ?? 0) + 1);
}
