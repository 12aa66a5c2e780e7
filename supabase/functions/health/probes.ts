import type { CallRpc } from "../_shared/database.ts";
import { withDeadline } from "../_shared/resilience/deadline.ts";

/** What the database tells of the installation in one round trip (SQL health_snapshot). */
export interface Snapshot {
  outbound: { depth: number; oldest_age_seconds: number };
  outbound_in_flight: number;
  inbound: { depth: number; oldest_age_seconds: number };
  callbacks: {
    depth: number;
    oldest_age_seconds: number;
    unread_age_seconds: number;
    endpoints: number;
    paused_endpoints: number;
    disabled_endpoints: number;
    failing_endpoints: number;
  };
  outcome_unknown: number;
  dead_letters: number;
  quarantined: number;
  /** Of the last day, without Meta's dashboard tests. */
  quarantined_lately: number;
  /** Files of customers that could not be kept. */
  media_failed: number;
  /** What is wrong with the books and still stands. */
  wallet_findings: number;
  senders: { active: number; paused: number };
  cron: { ticked_at: string | null; age_seconds: number | null };
  idempotency: { hit: number; miss: number; error: number };
  secrets: { switchyard_project_url: boolean; switchyard_secret_key: boolean };
}

export type Probe<Value> =
  | { ok: true; value: Value; duration_ms: number }
  | { ok: false; error: "timeout" | "unreachable"; duration_ms: number };

export interface Probes {
  database: () => Promise<Probe<Snapshot>>;
  /** Null when no Redis is configured: everything works without. */
  redis: () => Promise<Probe<"PONG"> | null>;
}

export interface ProbeDeps {
  call: CallRpc;
  redis: { ping: (signal: AbortSignal) => Promise<unknown> } | null;
  now: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** No dependency holds up an answer for longer. */
export const PROBE_TIMEOUT_MS = 2_000;

/** Probes of each dependency under its own deadline: a hung one never hangs the answer. */
export function createProbes({ call, redis, now, sleep }: ProbeDeps): Probes {
  async function probe<Value>(
    ask: (signal: AbortSignal) => Promise<Value>,
  ): Promise<Probe<Value>> {
    const startedAt = now();
    const asked = await withDeadline(ask, PROBE_TIMEOUT_MS, sleep);
    const duration_ms = now() - startedAt;
    return asked.ok
      ? { ok: true, value: asked.value, duration_ms }
      : { ok: false, error: asked.timedOut ? "timeout" : "unreachable", duration_ms };
  }
  return {
    database: () =>
      probe(async (signal) =>
        // The shape is SQL's own; an integration test holds the two together.
        await call("health_snapshot", {}, { signal }) as unknown as Snapshot
      ),
    redis: async () =>
      redis === null ? null : await probe(async (signal) => {
        await redis.ping(signal);
        return "PONG" as const;
      }),
  };
}
