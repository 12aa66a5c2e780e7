import type { CallbackQueue, ClaimedCallback } from "../_shared/queue/callbacks.ts";
import type { Log } from "../_shared/telemetry/log.ts";
import { dispatch } from "./dispatch.ts";
import type { DispatchDeps } from "./dispatch.ts";
import { createSettler } from "./settler.ts";
import type { Counts } from "./settler.ts";

/** What one drain may use before it stops and hands on. */
export interface DrainLimits {
  /** Calls under way at once, in all; the queue bounds those of one endpoint. */
  concurrency: number;
  maxDeliveries: number;
  maxDurationMs: number;
}

export interface DrainReport extends Counts {
  claimed: number;
  duration_ms: number;
}

export interface DrainDeps extends DispatchDeps {
  queue: CallbackQueue;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  log: Log;
}

/** While calls hang, what came meanwhile for others waits no longer than this. */
const LOOK_AGAIN_MS = 250;

/**
 * Delivers what is due until nothing is, the limits are reached or the signal asks to stop. It claims
 * again while calls are under way: a slow endpoint holds up no other.
 */
export async function drain(
  deps: DrainDeps,
  limits: DrainLimits,
  stop: AbortSignal,
): Promise<DrainReport> {
  const startedAt = deps.now();
  const settler = createSettler(deps);
  const underWay = new Set<Promise<void>>();
  let claimedCount = 0;
  let running = 0;
  let failure: { error: unknown } | null = null;

  const isSpent = () =>
    claimedCount >= limits.maxDeliveries || deps.now() - startedAt >= limits.maxDurationMs;
  const begin = (claimed: ClaimedCallback[]) => {
    claimedCount += claimed.length;
    running += claimed.length;
    const delivering: Promise<void> = dispatch(deps, claimed, {
      ...settler,
      settle: (one, settlement) => settler.settle(one, settlement).finally(() => running -= 1),
    })
      .catch((error) => void (failure ??= { error }))
      .finally(() => underWay.delete(delivering));
    underWay.add(delivering);
  };

  while (!stop.aborted && failure === null && !isSpent()) {
    const room = Math.min(limits.concurrency - running, limits.maxDeliveries - claimedCount);
    const claimed = room > 0 ? await deps.queue.claim(room) : [];
    if (claimed.length > 0) begin(claimed);
    else if (underWay.size > 0) await Promise.race([...underWay, deps.sleep(LOOK_AGAIN_MS)]);
    else break;
  }
  await Promise.all(underWay);
  if (failure !== null) throw (failure as { error: unknown }).error;
  if (isSpent()) await deps.queue.handOn();
  return { claimed: claimedCount, ...settler.counts(), duration_ms: deps.now() - startedAt };
}
