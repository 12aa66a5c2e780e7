import type { CallRpc } from "../database.ts";
import type { Json } from "../database_types.ts";

/** An event that this worker alone may apply until its lease ends. */
export interface ClaimedEvent {
  id: number;
  /** Fences the claim: only this attempt may be applied with it. */
  attempt: number;
  queueEntryId: number;
  kind: string;
  field: string;
  payload: Json;
  eventAt: string | null;
}

/** What an event of an account changes; a number is its digits, null all numbers of the account. */
export type AccountUpdate =
  | {
    kind: "template";
    template_id: string | null;
    name: string;
    language: string;
    status?: {
      name: string;
      reason: string | null;
      effect: "waits" | "ends" | "goes" | "none";
      pause_hours: number | null;
    };
    quality?: string;
    category?: string;
  }
  | {
    kind: "number";
    number: string | null;
    messaging_limit?: string;
    throughput_per_second?: number;
    name?: { decision: string; requested: string | null };
  }
  | {
    kind: "attention";
    /** Of two notices about one subject the later one holds. */
    subject: string;
    number: string | null;
    cause: string;
    stops: "all" | "bulk" | "templates" | "nothing";
    detail: Record<string, string | null>;
    until: string | null;
  }
  | {
    kind: "attention_over";
    subject: string;
    number: string | null;
    causes: readonly string[];
  }
  | { kind: "preference"; phone: string | null; user_id: string | null; stopped: boolean };

/** What an event means for the database; times are ISO 8601. */
export type EventEffect =
  | {
    action: "status";
    wamid: string;
    /** Our message id, when Meta handed it back. */
    message_id: string | null;
    status: string;
    recipient: string | null;
    /** The member of a group, of whom alone it tells. */
    participant: string | null;
    at: string;
    pricing: unknown;
    /** Until then everything to this customer is free, as Meta told with this status. */
    free_entry_until: string | null;
    errors: unknown;
  }
  | {
    action: "message";
    wamid: string;
    phone: string | null;
    user_id: string | null;
    /** What the customer's number or id has changed to, as Meta told with this message. */
    became_phone: string | null;
    became_user_id: string | null;
    name: string | null;
    type: string;
    content: unknown;
    at: string;
  }
  | { action: "account"; updates: AccountUpdate[] }
  | { action: "keep" }
  | { action: "retry"; delay_seconds: number; reason: string }
  | { action: "dead"; reason: string };

export interface InboundQueue {
  /** Claims up to `batch` events in the order of their own time. */
  claim(batch: number): Promise<ClaimedEvent[]>;
  /** Applies effects, all or none; true for each that still was this worker's to apply. */
  apply(effects: { event: ClaimedEvent; effect: EventEffect }[]): Promise<boolean[]>;
  /** Wakes another drain once this one has spent what it may. */
  handOn(): Promise<void>;
}

/** The inbound queue as SQL knows it: one call a step and batch, never one an event. */
export function createInboundQueue(
  call: CallRpc,
  options: { leaseSeconds: number },
): InboundQueue {
  return {
    async claim(batch) {
      const rows = await call("claim_events", { batch, lease_seconds: options.leaseSeconds });
      return rows.map((row) => ({
        id: row.id,
        attempt: row.attempt,
        queueEntryId: row.queue_entry_id,
        kind: row.kind,
        field: row.field,
        payload: row.payload,
        eventAt: row.event_at,
      }));
    },
    async apply(effects) {
      const items = effects.map(({ event, effect }) => ({
        id: event.id,
        attempt: event.attempt,
        queue_entry_id: event.queueEntryId,
        ...effect,
      }));
      const rows = await call("apply_events", { items });
      const applied = new Map(rows.map((row) => [row.id, row.applied]));
      return effects.map(({ event }) => applied.get(event.id) ?? false);
    },
    async handOn() {
      await call("ring_doorbell", { function_name: "wa-inbound" });
    },
  };
}
