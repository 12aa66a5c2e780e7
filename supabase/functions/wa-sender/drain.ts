import { DatabaseError } from "../_shared/database.ts";
import type { ClaimedMessage, OutboundQueue } from "../_shared/queue/outbound.ts";
import { createFairPool } from "../_shared/resilience/fair_pool.ts";
import { retry } from "../_shared/resilience/retry.ts";
import type { Turn } from "../_shared/resilience/turnstile.ts";
import type { Log } from "../_shared/telemetry/log.ts";
import { createBackpressure } from "./backpressure.ts";
import type { BackpressureLimits } from "./backpressure.ts";
import { createCallers } from "./callers.ts";
import { dispatch } from "./dispatch.ts";
import type { DispatchDeps } from "./dispatch.ts";
import { createSettler } from "./settler.ts";
import type { Counts } from "./settler.ts";

/** What one drain may use before it stops and hands on. */
export interface DrainLimits extends BackpressureLimits {
  /** Calls to the Graph API under way at once, in all and of one sender. */
  concurrency: number;
  concurrencyPerSender: number;
  /** Messages in all: about half of the CPU second after which a hosted isolate retires. */
  maxMessages: number;
  maxDurationMs: number;
  /** How long to stay for the next message that is not due yet. */
  maxIdleMs: number;
  /** For so long after its claim a call may still be begun. */
  maxClaimAgeMs: number;
}

export interface DrainReport extends Counts {
  claimed: number;
  duration_ms: number;
}

export interface DrainDeps extends DispatchDeps {
  queue: OutboundQueue;
  /** Milliseconds since the isolate began: it goes on when the clock is set. */
  uptime: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  log: Log;
}

/** What ends a drain, or its idling, from outside. */
export interface DrainSignals {
  /** The isolate is about to end: what was claimed is settled, nothing more is claimed. */
  stop: AbortSignal;
  /** Another drain waits for this one to end: it does not stay for what is not due yet. */
  somebodyWaits?: AbortSignal;
  /** Where callers share a drain: when the next one calls, and that another drain may begin. */
  turn?: Turn;
}

const MAX_CLAIM_TRIES = 3;
const CLAIM_BACKOFF = { baseMs: 50, capMs: 200 };
/** Serialization failure and deadlock: nothing was claimed. */
const LOST_RACE = new Set(["40001", "40P01"]);

/** Messages claimed for the sake of a caller while enough others wait. */
const EARLY_BATCH = 16;
/** And at once while callers are around, for whom a large claim is long to wait for. */
const BATCH_BESIDE_CALLERS = 64;

/** A slot is not waited for more finely than this: what is paced goes a few at a time. */
const MIN_IDLE_MS = 25;
/** While calls are under way the slots of others are looked at so often, however long those calls hang. */
const LOOK_AGAIN_MS = 500;

/**
 * Sends what is due until nothing is, the limits are reached or it is told to stop. While more is due it
 * claims again as soon as fewer wait than may run: a slow sender holds up no other. Otherwise it claims
 * when something was written, by which the next of a pair may be due, and now and then. When somebody
 * calls it claims a few at once, whatever waits: what was accepted a moment ago, and by whom nothing is
 * being sent, stands behind nobody's backlog.
 */
export async function drain(
  deps: DrainDeps,
  limits: DrainLimits,
  signals: DrainSignals,
): Promise<DrainReport> {
  const startedAt = deps.uptime();
  const pool = createFairPool({
    maxRunning: limits.concurrency,
    maxPerKey: limits.concurrencyPerSender,
  });
  const settler = createSettler(deps);
  const backpressure = createBackpressure(limits, deps.log);
  const underWay = new Set<Promise<void>>();
  let claimedCount = 0;
  let failure: { error: unknown } | null = null;

  const remainingMs = () => limits.maxDurationMs - (deps.uptime() - startedAt);
  const isSpent = () => claimedCount >= limits.maxMessages || remainingMs() <= 0;
  const begin = (claimed: ClaimedMessage[]) => {
    claimedCount += claimed.length;
    const mayCall = mayCallFor(deps, limits.maxClaimAgeMs);
    const sending: Promise<void> = dispatch(deps, claimed, { pool, settler, mayCall })
      .catch((error) => void (failure ??= { error }))
      .finally(() => underWay.delete(sending));
    underWay.add(sending);
  };

  const mayClaim = () => !signals.stop.aborted && failure === null && !isSpent();
  const callers = createCallers(signals.turn, deps);

  while (mayClaim()) {
    await pool.whenFewerWait(limits.fullBatch);
    const early = await Promise.race([
      pool.whenFewerWait(limits.concurrency).then(() => false),
      callers.mayClaimEarly().then(() => true),
    ]);
    if (!mayClaim()) break;
    // Before the claim: it may miss what is written and who calls while it is made.
    const written = settler.nextCommit();
    callers.answer({ early });
    const batch = early ? EARLY_BATCH : backpressure.batch();
    const bound = callers.areAround() ? BATCH_BESIDE_CALLERS : Infinity;
    const most = Math.min(batch, bound, limits.maxMessages - claimedCount);
    const claimed = await claimSafely(deps, most).catch((error) => void (failure ??= { error }));
    if (claimed === undefined) break;
    backpressure.observe(claimed[0]?.depth ?? 0);
    if (claimed.length > 0) begin(claimed);
    if (claimed.length === most || (claimed[0]?.depth ?? 0) > 0) continue;
    if (underWay.size > 0) {
      const over = Promise.all(underWay);
      await firstOf([written, callers.called(), over], deps.sleep, LOOK_AGAIN_MS);
    } else if (!await waitForNext(deps, Math.min(limits.maxIdleMs, remainingMs()), signals)) break;
  }
  // The next drain need not wait for the last calls of this one.
  const handedOn = failure === null && isSpent() ? deps.queue.handOn() : Promise.resolve();
  signals.turn?.pass();
  await Promise.allSettled([handedOn, ...underWay]);
  if (failure !== null) throw (failure as { error: unknown }).error;
  await handedOn;
  return {
    claimed: claimedCount,
    ...settler.counts(),
    duration_ms: Math.round(deps.uptime() - startedAt),
  };
}

// Whoever lost a race for a lock claims again; what fails otherwise ends the drain, and not before what
// is under way is settled.
function claimSafely({ queue, sleep, random }: DrainDeps, most: number): Promise<ClaimedMessage[]> {
  return retry(() => queue.claim(most), {
    maxTries: MAX_CLAIM_TRIES,
    isTransient: (error) => error instanceof DatabaseError && LOST_RACE.has(error.code),
    backoff: CLAIM_BACKOFF,
    sleep,
    random,
  });
}

// Both clocks: one may be set back, the other stands still while the machine sleeps.
function mayCallFor({ now, uptime }: Pick<DrainDeps, "now" | "uptime">, maxMs: number) {
  const [fromMs, fromUptime] = [now(), uptime()];
  return () => now() - fromMs <= maxMs && uptime() - fromUptime <= maxMs;
}

async function firstOf(
  events: Promise<unknown>[],
  sleep: DrainDeps["sleep"],
  mostMs: number,
): Promise<void> {
  const over = new AbortController();
  await Promise.race([...events, sleep(mostMs, over.signal).catch(() => {})]);
  over.abort();
}

// True when it waited and another claim is worth making.
async function waitForNext(
  deps: Pick<DrainDeps, "queue" | "sleep">,
  maxIdleMs: number,
  { stop, somebodyWaits }: DrainSignals,
): Promise<boolean> {
  const ends = somebodyWaits === undefined ? stop : AbortSignal.any([stop, somebodyWaits]);
  if (maxIdleMs <= 0 || ends.aborted) return false;
  const dueInMs = await deps.queue.nextDueInMs();
  if (dueInMs === null) return false;
  const waitMs = Math.max(dueInMs, MIN_IDLE_MS);
  if (waitMs > maxIdleMs) return false;
  return await deps.sleep(waitMs, ends).then(() => true, () => false);
}
