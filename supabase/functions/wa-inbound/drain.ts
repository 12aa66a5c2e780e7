import { DatabaseError } from "../_shared/database.ts";
import type { ClaimedEvent, EventEffect, InboundQueue } from "../_shared/queue/inbound.ts";
import { retry } from "../_shared/resilience/retry.ts";
import type { Log } from "../_shared/telemetry/log.ts";
import { effectOf } from "./effect.ts";

/** What one drain may use before it stops and hands on. */
export interface DrainLimits {
  batch: number;
  maxEvents: number;
  maxDurationMs: number;
}

export interface DrainReport {
  claimed: number;
  applied: number;
  duplicates: number;
  quarantined: number;
  dead: number;
  duration_ms: number;
}

export interface DrainDeps {
  queue: InboundQueue;
  now: () => number;
  sleep: (ms: number) => Promise<void>;
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

/**
 * Applies what is stored, each event exactly once, until nothing is left, the limits are reached or
 * the signal asks to stop. An event that cannot be applied harms no other of its batch.
 */
export async function drain(
  deps: DrainDeps,
  limits: DrainLimits,
  signal: AbortSignal,
): Promise<DrainReport> {
  const startedAt = deps.now();
  // Quarantine and deduplication happen when an event is stored; here a duplicate is an event that
  // another worker applied first.
  const report = { claimed: 0, applied: 0, duplicates: 0, quarantined: 0, dead: 0, duration_ms: 0 };
  const isSpent = () =>
    report.claimed >= limits.maxEvents || deps.now() - startedAt >= limits.maxDurationMs;

  while (!signal.aborted && !isSpent()) {
    const claimed = await deps.queue.claim(
      Math.min(limits.batch, limits.maxEvents - report.claimed),
    );
    if (claimed.length === 0) break;
    report.claimed += claimed.length;
    await applyTogether(deps, claimed.map((event) => ({ event, effect: effectOf(event) })), report);
  }
  if (isSpent()) await deps.queue.handOn();
  report.duration_ms = deps.now() - startedAt;
  return report;
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
