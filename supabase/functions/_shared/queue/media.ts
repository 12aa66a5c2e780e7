import * as z from "zod";
import type { CallRpc } from "../database.ts";

const claimedAction = z.enum(["fetch", "delete"]);

/** A file that this worker alone may fetch or delete until its lease ends. */
export interface ClaimedMedia {
  id: number;
  /** Fences the claim: only this attempt may be settled with it. */
  attempt: number;
  action: z.output<typeof claimedAction>;
  /** Where it is kept, or is to be. */
  path: string;
  told: {
    sender_id: string;
    phone_number_id: string;
    type: string;
    id: string;
    mime_type: string | null;
    sha256: string | null;
  };
}

/** What came of a claimed file. */
export type MediaOutcome =
  | { outcome: "stored"; size_bytes: number; sha256: string; mime_type: string }
  | { outcome: "gone" | "failed"; reason: string }
  | { outcome: "retry"; delay_seconds: number; reason: string }
  | { outcome: "deleted" };

export interface MediaQueue {
  /** Claims up to `batch` files that are due. */
  claim(batch: number): Promise<ClaimedMedia[]>;
  /** Writes down what came of one; false when another worker has it by now. */
  settle(media: ClaimedMedia, outcome: MediaOutcome): Promise<boolean>;
  /** Wakes another drain once this one has spent what it may. */
  handOn(): Promise<void>;
}

/** The files that wait to be fetched or deleted, as SQL knows them. */
export function createMediaQueue(call: CallRpc, options: { leaseSeconds: number }): MediaQueue {
  return {
    async claim(batch) {
      const rows = await call("claim_media", { batch, lease_seconds: options.leaseSeconds });
      return rows.map((row) => ({
        id: row.id,
        attempt: row.attempt,
        action: claimedAction.parse(row.action),
        path: row.path,
        told: {
          sender_id: row.sender_id,
          phone_number_id: row.phone_number_id,
          type: row.type,
          id: row.media_id,
          mime_type: row.mime_type,
          sha256: row.sha256,
        },
      }));
    },
    async settle({ id, attempt }, outcome) {
      const outcomes = [{ id, attempt, ...outcome }];
      const [row] = await call("settle_media", { outcomes });
      return row?.settled ?? false;
    },
    async handOn() {
      await call("ring_doorbell", { function_name: "wa-conversations/media" });
    },
  };
}
