import { DatabaseError } from "../_shared/database.ts";
import type { ClaimedEvent, EventEffect, InboundQueue } from "../_shared/queue/inbound.ts";
import { retry } from "../_shared/resilience/retry.ts";
import type { Log } from "../_shared/telemetry/log.ts";
import type { Conversations } from "./conversations.ts";
import { effectOf } from "./effect.ts";

/** What one drain may use before it stops and hands on. */
export interface DrainLimits {
  batch: number;
  /** Events and conversations in all. */
  maxEvents: number;
  maxDurationMs: number;
  /** How long to stay for a conversation that waits for its customer's next words. */
  maxIdleMs: number;
}

export interface DrainReport {
  claimed: number;
  applied: number;
  duplicates: number;
  quarantined: number;
  dead: number;
  /** Conversations that a machine leads and that were looked at. */
  conversations: number;
  duration_ms: number;
}

export interface DrainDeps {
  queue: InboundQueue;
  conversations: Conversations;
  now: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  random: () => number;
  log: Log;
}

interface Application {
  event: ClaimedEvent;
  effect: EventEffect;
}

/** An event that fails is tried this often in all, with these waits between. */
const RETRY_DELAYS_SECONDS = [10, 60];
/** A lost race, or a restart of Postgres: about 9 s in all, within the lease. */
const MAX_TRIES_AT_ONCE = 7;
const BACKOFF = { baseMs: 200, capMs: 3_000 };

/** What ends a drain, or its idling, from outside. */
export interface DrainSignals {
  /** The isolate is about to end. */
  stop: AbortSignal;
  /** Another drain waits for this one to end: it does not stay for what is not due yet. */
  somebodyWaits?: AbortSignal;
}

/** While events keep coming, conversations are looked at so often. */
const CONVERSATIONS_EVERY_MS = 500;

/**
 * Applies what is stored, each event exactly once, and lets conversations react, until nothing is left,
 * the limits are reached or the signal asks to stop. An event that cannot be applied harms no other of
 * its batch, and conversations that cannot go on hold up no event.
 */
export async function drain(
  deps: DrainDeps,
  limits: DrainLimits,
  signals: DrainSignals,
): Promise<DrainReport> {
  const startedAt = deps.now();
  // Quarantine and deduplication happen when an event is stored; here a duplicate is an event that
  // another worker applied first.
  const counts = { claimed: 0, applied: 0, duplicates: 0, quarantined: 0, dead: 0 };
  const report = { ...counts, conversations: 0, duration_ms: 0 };
  const remainingMs = () => limits.maxDurationMs - (deps.now() - startedAt);
  const isSpent = () =>
    report.claimed + report.conversations >= limits.maxEvents || remainingMs() <= 0;
  let lookedAt = startedAt;
  let failure: { error: unknown } | null = null;
  const look = async (): Promise<number> => {
    if (failure !== null) return 0;
    lookedAt = deps.now();
    const count = await deps.conversations.advanceSome().catch((error) => {
      failure = { error };
      return 0;
    });
    report.conversations += count;
    return count;
  };

  while (!signals.stop.aborted && !isSpent()) {
    const claimed = await deps.queue.claim(
      Math.min(limits.batch, limits.maxEvents - report.claimed),
    );
    if (claimed.length > 0) {
      report.claimed += claimed.length;
      const applications = claimed.map((event) => ({ event, effect: effectOf(event) }));
      await applyTogether(deps, applications, report);
      if (deps.now() - lookedAt >= CONVERSATIONS_EVERY_MS) await look();
    } else if (await look() === 0) {
      const mayStay = failure === null && report.conversations > 0;
      const idleMs = mayStay ? Math.min(limits.maxIdleMs, remainingMs()) : 0;
      if (!await waitForWords(deps, idleMs, signals)) break;
    }
  }
  if (isSpent()) await deps.queue.handOn();
  if (failure !== null) throw (failure as { error: unknown }).error;
  report.duration_ms = deps.now() - startedAt;
  return report;
}

/** A time is not waited for more finely than this. */
const MIN_IDLE_MS = 5;

// True when it waited and another look is worth it.
async function waitForWords(
  { conversations, now, sleep }: DrainDeps,
  maxIdleMs: number,
  { stop, somebodyWaits }: DrainSignals,
): Promise<boolean> {
  const ends = somebodyWaits === undefined ? stop : AbortSignal.any([stop, somebodyWaits]);
  if (maxIdleMs <= 0 || ends.aborted) return false;
  const wakeAt = await conversations.nextWakeAt();
  if (wakeAt === null) return false;
  const waitMs = Math.max(wakeAt - now(), MIN_IDLE_MS);
  if (waitMs > maxIdleMs) return false;
  return await sleep(waitMs, ends).then(() => true, () => false);
}

// While the database is away the events wait for nobody else: trying again beats the end of the lease.
function apply({ queue, sleep, random }: DrainDeps, applications: Application[]) {
  return retry(() => queue.apply(applications), {
    maxTries: MAX_TRIES_AT_ONCE,
    isTransient: (error) => error instanceof DatabaseError && error.unavailable,
    backoff: BACKOFF,
    sleep,
    random,
  });
}

async function applyTogether(
  deps: DrainDeps,
  applications: Application[],
  report: DrainReport,
): Promise<void> {
  try {
    count(report, applications, await apply(deps, applications));
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.unavailable) throw error;
    for (const application of applications) await applyAlone(deps, application, report);
  }
}

async function applyAlone(
  deps: DrainDeps,
  application: Application,
  report: DrainReport,
): Promise<void> {
  const { event } = application;
  try {
    count(report, [application], await apply(deps, [application]));
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.unavailable) throw error;
    const delay = RETRY_DELAYS_SECONDS[event.attempt - 1];
    const reason = `not_applicable:${error.code}`;
    deps.log.error("event.not_applied", { event_id: event.id, attempt: event.attempt, error });
    const effect: EventEffect = delay === undefined
      ? { action: "dead", reason }
      : { action: "retry", delay_seconds: delay, reason };
    count(report, [{ event, effect }], await apply(deps, [{ event, effect }]));
  }
}

function count(report: DrainReport, applications: Application[], applied: boolean[]): void {
  applications.forEach(({ effect }, index) => {
    if (!applied[index]) report.duplicates += 1;
    else if (effect.action === "dead") report.dead += 1;
    else if (effect.action !== "retry") report.applied += 1;
  });
}
