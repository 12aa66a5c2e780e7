import type { Admission, Breaker, BreakerState, CallResults } from "./breaker.ts";
import { tenantIdOf } from "./breaker_scopes.ts";
import { describeOpening } from "./breaker_statistics.ts";
import { withDeadline } from "./deadline.ts";

/** Who decided: the breakers that all isolates share in Redis, or this isolate alone. */
export type Decider = "redis" | "isolate";

export type BreakerAdmission = Admission & { decidedBy: Decider };

/** What came of the calls of one scope that one admission let through. */
export interface BreakerResult extends CallResults {
  scope: string;
  decidedBy: Decider;
}

export interface BreakerChange {
  scope: string;
  from: BreakerState;
  breaker: Breaker;
}

/** Breakers by scope, wherever their state is; each scope at most once in a call. */
export interface BreakerStore {
  admit(scopes: readonly string[]): Promise<Map<string, BreakerAdmission>>;
  /** Says which breakers changed their state by it. */
  report(results: readonly BreakerResult[]): Promise<BreakerChange[]>;
}

/** The breakers of one isolate, for while the shared ones are out of reach. */
export interface LocalBreakers {
  admit(scopes: readonly string[]): Map<string, BreakerAdmission>;
  report(results: readonly BreakerResult[]): BreakerChange[];
  /** Takes over what the shared breakers said, to go on from there should they be gone next time. */
  mirror(admissions: ReadonlyMap<string, BreakerAdmission>): void;
  adopt(scope: string, breaker: Breaker): void;
}

export interface Breakers {
  /** One round trip for all these scopes; the one probe of a scope that may be tried again included. */
  admit(scopes: Iterable<string>): Promise<Map<string, BreakerAdmission>>;
  /** One round trip; a probe of which nothing came is reported too, and thereby given back. */
  report(results: readonly BreakerResult[]): Promise<BreakerChange[]>;
}

export interface BreakersDeps {
  /** Null where there is no Redis. */
  shared: BreakerStore | null;
  local: LocalBreakers;
  now: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  log: BreakerLog;
}

interface BreakerLog {
  info(event: string, fields: Record<string, unknown>): void;
  warn(event: string, fields: Record<string, unknown>): void;
}

const REDIS_TIMEOUT_MS = 1_000;
/** A Redis that does not answer would otherwise cost each claim its deadline. */
const REDIS_PAUSE_MS = 5_000;

/**
 * Shared breakers while Redis answers within a second. While it does not, this isolate decides by
 * what it was told last and sees itself; it never throws and never waits longer.
 */
export function createBreakers({ shared, local, now, sleep, log }: BreakersDeps): Breakers {
  let awayUntilMs: number | null = null;

  async function ask<T>(work: (store: BreakerStore) => Promise<T>): Promise<T | null> {
    if (shared === null || (awayUntilMs !== null && now() < awayUntilMs)) return null;
    const asked = await withDeadline(() => work(shared), REDIS_TIMEOUT_MS, sleep);
    if (asked.ok) {
      if (awayUntilMs !== null) log.info("breakers.shared_again", {});
      awayUntilMs = null;
      return asked.value;
    }
    if (awayUntilMs === null) log.warn("breakers.kept_local", { error: asked.error });
    awayUntilMs = now() + REDIS_PAUSE_MS;
    return null;
  }

  async function reportShared(results: BreakerResult[]): Promise<BreakerChange[]> {
    if (results.length === 0) return [];
    const told = await ask((store) => store.report(results));
    if (told === null) return local.report(results);
    for (const { scope, breaker } of told) local.adopt(scope, breaker);
    return told;
  }

  return {
    async admit(scopes) {
      const unique = [...new Set(scopes)];
      if (unique.length === 0) return new Map();
      const told = await ask((store) => store.admit(unique));
      if (told !== null) local.mirror(told);
      const admissions = told ?? local.admit(unique);
      for (const [scope, admission] of admissions) {
        if (!admission.allowed || !admission.probe) continue;
        const { generation, decidedBy } = admission;
        log.info("breaker.half_opened", { scope, ...tenantIdOf(scope), generation, decidedBy });
      }
      return admissions;
    },
    async report(results) {
      const own = results.filter(({ decidedBy }) => decidedBy === "isolate");
      const rest = results.filter(({ decidedBy }) => decidedBy === "redis");
      const changes = [...local.report(own), ...await reportShared(rest)];
      for (const change of changes) logChange(log, change);
      return changes;
    },
  };
}

function logChange(log: BreakerLog, { scope, from, breaker }: BreakerChange): void {
  const { generation, state } = breaker;
  const fields = { scope, ...tenantIdOf(scope), from, generation };
  if (state === "closed") log.info("breaker.closed", fields);
  if (state === "open") log.warn("breaker.opened", { ...fields, ...describeOpening(breaker) });
}
