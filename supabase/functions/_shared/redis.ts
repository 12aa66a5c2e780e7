import { Redis } from "@upstash/redis";
import type { ConfigOf } from "./config.ts";

/** What a connection to Redis reads of the environment: both, or neither for no Redis. */
export const REDIS_VARIABLES = ["UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"] as const;

/** A client whose calls are made once and end within `timeoutMs`; null where there is no Redis. */
export function openRedis(
  config: ConfigOf<(typeof REDIS_VARIABLES)[number]>,
  { deadline, timeoutMs }: { deadline: (ms: number) => AbortSignal; timeoutMs: number },
): Redis | null {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = config;
  if (url === undefined || token === undefined) return null;
  return new Redis({
    url,
    token,
    // `retry: false` of this client still means a second try. @upstash/redis 1.39.0 (2026-11)
    retry: { retries: 0 },
    enableTelemetry: false,
    enableAutoPipelining: false,
    responseEncoding: false,
    // A function makes a fresh signal for each call; one signal would abort all that follow, and a
    // call that it aborts would be answered with the reason as if that were the value.
    signal: () => deadline(timeoutMs),
  });
}
