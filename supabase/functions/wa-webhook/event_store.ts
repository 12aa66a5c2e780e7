import { DatabaseError } from "../_shared/database.ts";
import type { CallRpc } from "../_shared/database.ts";
import { createGroupCommit, GroupCommitFull } from "../_shared/queue/group_commit.ts";
import type { Log } from "../_shared/telemetry/log.ts";
import type { WebhookEvent } from "../_shared/whatsapp/webhook_events.ts";

export type StoreAnswer = "stored" | "overloaded" | "failed";

/** Resolves to "stored" only once all events of the body are committed. */
export type StoreEvents = (events: WebhookEvent[], bodyBytes: number) => Promise<StoreAnswer>;

export interface EventStoreDeps {
  call: CallRpc;
  log: Log;
  now: () => number;
}

/** An event weighs 1, a body at least its size in KiB. */
const MAX_BATCH_WEIGHT = 2_000;
/** About 32 MiB of bodies, of the 256 MB that an isolate has. */
const MAX_WAITING_WEIGHT = 32_768;
const BYTES_OF_WEIGHT_ONE = 1_024;
/**
 * With one store at a time all callers wait for it together and come again together, and the isolate
 * is idle meanwhile. A call costs as much as 40 events do, so that many go together in the second too.
 */
const BESIDE = { maxInFlight: 2, minWeight: 128 };

interface Body {
  events: WebhookEvent[];
  weight: number;
}

/** Stores the bodies of concurrent requests together: two calls at a time, a body never divided. */
export function createEventStore(deps: EventStoreDeps): StoreEvents {
  const group = createGroupCommit<Body, StoreAnswer>({
    commit: (bodies) => storeBodies(deps, bodies),
    maxBatch: MAX_BATCH_WEIGHT,
    maxWaiting: MAX_WAITING_WEIGHT,
    weigh: ({ weight }) => weight,
    beside: BESIDE,
  });
  return async (events, bodyBytes) => {
    const weight = Math.max(events.length, Math.ceil(bodyBytes / BYTES_OF_WEIGHT_ONE));
    try {
      return await group.submit({ events, weight });
    } catch (error) {
      if (error instanceof GroupCommitFull) return "overloaded";
      throw error;
    }
  };
}

async function storeBodies(deps: EventStoreDeps, bodies: Body[]): Promise<StoreAnswer[]> {
  const events = bodies.flatMap((body) => body.events);
  const startedAt = deps.now();
  try {
    const [counts] = await deps.call("store_events", { events });
    const duration_ms = deps.now() - startedAt;
    deps.log.info("events.stored", { requests: bodies.length, ...counts, duration_ms });
    const { quarantined = 0 } = counts ?? {};
    // What Meta sends and nobody here understands or owns is a person's to look at.
    if (quarantined > 0) deps.log.warn("events.quarantined", { events: quarantined });
    return bodies.map(() => "stored");
  } catch (error) {
    if (bodies.length > 1 && isAboutContent(error)) return await storeHalves(deps, bodies);
    const counts = { requests: bodies.length, events: events.length };
    deps.log.error("events.not_stored", { ...counts, error });
    return bodies.map(() => "failed");
  }
}

// What the database refuses in one body is no reason to refuse those that were stored with it.
async function storeHalves(deps: EventStoreDeps, bodies: Body[]): Promise<StoreAnswer[]> {
  const middle = Math.ceil(bodies.length / 2);
  const first = await storeBodies(deps, bodies.slice(0, middle));
  return [...first, ...await storeBodies(deps, bodies.slice(middle))];
}

// SQLSTATE classes 22 (malformed value), 23 (broken constraint) and 54 (too large).
function isAboutContent(error: unknown): boolean {
  return error instanceof DatabaseError && /^(22|23|54)/.test(error.code);
}
