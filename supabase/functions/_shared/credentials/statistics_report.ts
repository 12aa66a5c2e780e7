import type { Credentials } from "./credentials.ts";
import type { CredentialCounters, StatisticsStore } from "./statistics_store.ts";

const NOTHING: CredentialCounters = {
  total_requests: 0,
  cache_hits: 0,
  db_hits: 0,
  fallback_hits: 0,
  failures: 0,
};

/**
 * Adds what this isolate has counted since the last report to the counters of all. What could not be
 * added is part of the next report.
 */
export function createStatisticsReport(
  credentials: Credentials,
  store: StatisticsStore | null,
): () => Promise<void> {
  let reported = NOTHING;
  return async () => {
    const counted = credentials.statistics();
    if (store === null || counted.total_requests === reported.total_requests) return;
    const before = reported;
    reported = counted;
    try {
      await store.add({
        total_requests: counted.total_requests - before.total_requests,
        cache_hits: counted.cache_hits - before.cache_hits,
        db_hits: counted.db_hits - before.db_hits,
        fallback_hits: counted.fallback_hits - before.fallback_hits,
        failures: counted.failures - before.failures,
      });
    } catch {
      reported = before;
    }
  };
}
