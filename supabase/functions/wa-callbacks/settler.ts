import { DatabaseError } from "../_shared/database.ts";
import type {
  CallbackQueue,
  CallbackResult,
  CallbackSettlement,
  ClaimedCallback,
} from "../_shared/queue/callbacks.ts";
import { createGroupCommit } from "../_shared/queue/group_commit.ts";
import { retry } from "../_shared/resilience/retry.ts";
import type { Log } from "../_shared/telemetry/log.ts";

/** What came of the deliveries of a drain, in the words of its answer. */
export interface Counts {
  delivered: number;
  retried: number;
  /** Endpoints that were stopped: nothing got through to them, or they said that they are gone. */
  paused: number;
  dropped: number;
}

export interface Settler {
  /** Resolves when the settlement is written, together with all that came while one was under way. */
  settle(claimed: ClaimedCallback, settlement: CallbackSettlement): Promise<void>;
  counts(): Counts;
}

export interface SettlerDeps {
  queue: Pick<CallbackQueue, "settle">;
  sleep: (ms: number) => Promise<void>;
  random: () => number;
  log: Log;
}

interface Item {
  claimed: ClaimedCallback;
  settlement: CallbackSettlement;
}

const MAX_PER_CALL = 200;
const MAX_WAITING = 10_000;
/** About 20 s in all: within the lease, beyond a restart of Postgres. */
const MAX_TRIES = 12;
const BACKOFF = { baseMs: 200, capMs: 4_000 };

/**
 * Writes outcomes back while other calls go on. What could not be written is delivered again under the
 * same id once its lease is over: the receiver knows it.
 */
export function createSettler({ queue, sleep, random, log }: SettlerDeps): Settler {
  const counts = { delivered: 0, retried: 0, dropped: 0 };
  const stopped = new Set<string>();

  async function commit(items: Item[]): Promise<void[]> {
    const results = await retry(() => queue.settle(items.map(({ settlement }) => settlement)), {
      maxTries: MAX_TRIES,
      isTransient: (error) => error instanceof DatabaseError && error.unavailable,
      backoff: BACKOFF,
      sleep,
      random,
    });
    items.forEach((item, index) => note(item, results[index]!));
    return items.map(() => undefined);
  }

  function note({ claimed, settlement }: Item, result: CallbackResult): void {
    if (result in counts) counts[result as keyof typeof counts] += 1;
    if (result === "paused") stopped.add(claimed.endpointId);
    if (result === "delivered" || result === "deferred") return;
    log.warn("callback.not_delivered", {
      tenant_id: claimed.tenantId,
      endpoint_id: claimed.endpointId,
      event_id: claimed.event.id,
      attempt: claimed.attempt,
      result,
      ...("failure" in settlement && { failure: settlement.failure }),
    });
  }

  const group = createGroupCommit<Item, void>({
    commit,
    maxBatch: MAX_PER_CALL,
    maxWaiting: MAX_WAITING,
  });
  return {
    settle: (claimed, settlement) => group.submit({ claimed, settlement }),
    counts: () => ({ ...counts, paused: stopped.size }),
  };
}
