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
  /**
   * Notes what came of a message that was let in. A probe, and what opens a breaker in the midst of
   * the claim, is reported at once: others are sending too.
   */
  note(scopes: readonly string[], judgement: Judgement): void;
  /** Reports all that was noted, and gives back the probes that came to nothing. */
  close(): Promise<void>;
}

/** The way through one breaker for the time of a claim. */
interface Passage {
  scope: string;
  admission: BreakerAdmission;
  probe: "none" | "free" | "taken" | "reported";
  /** A probe that is not on its way by then is somebody else's. */
  leaseEndsAtMs: number;
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
  const askedAtMs = now();
  const passages = new Map<string, Passage>();
  for (const [scope, admission] of await breakers.admit(scopes)) {
    passages.set(scope, newPassage(scope, admission, askedAtMs));
  }
  const earlyReports: Promise<void>[] = [];

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

  async function reportOpening(passage: Passage): Promise<void> {
    const result = resultOf(passage.counted, passage);
    passage.counted = nothingCounted(passage.admission);
    await breakers.report([result]);
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
      const witness = judgement.named ? SEVERAL : judgement.witness ?? tenantAmong(scopes);
      for (const passage of scopes.map(find)) {
        if (passage.probe !== "none") earlyReports.push(reportProbe(passage, judgement));
        else if (opensBy(passage, judgement, witness, now())) {
          earlyReports.push(reportOpening(passage));
        }
      }
    },
    async close() {
      await Promise.all(earlyReports);
      const rest = [...passages.values()].filter(hasMoreToTell);
      if (rest.length > 0) await breakers.report(rest.map((it) => resultOf(it.counted, it)));
    },
  };
}

function newPassage(scope: string, admission: BreakerAdmission, nowMs: number): Passage {
  return {
    scope,
    admission,
    probe: admission.allowed && admission.probe ? "free" : "none",
    leaseEndsAtMs: nowMs + settingsOf(scope).probeLeaseMs,
    counted: nothingCounted(admission),
    trial: NEW_BREAKER,
  };
}

function nothingCounted({ generation }: { generation: number }): CallResults {
  const none = { failures: 0, successes: 0, trailingFailures: 0, pauseMs: 0, witness: NOBODY };
  return { generation, ...none };
}

// The probe came back well: what is left of the claim may go, under the new generation.
function openedPassage({ scope, admission }: Passage, { generation }: Breaker): Passage {
  const { decidedBy } = admission;
  return newPassage(scope, { allowed: true, generation, probe: false, decidedBy }, 0);
}

function refusalBy(passage: Passage, nowMs: number): Refusal | null {
  const { scope, admission, probe, leaseEndsAtMs, trial } = passage;
  if (!admission.allowed) {
    const { reason, retryAtMs } = admission;
    return { allowed: false, scope, reason, retryAtMs };
  }
  if (probe !== "none" && (probe !== "free" || nowMs >= leaseEndsAtMs)) {
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

// Counts it; true when the breaker opens by it. A share of failures is for the shared breaker to tell:
// the few calls of one claim are no measure of it.
function opensBy(passage: Passage, judgement: Judgement, witness: string, nowMs: number): boolean {
  const { scope, trial } = passage;
  const verdict = verdictOn(passage, judgement);
  passage.counted = count(passage.counted, verdict, witness);
  // A success after successes, as nearly all are, changes nothing that counts here.
  if (!verdict.failed && trial.failuresInARow === 0) return false;
  const one = count(nothingCounted(NEW_BREAKER), verdict, witness);
  const settings = { ...settingsOf(scope), minimumRequests: Infinity };
  passage.trial = reportCalls(trial, one, { nowMs, chancePermille: 0 }, settings);
  return trial.state === "closed" && passage.trial.state === "open";
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
