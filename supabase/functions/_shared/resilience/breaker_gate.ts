import { NEW_BREAKER, NOBODY, reportCalls, SEVERAL } from "./breaker.ts";
import type { Breaker, CallResults } from "./breaker.ts";
import type { Judgement } from "./breaker_judgement.ts";
import { kindOf, settingsOf } from "./breaker_scopes.ts";
import { PROBE_WAIT_MS } from "./breaker_settings.ts";
import type { BreakerAdmission, BreakerResult, Breakers } from "./breakers.ts";

export type Entry =
  | { allowed: true }
  | { allowed: false; scope: string; reason: "open" | "probing" | "isolated"; retryAtMs: number };
type Refusal = Extract<Entry, { allowed: false }>;

/** What one claim of messages may send, and what came of it. */
export interface BreakerGate {
  /** Whether a message with these scopes may be sent now; takes the probes that it needs. */
  enter(scopes: readonly string[]): Entry;
  /** Notes what came of a message that was let in. A probe is reported at once. */
  note(scopes: readonly string[], judgement: Judgement): void;
  /** Reports all that was noted, and gives back the probes that came to nothing. */
  close(): Promise<void>;
}

/** The way through one breaker for the time of a claim. */
interface Passage {
  scope: string;
  admission: BreakerAdmission;
  probe: "none" | "free" | "taken" | "reported";
  counted: CallResults;
  /** What this claim alone sees: it stops in its midst, and not when all of it has failed. */
  trial: Breaker;
}

/**
 * Asks for all scopes of a claim in one round trip. A breaker that opens while the claim is under way
 * holds back the rest of it; one whose probe succeeds lets the rest go.
 */
export async function openGate(
  breakers: Breakers,
  scopes: Iterable<string>,
  now: () => number,
): Promise<BreakerGate> {
  const admissions = await breakers.admit(scopes);
  const passages = new Map([...admissions].map(([scope, it]) => [scope, newPassage(scope, it)]));
  const probeReports: Promise<void>[] = [];

  function find(scope: string): Passage {
    const passage = passages.get(scope);
    if (passage === undefined) throw new RangeError(`The gate was not asked for ${scope}`);
    return passage;
  }

  async function reportProbe(passage: Passage, judgement: Judgement): Promise<void> {
    const result = resultOf(
      count(passage.counted, verdictOn(passage, judgement), SEVERAL),
      passage,
    );
    passage.probe = "reported";
    for (const { scope, breaker } of await breakers.report([result])) {
      if (breaker.state === "closed") passages.set(scope, openedPassage(passage, breaker));
    }
  }

  return {
    enter(scopes) {
      const entered = scopes.map(find);
      const refusals = entered.flatMap((passage) => refusalBy(passage, now()) ?? []);
      if (refusals.length > 0) return refusals.reduce(laterOf);
      for (const passage of entered) if (passage.probe === "free") passage.probe = "taken";
      return { allowed: true };
    },
    note(scopes, judgement) {
      const witness = judgement.named ? SEVERAL : tenantAmong(scopes);
      for (const passage of scopes.map(find)) {
        if (passage.probe === "none") noteOn(passage, judgement, witness, now());
        else probeReports.push(reportProbe(passage, judgement));
      }
    },
    async close() {
      await Promise.all(probeReports);
      const rest = [...passages.values()].filter(hasMoreToTell);
      if (rest.length > 0) await breakers.report(rest.map((it) => resultOf(it.counted, it)));
    },
  };
}

function newPassage(scope: string, admission: BreakerAdmission): Passage {
  const { generation } = admission;
  const nothing = { failures: 0, successes: 0, trailingFailures: 0, pauseMs: 0, witness: NOBODY };
  const probe = admission.allowed && admission.probe ? "free" : "none";
  return { scope, admission, probe, counted: { generation, ...nothing }, trial: NEW_BREAKER };
}

// The probe came back well: what is left of the claim may go, under the new generation.
function openedPassage({ scope, admission }: Passage, { generation }: Breaker): Passage {
  const { decidedBy } = admission;
  return newPassage(scope, { allowed: true, generation, probe: false, decidedBy });
}

function refusalBy({ scope, admission, probe, trial }: Passage, nowMs: number): Refusal | null {
  if (!admission.allowed) {
    const { reason, retryAtMs } = admission;
    return { allowed: false, scope, reason, retryAtMs };
  }
  if (probe === "taken" || probe === "reported") {
    return { allowed: false, scope, reason: "probing", retryAtMs: nowMs + PROBE_WAIT_MS };
  }
  if (trial.state === "closed") return null;
  return { allowed: false, scope, reason: "open", retryAtMs: trial.sinceMs + trial.durationMs };
}

function laterOf(one: Refusal, other: Refusal): Refusal {
  return other.retryAtMs > one.retryAtMs ? other : one;
}

type Verdict = { failed: boolean; succeeded: boolean; pauseMs: number };

function verdictOn({ scope }: Passage, { failed, succeeded, pauseMs }: Judgement): Verdict {
  const kind = kindOf(scope);
  return { failed: failed.includes(kind), succeeded: succeeded.includes(kind), pauseMs };
}

function noteOn(passage: Passage, judgement: Judgement, witness: string, nowMs: number): void {
  const verdict = verdictOn(passage, judgement);
  const one = count(newPassage(passage.scope, passage.admission).counted, verdict, witness);
  const moment = { nowMs, chancePermille: 0 };
  const generation = NEW_BREAKER.generation;
  passage.counted = count(passage.counted, verdict, witness);
  passage.trial = reportCalls(
    passage.trial,
    { ...one, generation },
    moment,
    settingsOf(passage.scope),
  );
}

function count(counted: CallResults, verdict: Verdict, witness: string): CallResults {
  if (verdict.succeeded) {
    return { ...counted, successes: counted.successes + 1, trailingFailures: 0 };
  }
  if (!verdict.failed) return counted;
  const isFirst = counted.failures === 0 || counted.witness === witness;
  return {
    ...counted,
    failures: counted.failures + 1,
    trailingFailures: counted.trailingFailures + 1,
    pauseMs: Math.max(counted.pauseMs, verdict.pauseMs),
    witness: isFirst ? witness : SEVERAL,
  };
}

function resultOf(counted: CallResults, { scope, admission }: Passage): BreakerResult {
  return { ...counted, scope, decidedBy: admission.decidedBy };
}

// A probe that no message took, or whose message was never sent, is given back.
function hasMoreToTell({ probe, counted }: Passage): boolean {
  if (probe !== "none") return probe !== "reported";
  return counted.failures + counted.successes > 0;
}

function tenantAmong(scopes: readonly string[]): string {
  return scopes.find((scope) => kindOf(scope) === "tenant") ?? SEVERAL;
}
