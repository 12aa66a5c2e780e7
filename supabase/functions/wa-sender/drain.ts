import type {
  Credentials,
  FoundCredential,
  SenderVersion,
} from "../_shared/credentials/credentials.ts";
import type { ClaimedMessage, OutboundQueue, Settlement } from "../_shared/queue/outbound.ts";
import { DatabaseError } from "../_shared/database.ts";
import { createGroupCommit } from "../_shared/queue/group_commit.ts";
import type { GroupCommit } from "../_shared/queue/group_commit.ts";
import type { Log } from "../_shared/telemetry/log.ts";
import type { SendOutcome } from "../_shared/whatsapp/send_outcome.ts";
import { forEachBounded } from "../_shared/resilience/for_each_bounded.ts";
import { retry } from "../_shared/resilience/retry.ts";
import { deferral, settlementOf } from "./settlement.ts";

/** What one drain may use before it stops and hands on. */
export interface DrainLimits {
  /** Messages in one claim. */
  batch: number;
  /** Calls to the Graph API under way at once. */
  concurrency: number;
  /** Messages in all: about half of the CPU second after which a hosted isolate retires. */
  maxMessages: number;
  maxDurationMs: number;
  /** How long to stay for the next message that is not due yet. */
  maxIdleMs: number;
}

export interface DrainReport {
  claimed: number;
  sent: number;
  deferred: number;
  retried: number;
  unknown: number;
  dead: number;
  duration_ms: number;
}

export interface DrainDeps {
  queue: OutboundQueue;
  credentials: Credentials;
  /** One call to the Graph API; what can go wrong is an outcome, not a throw. */
  send: (message: ClaimedMessage, accessToken: string) => Promise<SendOutcome>;
  now: () => number;
  random: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  log: Log;
}

/** Woken early rather than late: a slot is reached within this many milliseconds. */
const MIN_IDLE_MS = 5;
const MAX_SETTLEMENTS_PER_CALL = 200;
const MAX_SETTLEMENTS_WAITING = 10_000;
/** About 20 s in all: within the lease, beyond a restart of Postgres. */
const SETTLE_TRIES = 12;
const SETTLE_BACKOFF = { baseMs: 200, capMs: 4_000 };

const COUNTED = {
  accepted: "sent",
  deferred: "deferred",
  retry: "retried",
  unknown: "unknown",
  rejected: "dead",
} as const satisfies Record<Settlement["outcome"], keyof DrainReport>;

/** What ends a drain, or its idling, from outside. */
export interface DrainSignals {
  /** The isolate is about to end: what was claimed is settled, nothing more is claimed. */
  stop: AbortSignal;
  /** Another drain waits for this one to end: it does not stay for what is not due yet. */
  somebodyWaits?: AbortSignal;
}

/**
 * Sends what is due until nothing is, the limits are reached or it is told to stop. Outcomes are
 * written back while sending goes on, so that a crash leaves few unknown.
 */
export async function drain(
  deps: DrainDeps,
  limits: DrainLimits,
  signals: DrainSignals,
): Promise<DrainReport> {
  const startedAt = deps.now();
  const report = {
    claimed: 0,
    sent: 0,
    deferred: 0,
    retried: 0,
    unknown: 0,
    dead: 0,
    duration_ms: 0,
  };
  const settlements = createGroupCommit<Settlement, boolean>({
    commit: (batch) => settle(deps, batch),
    maxBatch: MAX_SETTLEMENTS_PER_CALL,
    maxWaiting: MAX_SETTLEMENTS_WAITING,
  });
  const remainingMs = () => limits.maxDurationMs - (deps.now() - startedAt);
  const mayGoOn = () =>
    !signals.stop.aborted && report.claimed < limits.maxMessages && remainingMs() > 0;

  while (mayGoOn()) {
    const claimed = await deps.queue.claim(
      Math.min(limits.batch, limits.maxMessages - report.claimed),
    );
    report.claimed += claimed.length;
    if (claimed.length > 0) {
      await sendClaimed(deps, claimed, limits.concurrency, settlements, report);
    } else if (!await waitForNext(deps, Math.min(limits.maxIdleMs, remainingMs()), signals)) {
      break;
    }
  }
  if (report.claimed >= limits.maxMessages || remainingMs() <= 0) await deps.queue.handOn();
  report.duration_ms = deps.now() - startedAt;
  return report;
}

// What Meta answered is known only here: a database that is away for a while must not make it unknown.
// Settling twice changes nothing the second time.
function settle(deps: DrainDeps, batch: Settlement[]): Promise<boolean[]> {
  return retry(() => deps.queue.settle(batch), {
    maxTries: SETTLE_TRIES,
    isTransient: (error) => error instanceof DatabaseError && error.unavailable,
    backoff: SETTLE_BACKOFF,
    sleep: deps.sleep,
    random: deps.random,
  });
}

async function sendClaimed(
  deps: DrainDeps,
  claimed: ClaimedMessage[],
  concurrency: number,
  settlements: GroupCommit<Settlement, boolean>,
  report: DrainReport,
): Promise<void> {
  const credentials = await deps.credentials.find(claimed, generationOf(claimed));
  await forEachBounded(claimed, concurrency, async (message, index) => {
    const settlement = await attempt(deps, message, credentials[index]!);
    if (await settlements.submit(settlement)) report[COUNTED[settlement.outcome]] += 1;
    else deps.log.warn("attempt.superseded", { message_id: message.id, attempt: message.attempt });
    logAttempt(deps.log, message, settlement);
  });
}

function logAttempt(log: Log, message: ClaimedMessage, settlement: Settlement): void {
  const fields = {
    message_id: message.id,
    tenant_id: message.tenantId,
    attempt: message.attempt,
    outcome: settlement.outcome,
  };
  if (settlement.outcome === "accepted") {
    log.info("send.attempted", { ...fields, wamid: settlement.wamid });
  } else log.warn("send.attempted", { ...fields, error: settlement.error });
}

function generationOf(claimed: ClaimedMessage[]): number {
  return Math.max(...claimed.map(({ cacheGeneration }) => cacheGeneration));
}

async function attempt(
  deps: DrainDeps,
  message: ClaimedMessage,
  credential: FoundCredential,
): Promise<Settlement> {
  if (!credential.found) return deferral(message, `credential_${credential.reason}`, deps.now());
  const outcome = await deps.send(message, credential.accessToken);
  if (outcome.kind !== "credential_refused") return settlementOf(message, outcome, deps);
  const fresh = await freshToken(deps.credentials, message, credential.accessToken);
  const second = fresh === null ? outcome : await deps.send(message, fresh);
  return settlementOf(message, second, deps);
}

// A refused token may have been replaced since it was cached: one more try, with another token only.
async function freshToken(
  credentials: Credentials,
  sender: SenderVersion & { cacheGeneration: number },
  refused: string,
): Promise<string | null> {
  credentials.forget(sender);
  const [found] = await credentials.find([sender], sender.cacheGeneration);
  return found?.found && found.accessToken !== refused ? found.accessToken : null;
}

// True when it waited and another claim is worth making.
async function waitForNext(
  deps: DrainDeps,
  maxIdleMs: number,
  { stop, somebodyWaits }: DrainSignals,
): Promise<boolean> {
  const ends = somebodyWaits === undefined ? stop : AbortSignal.any([stop, somebodyWaits]);
  if (maxIdleMs <= 0 || ends.aborted) return false;
  const dueAt = await deps.queue.nextDueAt();
  if (dueAt === null) return false;
  const waitMs = Math.max(dueAt - deps.now(), MIN_IDLE_MS);
  if (waitMs > maxIdleMs) return false;
  return await deps.sleep(waitMs, ends).then(() => true, () => false);
}
