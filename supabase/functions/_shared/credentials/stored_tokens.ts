import { DatabaseError } from "../database.ts";
import type { CallRpc } from "../database.ts";
import { withDeadline } from "../resilience/deadline.ts";
import type { Source } from "../resilience/layered_cache.ts";
import type { Versioned } from "../resilience/layered_cache_memory.ts";
import { retry } from "../resilience/retry.ts";
import type { Log } from "../telemetry/log.ts";
import { BreakerOpen } from "./read_breaker.ts";
import type { ReadBreaker } from "./read_breaker.ts";

export interface StoredTokensDeps {
  call: CallRpc;
  breaker: ReadBreaker;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  random: () => number;
  log: Log;
}

/** Of one call; with its retries a read ends within about 21 s. */
const READ_TIMEOUT_MS = 5_000;
/** The first and three retries, 100, 200 and 400 ms apart at most. */
const READ_TRIES = 4;
const READ_BACKOFF = { baseMs: 100, capMs: 2_000 };

/** The tokens in the database, by sender id; of a suspended tenant's senders nobody may have one. */
export function createStoredTokens(deps: StoredTokensDeps): Source<string, "suspended"> {
  const { call, breaker, sleep, random, log } = deps;

  async function readOnce(senderIds: string[]) {
    const answered = await withDeadline(
      (signal) => call("read_credentials", { sender_ids: senderIds }, { signal }),
      READ_TIMEOUT_MS,
      sleep,
    );
    if (!answered.ok) throw answered.error;
    // A gateway's empty 404 reaches us as success without rows: that is no answer.
    if (!Array.isArray(answered.value)) throw new TypeError("read_credentials gave no rows");
    return answered.value;
  }

  return {
    async read(senderIds) {
      try {
        const rows = await retry(() => breaker.run(() => readOnce(senderIds)), {
          maxTries: READ_TRIES,
          isTransient,
          backoff: READ_BACKOFF,
          sleep,
          random,
        });
        return new Map(rows.map((row) => [row.sender_id, tokenOf(row)]));
      } catch (error) {
        if (!(error instanceof BreakerOpen)) log.warn("credentials.read_failed", { error });
        throw error;
      }
    },
  };
}

function tokenOf(
  row: { credential_version: number; access_token: string | null },
): Versioned<string> | { refused: "suspended" } {
  return row.access_token === null
    ? { refused: "suspended" }
    : { version: row.credential_version, value: row.access_token };
}

// A gateway's 408, 500 and 504 carry no code of PostgREST's; classes 58 and XX are trouble of the
// server's own. What is left are answers: the same call would be answered the same way.
function isTransient(error: unknown): boolean {
  if (error instanceof BreakerOpen) return false;
  if (!(error instanceof DatabaseError)) return true;
  return error.unavailable || !error.code || /^(58|XX)/.test(error.code);
}
