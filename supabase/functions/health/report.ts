import { NO_COUNTS, withSums } from "../_shared/credentials/counters.ts";
import type { CredentialCounters } from "../_shared/credentials/counters.ts";
import type { BreakerStatistics } from "../_shared/resilience/breaker_statistics.ts";
import type { Probe, Snapshot } from "./probes.ts";

export type Status = "ok" | "degraded" | "down";

/** Cron ticks every 5 s: after this long without one it is taken for dead. */
const MAX_TICK_AGE_SECONDS = 30;
/** A due message or a stored event that waits longer says that nobody drains. */
const MAX_WAIT_SECONDS = 120;

/** What is wrong in one word each, empty when all is well; `down` is for the database alone. */
export function faultsOf(database: Probe<Snapshot>, redis: Probe<"PONG"> | null): string[] {
  if (!database.ok) return ["database"];
  const { cron, secrets, outbound, inbound, callbacks } = database.value;
  const { quarantined_lately, wallet_findings } = database.value;
  const faults = {
    redis: redis !== null && !redis.ok,
    cron: cron.age_seconds === null || cron.age_seconds > MAX_TICK_AGE_SECONDS,
    secrets: !secrets.switchyard_project_url || !secrets.switchyard_secret_key,
    outbound: outbound.oldest_age_seconds > MAX_WAIT_SECONDS,
    inbound: inbound.oldest_age_seconds > MAX_WAIT_SECONDS,
    // A tenant's slow server is the tenant's affair; that nobody calls it is ours.
    callbacks: callbacks.unread_age_seconds > MAX_WAIT_SECONDS,
    // What nobody owns or understands waits for a person, and for nothing else.
    quarantine: quarantined_lately > 0,
    wallet: wallet_findings > 0,
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
  breakers: BreakerStatistics[] | null,
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
      callbacks: snapshot.callbacks,
    },
    cron: snapshot && snapshot.cron,
    // Null when nobody can tell: no Redis, or it does not answer.
    breakers: breakers?.filter(({ state }) => state !== "closed") ?? null,
    credentials,
    messages: snapshot && {
      outcome_unknown: snapshot.outcome_unknown,
      dead_letters: snapshot.dead_letters,
      quarantined: snapshot.quarantined,
      quarantined_lately: snapshot.quarantined_lately,
      media_failed: snapshot.media_failed,
    },
    wallet: snapshot && { findings: snapshot.wallet_findings },
    senders: snapshot && snapshot.senders,
    secrets: { ...configured, ...snapshot?.secrets },
  };
}

/** What is known of the credential layers. */
export interface CredentialsSeen {
  database: Probe<Snapshot>;
  redis: Probe<"PONG"> | null;
  /** Null when nobody counts: no Redis, or it does not answer. */
  counters: CredentialCounters | null;
  /** Whether the database breaker of any isolate is open; null when nobody can tell. */
  isBreakerOpen: boolean | null;
  configured: Record<string, boolean>;
}

/** The answer that the credential requirement shows, with the counters of all isolates. */
export function credentialReport(seen: CredentialsSeen): Record<string, unknown> {
  const { database, isBreakerOpen, configured } = seen;
  const counters = seen.counters ?? withSums(NO_COUNTS);
  const { total_requests, cache_hits, failures } = counters;
  const l2_cache = sharedCacheOf(seen);
  const isHealthy = database.ok && l2_cache !== "unavailable" && isBreakerOpen !== true;
  return {
    status: isHealthy ? "ok" : "degraded",
    health: {
      status: isHealthy ? "healthy" : "degraded",
      l1_cache: "ok",
      l2_cache,
      supabase: database.ok ? "ok" : database.error,
      env_fallback: isSet(configured, FALLBACK) ? "configured" : "not_configured",
    },
    circuit_breaker: isBreakerOpen === null ? "unknown" : isBreakerOpen ? "open" : "closed",
    stats: {
      ...counters,
      cache_hit_rate: rate(cache_hits, total_requests, 0),
      success_rate: rate(total_requests - failures, total_requests, 1),
    },
  };
}

const FALLBACK = ["WHATSAPP_PHONE_NUMBER_ID", "WHATSAPP_ACCESS_TOKEN"];

// Without keys Redis may well answer: tokens are not stored there in the clear.
function sharedCacheOf({ redis, configured }: CredentialsSeen): "ok" | "disabled" | "unavailable" {
  if (redis === null || !isSet(configured, ["SWITCHYARD_ENCRYPTION_KEYS"])) return "disabled";
  return redis.ok ? "ok" : "unavailable";
}

function isSet(configured: Record<string, boolean>, names: string[]): boolean {
  return names.every((name) => configured[name] === true);
}

function rate(part: number, whole: number, ofNothing: number): number {
  return whole === 0 ? ofNothing : Math.round(part / whole * 1000) / 1000;
}

function dependencyOf(probe: Probe<unknown>): Record<string, unknown> {
  const { duration_ms } = probe;
  return probe.ok
    ? { status: "ok", duration_ms }
    : { status: "down", error: probe.error, duration_ms };
}
