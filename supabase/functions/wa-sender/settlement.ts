import { backoffMs } from "../_shared/resilience/backoff.ts";
import type { ClaimedMessage, SendError, Settlement } from "../_shared/queue/outbound.ts";
import type { SendOutcome } from "../_shared/whatsapp/send_outcome.ts";

interface Chance {
  now: () => number;
  random: () => number;
}

/** How long a status webhook may settle an attempt whose answer was lost. */
const UNKNOWN_GRACE_MS = 60_000;
/** A refused token is an operator's work: look again now and then, and lose no message over it. */
const CREDENTIAL_PAUSE_MS = 60_000;
const DEFERRAL_MS = 10_000;

/** What to write back for an outcome: where the message goes and when it is due again. */
export function settlementOf(
  message: ClaimedMessage,
  outcome: SendOutcome,
  { now, random }: Chance,
): Settlement {
  const settled = { id: message.id, attempt: message.attempt, finished_at: isoOf(now()) };
  switch (outcome.kind) {
    case "accepted":
      return { ...settled, outcome: "accepted", wamid: outcome.wamid };
    case "rejected":
      return { ...settled, outcome: "rejected", error: errorOf(outcome.cause, outcome) };
    case "unknown":
      return {
        ...settled,
        outcome: "unknown",
        unknown_until: isoOf(now() + UNKNOWN_GRACE_MS),
        error: errorOf(outcome.reason, outcome),
      };
    case "credential_refused":
      return {
        ...settled,
        outcome: "retry",
        due_at: isoOf(now() + CREDENTIAL_PAUSE_MS),
        error: errorOf("credential_refused", outcome),
      };
    case "retry": {
      const failures = message.failureCount + 1;
      const error = errorOf(outcome.cause, outcome);
      if (failures >= outcome.max_tries) {
        return { ...settled, outcome: "rejected", error: { ...error, cause: "retries_exhausted" } };
      }
      const waitMs = outcome.delay_ms + backoffMs(failures, random);
      return { ...settled, outcome: "retry", due_at: isoOf(now() + waitMs), error };
    }
  }
}

/** Puts a message back that was claimed but not called for. */
export function deferral(message: ClaimedMessage, cause: string, nowMs: number): Settlement {
  return {
    id: message.id,
    attempt: message.attempt,
    finished_at: isoOf(nowMs),
    outcome: "deferred",
    due_at: isoOf(nowMs + DEFERRAL_MS),
    error: { cause },
  };
}

function errorOf(cause: string, outcome: object): SendError {
  const error: SendError = { cause };
  const told = outcome as Partial<Record<keyof SendError, unknown>>;
  if (typeof told.code === "number" || typeof told.code === "string") error.code = told.code;
  if (typeof told.title === "string") error.title = told.title;
  if (typeof told.details === "string") error.details = told.details;
  if (typeof told.fbtrace_id === "string") error.fbtrace_id = told.fbtrace_id;
  return error;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
