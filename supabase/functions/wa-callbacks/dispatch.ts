import { bodyOf, signedHeaders } from "../_shared/callbacks/signing.ts";
import type { CallbackQueue, ClaimedCallback } from "../_shared/queue/callbacks.ts";
import { openGate } from "../_shared/resilience/breaker_gate.ts";
import type { BreakerGate, Entry } from "../_shared/resilience/breaker_gate.ts";
import type { Breakers } from "../_shared/resilience/breakers.ts";
import { outcomeOf } from "./outcome.ts";
import type { Post } from "./post.ts";
import type { Settler } from "./settler.ts";

export interface DispatchDeps {
  queue: Pick<CallbackQueue, "hold">;
  breakers: Breakers;
  post: Post;
  now: () => number;
  random: () => number;
}

const USER_AGENT = "switchyard-callbacks/1";

/**
 * Makes the deliveries of one claim, all at once, and settles every one of them. What the breaker of an
 * endpoint holds back is put off to the moment that it names, and the endpoint is not read before it.
 */
export async function dispatch(
  deps: DispatchDeps,
  claimed: ClaimedCallback[],
  settler: Settler,
): Promise<void> {
  const gate = await openGate(deps.breakers, claimed.map(scopeOf), deps.now);
  const holds = new Map<string, number>();
  const all = await Promise.allSettled(
    claimed.map((delivery) => deliver(deps, delivery, { gate, settler, holds })),
  );
  const held = [...holds].map(([endpointId, untilMs]) => deps.queue.hold([endpointId], untilMs));
  await Promise.all([gate.close(), ...held]);
  const failed = all.find((it) => it.status === "rejected");
  if (failed) throw failed.reason;
}

interface Dispatching {
  gate: BreakerGate;
  settler: Settler;
  holds: Map<string, number>;
}

async function deliver(
  deps: DispatchDeps,
  claimed: ClaimedCallback,
  { gate, settler, holds }: Dispatching,
): Promise<void> {
  const entry = gate.enter([scopeOf(claimed)]);
  if (!entry.allowed) {
    noteHold(holds, claimed, entry);
    const { id, attempt } = claimed;
    const due_at = new Date(entry.retryAtMs).toISOString();
    return await settler.settle(claimed, { id, attempt, outcome: "deferred", due_at });
  }
  const { settlement, judgement } = outcomeOf(claimed, await call(deps, claimed), deps);
  gate.note([scopeOf(claimed)], judgement);
  await settler.settle(claimed, settlement);
}

function call({ post, now }: DispatchDeps, { url, event, secrets }: ClaimedCallback) {
  const body = bodyOf(event);
  const headers = {
    "content-type": "application/json",
    "user-agent": USER_AGENT,
    ...signedHeaders({ id: event.id, body, secrets, nowMs: now() }),
  };
  return post(url, headers, body);
}

function scopeOf({ endpointId }: ClaimedCallback): string {
  return `callback:${endpointId}`;
}

// What is being probed is decided in a moment.
function noteHold(
  holds: Map<string, number>,
  { endpointId }: ClaimedCallback,
  entry: Extract<Entry, { allowed: false }>,
): void {
  if (entry.reason === "probing") return;
  holds.set(endpointId, Math.max(holds.get(endpointId) ?? 0, entry.retryAtMs));
}
