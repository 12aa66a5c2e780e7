import { advance } from "../_shared/conversation/advance.ts";
import type { Advance } from "../_shared/conversation/advance.ts";
import { fingerprintOf } from "../_shared/conversation/fingerprint.ts";
import { nameOf } from "../_shared/conversation/machine.ts";
import type { Machines } from "../_shared/conversation/registry.ts";
import { DatabaseError } from "../_shared/database.ts";
import type { ClaimedConversation, ConversationQueue } from "../_shared/queue/conversations.ts";
import { retry } from "../_shared/resilience/retry.ts";
import type { Log } from "../_shared/telemetry/log.ts";

export interface ConversationDeps {
  queue: ConversationQueue;
  machines: Machines;
  sleep: (ms: number) => Promise<void>;
  random: () => number;
  log: Log;
}

/** Lets conversations with a machine react to what waits for them. */
export interface Conversations {
  /** One batch; how many conversations were claimed, 0 when none has anything to do. */
  advanceSome(): Promise<number>;
  /** Epoch milliseconds at which the next one has something to do; null when none has. */
  nextWakeAt(): Promise<number | null>;
}

/** Conversations in one claim: about 50 ms of computing. */
const BATCH = 100;
/** A conversation that fails is tried this often in all, with these waits between. */
const RETRY_DELAYS_SECONDS = [10, 60];
/** A lost race: a second or two in all. */
const MAX_TRIES_AT_ONCE = 4;

interface Computed {
  conversation: ClaimedConversation;
  advance: Advance;
}

/** Machines are offered once in the life of an isolate: their definitions are part of its code. */
export function createConversations(deps: ConversationDeps): Conversations {
  let offered: Promise<string[]> | null = null;
  return {
    async advanceSome() {
      offered ??= offerMachines(deps).catch((error) => {
        offered = null;
        throw error;
      });
      const claimed = await deps.queue.claim(await offered, BATCH);
      const computed: Computed[] = [];
      for (const conversation of claimed) {
        const one = await compute(deps, conversation);
        if (one !== null) computed.push({ conversation, advance: one });
      }
      if (computed.length > 0) await writeTogether(deps, computed);
      return claimed.length;
    },
    nextWakeAt: () => deps.queue.nextWakeAt(),
  };
}

// The names of what may run here. A machine that was changed under its version runs nowhere: its
// conversations wait for the deployment that has the definition on which they began.
async function offerMachines({ queue, machines, log }: ConversationDeps) {
  const refused = await queue.offer(machines.all.map((one) => ({
    id: one.id,
    version: one.version,
    fingerprint: fingerprintOf(one.chart),
  })));
  const isRefused = new Set(refused.map(nameOf));
  for (const one of refused) log.error("machine.refused", { machine: nameOf(one) });
  const accepted = machines.all.filter((one) => !isRefused.has(nameOf(one)));
  const newest = accepted.filter((one) => machines.latest(one.id) === one);
  return [...accepted.map(nameOf), ...newest.map(({ id }) => id)];
}

async function compute(
  deps: ConversationDeps,
  conversation: ClaimedConversation,
): Promise<Advance | null> {
  try {
    return advance(deps.machines, conversation, conversation.claimedAt);
  } catch (error) {
    await putOff(deps, conversation, "not_computable", error);
    return null;
  }
}

// A batch that was overtaken is written without those that were: they are claimed and computed again.
function write({ queue, sleep, random }: ConversationDeps, computed: Computed[]) {
  return retry(() => queue.write(computed), {
    maxTries: MAX_TRIES_AT_ONCE,
    isTransient: (error) => error instanceof DatabaseError && error.unavailable,
    sleep,
    random,
  });
}

async function writeTogether(deps: ConversationDeps, computed: Computed[]): Promise<void> {
  try {
    await write(deps, computed);
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.unavailable) throw error;
    for (const one of computed) await writeAlone(deps, one);
  }
}

async function writeAlone(deps: ConversationDeps, one: Computed): Promise<void> {
  try {
    await write(deps, [one]);
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.unavailable) throw error;
    await putOff(deps, one.conversation, `not_writable:${error.code}`, error);
  }
}

async function putOff(
  { queue, log }: ConversationDeps,
  conversation: ClaimedConversation,
  reason: string,
  error: unknown,
): Promise<void> {
  const delaySeconds = RETRY_DELAYS_SECONDS[conversation.failureCount] ?? null;
  const event = delaySeconds === null ? "conversation.parked" : "conversation.put_off";
  log.error(event, { conversation_id: conversation.id, reason, error });
  await queue.putOff([{ conversation, reason, delaySeconds }]);
}
