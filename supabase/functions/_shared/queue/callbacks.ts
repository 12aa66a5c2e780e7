import * as z from "zod";
import type { CallRpc } from "../database.ts";
import type { Json } from "../database_types.ts";

/** A delivery that this worker alone may make until its lease ends. */
export interface ClaimedCallback {
  id: number;
  /** Fences the claim: only this attempt may be settled with it. */
  attempt: number;
  endpointId: string;
  tenantId: string;
  url: string;
  /** Those that sign now, the current one first. */
  secrets: string[];
  event: { id: string; type: string; at: string; payload: Json };
  failureCount: number;
}

/** Why a delivery failed, as tenants and operators see it. */
export interface CallbackFailure {
  cause: string;
  http_status?: number;
}

/** What came of one delivery; times are ISO 8601. */
export type CallbackSettlement =
  & { id: number; attempt: number }
  & (
    | { outcome: "delivered" }
    /** The receiver wants no more of it. */
    | { outcome: "gone"; due_at: string; failure: CallbackFailure }
    | { outcome: "failed"; due_at: string; failure: CallbackFailure }
    /** Nobody called. */
    | { outcome: "deferred"; due_at: string }
  );

const RESULTS = ["delivered", "retried", "dropped", "deferred", "paused", "superseded"] as const;

/** What the queue made of a settlement: `paused` waits for its endpoint to be enabled again. */
export type CallbackResult = typeof RESULTS[number];

const claimedSecrets = z.array(z.string());
const settledResult = z.enum(RESULTS);

export interface CallbackQueue {
  /** Claims up to `batch` due deliveries, of each conversation the first. */
  claim(batch: number): Promise<ClaimedCallback[]>;
  /** Writes outcomes back and says what became of each. */
  settle(settlements: CallbackSettlement[]): Promise<CallbackResult[]>;
  /** Holds endpoints back: until then nothing is sent to them. */
  hold(endpointIds: string[], untilMs: number): Promise<void>;
  /** Wakes another drain once this one has spent what it may. */
  handOn(): Promise<void>;
}

/** The queue of callbacks as SQL knows it: one call a step and batch, never one a delivery. */
export function createCallbackQueue(
  call: CallRpc,
  options: { leaseSeconds: number; perEndpoint: number },
): CallbackQueue {
  return {
    async claim(batch) {
      const rows = await call("claim_callbacks", {
        batch,
        lease_seconds: options.leaseSeconds,
        per_endpoint: options.perEndpoint,
      });
      return rows.map((row) => ({
        id: row.id,
        attempt: row.attempt,
        endpointId: row.endpoint_id,
        tenantId: row.tenant_id,
        url: row.url,
        secrets: claimedSecrets.parse(row.secrets),
        event: { id: row.event_id, type: row.type, at: row.event_at, payload: row.payload },
        failureCount: row.failure_count,
      }));
    },
    async settle(settlements) {
      const rows = await call("settle_callbacks", { outcomes: settlements });
      const results = new Map(rows.map((row) => [row.id, settledResult.parse(row.result)]));
      return settlements.map(({ id }) => results.get(id) ?? "superseded");
    },
    async hold(endpointIds, untilMs) {
      const until = new Date(untilMs).toISOString();
      await call("hold_callbacks", { endpoint_ids: endpointIds, until });
    },
    async handOn() {
      await call("ring_doorbell", { function_name: "wa-callbacks" });
    },
  };
}
