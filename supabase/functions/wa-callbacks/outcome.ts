import type { CallbackSettlement, ClaimedCallback } from "../_shared/queue/callbacks.ts";
import { backoffMs } from "../_shared/resilience/backoff.ts";
import type { Judgement } from "../_shared/resilience/breaker_judgement.ts";
import type { PostResult } from "./post.ts";

/** Doubling from 10 s to an hour, each wait a random part of it: some 50 tries in a day. */
export const BACKOFF = { baseMs: 10_000, capMs: 60 * 60_000 };
const GONE = 410;
/** Answers with which a receiver asks for a pause of its own choosing. */
const PACING: ReadonlySet<number> = new Set([429, 503]);

export type Outcome = { settlement: CallbackSettlement; judgement: Judgement };

/** What a call's result means for the delivery and for the breaker of its endpoint. */
export function outcomeOf(
  claimed: ClaimedCallback,
  result: PostResult,
  { now, random }: { now: () => number; random: () => number },
): Outcome {
  const { id, attempt } = claimed;
  if (result.answered && result.status >= 200 && result.status < 300) {
    return { settlement: { id, attempt, outcome: "delivered" }, judgement: judge("succeeded") };
  }
  const waitMs = Math.max(
    backoffMs(claimed.failureCount + 1, random, BACKOFF),
    pauseMs(result, now),
  );
  const settlement: CallbackSettlement = {
    id,
    attempt,
    outcome: result.answered && result.status === GONE ? "gone" : "failed",
    due_at: new Date(now() + waitMs).toISOString(),
    failure: result.answered
      ? { cause: "http_status", http_status: result.status }
      : { cause: result.cause },
  };
  // Who answers is there: what it says of one event may concern that event alone.
  const judgement = result.answered
    ? { ...judge("failed"), named: false, witness: `delivery:${id}` }
    : judge("failed");
  return { settlement, judgement };
}

function judge(verdict: "succeeded" | "failed"): Judgement {
  return { succeeded: [], failed: [], pauseMs: 0, named: true, [verdict]: ["callback"] };
}

// Retry-After in seconds or as a date (RFC 9110 §10.2.3), an hour at most.
function pauseMs(result: PostResult, now: () => number): number {
  if (!result.answered || result.retryAfter === null || !PACING.has(result.status)) return 0;
  const asked = /^\d+$/.test(result.retryAfter)
    ? Number(result.retryAfter) * 1_000
    : Date.parse(result.retryAfter) - now();
  return Number.isNaN(asked) ? 0 : Math.min(Math.max(asked, 0), BACKOFF.capMs);
}
