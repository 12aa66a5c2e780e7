import { withDeadline } from "../resilience/deadline.ts";
import { groupRequests } from "./batch.ts";
import type { Batch } from "./batch.ts";
import { createLocalWindows } from "./local_windows.ts";
import { createRedisWindows } from "./redis_windows.ts";
import type { ScriptRedis, SharedVerdicts } from "./redis_windows.ts";
import type { Verdict } from "./schedule.ts";
import type { Admission, SendRequest, SendWindows } from "./send_request.ts";

export interface SendWindowsDeps {
  /** Null where there is no Redis: this isolate is taken to be the only one. */
  redis: ScriptRedis | null;
  now: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  log: PacingLog;
}

interface PacingLog {
  info(event: string, fields: Record<string, unknown>): void;
  warn(event: string, fields: Record<string, unknown>): void;
}

/** What each isolate gives out of every limit while Redis is away: four at once stay within it. */
const PART_WITHOUT_REDIS = 1 / 4;
const REDIS_TIMEOUT_MS = 1_000;
/** A Redis that does not answer would otherwise cost each claim its deadline. */
const REDIS_PAUSE_MS = 5_000;

/**
 * The limits that all isolates share while Redis answers within a second; while it does not, a part of
 * each. Either way this isolate never sends more than a whole limit by itself: not when Redis goes,
 * comes back, or comes back empty.
 */
export function createSendWindows({ redis, now, sleep, log }: SendWindowsDeps): SendWindows {
  const shared = redis === null ? null : createRedisWindows(redis);
  const own = createLocalWindows();
  const parts = createLocalWindows();
  let awayUntilMs: number | null = null;
  let redisAheadMs = 0;

  async function askRedis(batch: Batch): Promise<SharedVerdicts | null> {
    if (shared === null || (awayUntilMs !== null && now() < awayUntilMs)) return null;
    // One claim at a time tries a Redis that was away.
    if (awayUntilMs !== null) awayUntilMs = now() + REDIS_PAUSE_MS;
    const asked = await withDeadline(() => shared.decide(batch), REDIS_TIMEOUT_MS, sleep);
    if (!asked.ok) {
      if (awayUntilMs === null) log.warn("windows.kept_local", { reason: reasonOf(asked.error) });
      awayUntilMs = now() + REDIS_PAUSE_MS;
      return null;
    }
    if (awayUntilMs !== null) log.info("windows.shared_again", {});
    awayUntilMs = null;
    redisAheadMs = asked.value.nowMs - now();
    return asked.value;
  }

  async function judge(requests: readonly SendRequest[]): Promise<Verdict[]> {
    const batch = groupRequests(requests);
    if (shared === null) return own.decide(batch, now());
    const told = await askRedis(batch);
    // This isolate counts by the clock of Redis, so that its own count is never the stricter one.
    const nowMs = told?.nowMs ?? now() + redisAheadMs;
    const verdicts = told?.verdicts ??
      parts.decide(groupRequests(requests, PART_WITHOUT_REDIS), nowMs);
    return own.confirm(batch, verdicts, nowMs);
  }

  return {
    async admit(requests) {
      if (requests.length === 0) return [];
      const verdicts = await judge(requests);
      const nowMs = now();
      return verdicts.map((verdict) => toAdmission(verdict, nowMs));
    },
  };
}

const ADMITTED: Admission = { admitted: true };

function toAdmission(verdict: Verdict, nowMs: number): Admission {
  if (verdict.admitted) return ADMITTED;
  return { admitted: false, atMs: nowMs + verdict.waitMs, by: verdict.by };
}

// The client appends the whole command, with the recipients of a claim in it.
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(", command was:", 1)[0]!;
}
