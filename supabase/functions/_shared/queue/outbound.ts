import type { CallRpc } from "../database.ts";
import type { Json } from "../database_types.ts";

/** Constrained by the database to these. */
export type Lane = "urgent" | "normal" | "bulk";

/** A message that this worker alone may send until its lease ends. */
export interface ClaimedMessage {
  id: string;
  /** Fences the claim: only this attempt may be settled with it. */
  attempt: number;
  tenantId: string;
  senderId: string;
  phoneNumberId: string;
  businessAccountId: string;
  credentialVersion: number;
  recipient: string;
  type: string;
  content: Json;
  context: Json;
  lane: Lane;
  failureCount: number;
  /** How often in a row a limit has put it off. */
  deferralCount: number;
  /** When it was to go; the limits at send time may have reserved this very moment for it. */
  dueAtMs: number;
  /** At most this many messages in any window of this length, of the tenant or of the sender alone. */
  limit: { messages: number; windowMs: number; isOfSender: boolean };
  /** The sender's rate as Meta lets it go now. */
  perSecond: number;
  cacheGeneration: number;
  /** How many messages were still due after this claim, counted as far as the worker wants to know. */
  depth: number;
}

/** Why a message was not accepted, as attempts, dead letters and callers see it. */
export interface SendError {
  cause: string;
  title: string;
  code?: number;
  subcode?: number;
  details?: string;
  fbtrace_id?: string;
  http_status?: number;
}

/**
 * What came of one attempt; times are ISO 8601. The database takes them as so long after `finished_at`,
 * so that the clock of the worker matters to nobody.
 */
export type Settlement =
  & { id: string; attempt: number; finished_at: string }
  & (
    /** Read receipts have no wamid. */
    | { outcome: "accepted"; wamid: string | null }
    | {
      outcome: "retry";
      due_at: string;
      error: SendError;
      /** The sender goes too fast for Meta. */
      throttled?: true;
      /** The credential of this version is refused: the sender waits for another one. */
      refused_version?: number;
    }
    /** A limit is named `limit:…`: the message then keeps its place among those who wait for it. */
    | { outcome: "deferred"; due_at: string; waiting_for: string }
    | { outcome: "rejected"; error: SendError }
    | { outcome: "unknown"; unknown_until: string; error: SendError }
  );

export interface OutboundQueue {
  /** Claims up to `batch` due messages; none of them is given to another worker meanwhile. */
  claim(batch: number): Promise<ClaimedMessage[]>;
  /** Writes outcomes back; true for each that still was this worker's to settle. */
  settle(settlements: Settlement[]): Promise<boolean[]>;
  /** In how many milliseconds the next waiting message is due; null when none waits. */
  nextDueInMs(): Promise<number | null>;
  /** Holds senders back: for so long nothing of them is read. */
  hold(senderIds: string[], forMs: number): Promise<void>;
  /** Wakes another drain once this one has spent what it may. */
  handOn(): Promise<void>;
}

/** The outbound queue as SQL knows it: one call a step and batch, never one a message. */
export function createOutboundQueue(
  call: CallRpc,
  options: { worker: string; leaseSeconds: number; countDepthTo: number },
): OutboundQueue {
  return {
    async claim(batch) {
      const rows = await call("claim_messages", {
        batch,
        lease_seconds: options.leaseSeconds,
        worker: options.worker,
        count_depth_to: options.countDepthTo,
      });
      return rows.map((row) => ({
        id: row.id,
        attempt: row.attempt,
        tenantId: row.tenant_id,
        senderId: row.sender_id,
        phoneNumberId: row.phone_number_id,
        businessAccountId: row.business_account_id,
        credentialVersion: row.credential_version,
        recipient: row.recipient,
        type: row.type,
        content: row.content,
        context: row.context,
        lane: row.lane as Lane,
        failureCount: row.failure_count,
        deferralCount: row.deferral_count,
        dueAtMs: Date.parse(row.due_at),
        limit: {
          messages: row.limit_messages,
          windowMs: row.limit_window_seconds * 1_000,
          isOfSender: row.limit_is_of_sender,
        },
        perSecond: row.per_second,
        cacheGeneration: row.cache_generation,
        depth: row.depth,
      }));
    },
    async settle(settlements) {
      const rows = await call("settle_messages", { outcomes: settlements });
      const settled = new Map(rows.map((row) => [row.id, row.settled]));
      return settlements.map(({ id }) => settled.get(id) ?? false);
    },
    async nextDueInMs() {
      const inMs: number | null = await call("next_due_in_ms", {});
      return inMs;
    },
    async hold(senderIds, forMs) {
      await call("hold_senders", { sender_ids: senderIds, for_ms: Math.ceil(forMs) });
    },
    async handOn() {
      await call("ring_doorbell", { function_name: "wa-sender" });
    },
  };
}
