import type { ClaimedMessage, SendError, Settlement } from "../_shared/queue/outbound.ts";
import { retryDelayMs } from "../_shared/whatsapp/send_outcome.ts";
import type { SendOutcome, ToldError } from "../_shared/whatsapp/send_outcome.ts";

interface Chance {
  now: () => number;
  random: () => number;
}

/** How long a status webhook may settle an attempt whose answer was lost. */
const UNKNOWN_GRACE_MS = 60_000;

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
    case "unknown": {
      const unknown_until = isoOf(now() + UNKNOWN_GRACE_MS);
      return {
        ...settled,
        outcome: "unknown",
        unknown_until,
        error: errorOf(outcome.reason, outcome),
      };
    }
    case "credential_refused": {
      // Due at once: the sender is paused until somebody has given it another token.
      const error = errorOf(outcome.cause, outcome);
      const refused_version = message.credentialVersion;
      return { ...settled, outcome: "retry", due_at: isoOf(now()), error, refused_version };
    }
    case "retry": {
      const failures = message.failureCount + 1;
      const error = errorOf(outcome.cause, outcome);
      if (failures >= outcome.max_tries) return { ...settled, outcome: "rejected", error };
      const due_at = isoOf(now() + retryDelayMs(outcome, failures, random));
      const throttled = outcome.throttled && outcome.scope === "sender";
      return { ...settled, outcome: "retry", due_at, error, ...(throttled && { throttled }) };
    }
  }
}

/** Puts a message back that was claimed but not called for, until this moment. */
export function deferral(
  message: ClaimedMessage,
  waitingFor: string,
  untilMs: number,
  nowMs: number,
): Settlement {
  return {
    id: message.id,
    attempt: message.attempt,
    finished_at: isoOf(nowMs),
    outcome: "deferred",
    due_at: isoOf(untilMs),
    waiting_for: waitingFor,
  };
}

function errorOf(cause: string, told: ToldError): SendError {
  const { code, subcode, title, details, fbtrace_id, http_status } = told;
  const known = { code, subcode, details, fbtrace_id, http_status };
  return {
    cause,
    title,
    ...Object.fromEntries(Object.entries(known).filter(([, it]) => it !== null)),
  };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
