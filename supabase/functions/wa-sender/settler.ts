import { DatabaseError } from "../_shared/database.ts";
import { createGroupCommit } from "../_shared/queue/group_commit.ts";
import type { ClaimedMessage, OutboundQueue, Settlement } from "../_shared/queue/outbound.ts";
import { retry } from "../_shared/resilience/retry.ts";
import type { Log } from "../_shared/telemetry/log.ts";

/** What came of the messages of a drain, in the words of its answer. */
export interface Counts {
  sent: number;
  deferred: number;
  retried: number;
  unknown: number;
  dead: number;
}

export interface Settler {
  /** Resolves when the settlement is written, together with all that came while one was under way. */
  settle(message: ClaimedMessage, settlement: Settlement): Promise<void>;
  /** Resolves when few enough outcomes wait to be written for another call to be begun. */
  whenCaughtUp(): Promise<void>;
  /** Resolves when something has been written: what waited its turn may be due by it. */
  nextCommit(): Promise<void>;
  counts(): Counts;
}

export interface SettlerDeps {
  queue: Pick<OutboundQueue, "settle">;
  sleep: (ms: number) => Promise<void>;
  random: () => number;
  log: Log;
}

interface Item {
  message: ClaimedMessage;
  settlement: Settlement;
}

const MAX_PER_CALL = 400;
const MAX_WAITING = 10_000;
/** Outcomes not written yet, beyond which no call is begun: what a crash now would leave unknown. */
const MAX_UNSETTLED = 500;
/** About 20 s in all: within the lease, beyond a restart of Postgres. */
const MAX_TRIES = 12;
const BACKOFF = { baseMs: 200, capMs: 4_000 };
/** A hosted log line holds 10,000 characters. */
const ACCEPTED_PER_LINE = 50;

const COUNTED = {
  accepted: "sent",
  deferred: "deferred",
  retry: "retried",
  unknown: "unknown",
  rejected: "dead",
} as const satisfies Record<Settlement["outcome"], keyof Counts>;

/**
 * Writes outcomes back while sending goes on, so that a crash leaves few unknown. What Meta answered is
 * known only here: while the database is away it is tried again; twice settled changes nothing.
 */
export function createSettler({ queue, sleep, random, log }: SettlerDeps): Settler {
  const counts: Counts = { sent: 0, deferred: 0, retried: 0, unknown: 0, dead: 0 };
  let committed = Promise.withResolvers<void>();
  let unsettled = 0;
  const watchers: (() => void)[] = [];

  function write(items: Item[]): Promise<boolean[]> {
    return retry(() => queue.settle(items.map(({ settlement }) => settlement)), {
      maxTries: MAX_TRIES,
      isTransient: (error) => error instanceof DatabaseError && error.unavailable,
      backoff: BACKOFF,
      sleep,
      random,
    }).finally(() => {
      unsettled -= items.length;
      if (unsettled < MAX_UNSETTLED) { for (const resolve of watchers.splice(0)) resolve(); }
    });
  }

  async function commit(items: Item[]): Promise<void[]> {
    const settled = await write(items);
    const ours = items.filter((_, index) => settled[index]);
    for (const { settlement } of ours) counts[COUNTED[settlement.outcome]] += 1;
    logAttempts(log, ours);
    for (const { message } of items.filter((_, index) => !settled[index])) {
      log.warn("attempt.superseded", { message_id: message.id, attempt: message.attempt });
    }
    committed.resolve();
    committed = Promise.withResolvers<void>();
    return items.map(() => undefined);
  }

  const group = createGroupCommit<Item, void>({
    commit,
    maxBatch: MAX_PER_CALL,
    maxWaiting: MAX_WAITING,
  });
  return {
    settle(message, settlement) {
      unsettled += 1;
      return group.submit({ message, settlement });
    },
    whenCaughtUp: () =>
      unsettled < MAX_UNSETTLED
        ? Promise.resolve()
        : new Promise((resolve) => watchers.push(resolve)),
    nextCommit: () => committed.promise,
    counts: () => ({ ...counts }),
  };
}

// One line for many acceptances: hosted functions may write ten lines a second.
function logAttempts(log: Log, items: Item[]): void {
  const accepted = items.flatMap(({ message, settlement }) =>
    settlement.outcome === "accepted"
      ? [{ tenant_id: message.tenantId, message_id: message.id, wamid: settlement.wamid }]
      : []
  );
  for (let i = 0; i < accepted.length; i += ACCEPTED_PER_LINE) {
    log.info("messages.accepted", { messages: accepted.slice(i, i + ACCEPTED_PER_LINE) });
  }
  for (const { message, settlement } of items) {
    if (settlement.outcome === "accepted" || settlement.outcome === "deferred") continue;
    log.warn("message.not_accepted", {
      tenant_id: message.tenantId,
      message_id: message.id,
      attempt: message.attempt,
      outcome: settlement.outcome,
      error: settlement.error,
    });
  }
}
