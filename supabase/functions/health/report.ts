import type { CredentialCounters } from "../_shared/credentials/statistics_store.ts";
import type { Probe, Snapshot } from "./probes.ts";

export type Status = "ok" | "degraded" | "down";

/** Cron ticks every 5 s: after this long without one it is taken for dead. */
const MAX_TICK_AGE_SECONDS = 30;
/** A due message or a stored event that waits longer says that nobody drains. */
const MAX_WAIT_SECONDS = 120;

/** What is wrong in one word each, empty when all is well; `down` is for the database alone. */
export function faultsOf(database: Probe<Snapshot>, redis: Probe<"PONG"> | null): string[] {
  if (!database.ok) return ["database"];
  const { cron, secrets, outbound, inbound } = database.value;
  const faults = {
    redis: redis !== null && !redis.ok,
    cron: cron.age_seconds === null || cron.age_seconds > MAX_TICK_AGE_SECONDS,
    secrets: !secrets.switchyard_project_url || !secrets.switchyard_secret_key,
    outbound: outbound.oldest_age_seconds > MAX_WAIT_SECONDS,
    inbound: inbound.oldest_age_seconds > MAX_WAIT_SECONDS,
  };
  return Object.entries(faults).filter(([, faulty]) => faulty).map(([name]) => name);
}

/** The whole in one word. Without the database nothing works; without the rest it works worse. */
export function statusOf(database: Probe<Snapshot>, redis: Probe<"PONG"> | null): Status {
  if (!database.ok) return "down";
  return faultsOf(database, redis).length === 0 ? "ok" : "degraded";
}

/** Everything that an operator looks at first; names of environment variables, never values. */
export function detailedReport(
  database: Probe<Snapshot>,
  redis: Probe<"PONG"> | null,
  configured: Record<string, boolean>,
  credentials: unknown,
): Record<string, unknown> {
  const snapshot = database.ok ? database.value : null;
  return {
    status: statusOf(database, redis),
    faults: faultsOf(database, redis),
    database: dependencyOf(database),
    redis: redis === null ? { status: "not_configured" } : dependencyOf(redis),
    queues: snapshot && {
      outbound: { ...snapshot.outbound, in_flight: snapshot.outbound_in_flight },
      inbound: snapshot.inbound,
    },
    cron: snapshot && snapshot.cron,
    // None is built yet, so none is open.
    breakers: [],
    credentials,
    messages: snapshot && {
      outcome_unknown: snapshot.outcome_unknown,
      dead_letters: snapshot.dead_letters,
      quarantined: snapshot.quarantined,
    },
    senders: snapshot && snapshot.senders,
    secrets: { ...configured, ...snapshot?.secrets },
  };
}

/** The answer that the credential requirement shows, with the counters of all isolates. */
export function credentialReport(
  database: Probe<Snapshot>,
  counters: CredentialCounters | null,
  hasFallback: boolean,
): Record<string, unknown> {
  const { total_requests, cache_hits, failures } = counters ?? NO_COUNTERS;
  const healthy = database.ok;
  return {
    status: healthy ? "ok" : "degraded",
    health: {
      status: healthy ? "healthy" : "degraded",
      l1_cache: "ok",
      // The shared layer is not built yet: tokens are cached in memory and read from the database.
      l2_cache: "disabled",
      supabase: database.ok ? "ok" : database.error,
      env_fallback: hasFallback ? "configured" : "not_configured",
    },
    stats: {
      ...(counters ?? NO_COUNTERS),
      cache_hit_rate: rate(cache_hits, total_requests, 0),
      success_rate: rate(total_requests - failures, total_requests, 1),
    },
  };
}

const NO_COUNTERS: CredentialCounters = {
  total_requests: 0,
  cache_hits: 0,
  db_hits: 0,
  fallback_hits: 0,
  failures: 0,
};

function rate(part: number, whole: number, ofNothing: number): number {
  return whole === 0 ? ofNothing : Math.round(part / whole * 1000) / 1000;
}

function dependencyOf(probe: Probe<unknown>): Record<string, unknown> {
  const { duration_ms } = probe;
  return probe.ok
    ? { status: "ok", duration_ms }
    : { status: "down", error: probe.error, duration_ms };
}
