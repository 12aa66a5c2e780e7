import { Redis } from "@upstash/redis";

import type { ConfigOf } from "../config.ts";

/** Counters of the credential caches of all isolates, since they were last cleared. */
export interface CredentialCounters {
  total_requests: number;
  cache_hits: number;
  db_hits: number;
  fallback_hits: number;
  failures: number;
}

export interface StatisticsStore {
  /** Adds what one isolate counted; losing it costs a number, never a message. */
  add(counted: CredentialCounters): Promise<void>;
  read(): Promise<CredentialCounters>;
  clear(): Promise<void>;
  ping(signal?: AbortSignal): Promise<void>;
}

const KEY = "switchyard:credential_cache";
const TIMEOUT_MS = 1_000;
const NAMES = ["total_requests", "cache_hits", "db_hits", "fallback_hits", "failures"] as const;

/** What a connection to Redis reads of the environment: both, or neither for no Redis. */
export const REDIS_VARIABLES = ["UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"] as const;

/** The counters in Redis; null where none is configured. No call is repeated or waits over 1 s. */
export function createStatisticsStore(
  config: ConfigOf<(typeof REDIS_VARIABLES)[number]>,
  deadline: (ms: number) => AbortSignal,
): StatisticsStore | null {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = config;
  if (url === undefined || token === undefined) return null;
  const redis = new Redis({
    url,
    token,
    retry: false,
    enableTelemetry: false,
    // A function makes a fresh signal for each call; one signal would abort all that follow.
    signal: () => deadline(TIMEOUT_MS),
  });
  return {
    async add(counted) {
      const pipeline = redis.pipeline();
      for (const name of NAMES) if (counted[name] > 0) pipeline.hincrby(KEY, name, counted[name]);
      if (pipeline.length() > 0) await pipeline.exec();
    },
    async read() {
      const stored = await redis.hgetall<Record<string, number>>(KEY) ?? {};
      return Object.fromEntries(NAMES.map((name) => [name, Number(stored[name] ?? 0)])) as Record<
        (typeof NAMES)[number],
        number
      >;
    },
    async clear() {
      await redis.del(KEY);
    },
    async ping() {
      await redis.ping();
    },
  };
}
