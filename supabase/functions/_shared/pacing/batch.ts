import { senderLimit, tenantLimit } from "./limits.ts";
import type { Limit } from "./limits.ts";
import type { Asking } from "./schedule.ts";
import type { SendRequest } from "./send_request.ts";

/** A claim of messages with each limit and pair that they are held to named once. */
export interface Batch {
  /** What limits hold for, tenants and senders, and beside them the limits. */
  limitKeys: string[];
  limits: Limit[];
  pairKeys: string[];
  asked: Asked[];
}

/** One message: where its tenant, sender and pair stand in the batch. */
export interface Asked extends Asking {
  tenant: number;
  sender: number;
  pair: number;
}

/** Groups messages by what they are held to; `part` is the part of each limit that is given out. */
export function groupRequests(requests: readonly SendRequest[], part = 1): Batch {
  const batch: Batch = { limitKeys: [], limits: [], pairKeys: [], asked: [] };
  const tenants = new Map<string, number>();
  const senders = new Map<string, number>();
  const pairs = new Map<string, number>();
  for (const request of requests) {
    const { tenantId, senderId, recipient, lane, deferrals } = request;
    let tenant = tenants.get(tenantId);
    if (tenant === undefined) {
      const limit = tenantLimit(request.tenantLimit, part);
      tenants.set(tenantId, tenant = addLimit(batch, `tenant:${tenantId}`, limit));
    }
    let sender = senders.get(senderId);
    if (sender === undefined) {
      const limit = senderLimit(request.senderPerSecond, part);
      senders.set(senderId, sender = addLimit(batch, `sender:${senderId}`, limit));
    }
    const pairKey = `pair:${senderId}:${recipient}`;
    let pair = pairs.get(pairKey);
    if (pair === undefined) pairs.set(pairKey, pair = batch.pairKeys.push(pairKey) - 1);
    batch.asked.push({ tenant, sender, pair, urgent: lane === "urgent", deferrals });
  }
  return batch;
}

function addLimit(batch: Batch, key: string, limit: Limit): number {
  batch.limits.push(limit);
  return batch.limitKeys.push(key) - 1;
}
