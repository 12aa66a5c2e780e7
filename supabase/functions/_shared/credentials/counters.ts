/** Which layer answered how many requests; each request counts once. */
export interface LayerCounts {
  /** Memory, and reads of one sender that shared a single call. */
  l1_hits: number;
  /** Redis. */
  l2_hits: number;
  /** Expired ones from memory, while Redis and the database could not tell. */
  stale_hits: number;
  db_hits: number;
  /** The environment. */
  fallback_hits: number;
  failures: number;
}

/** The same with its sums; `cache_hits` are those of memory and Redis, expired ones included. */
export interface CredentialCounters extends LayerCounts {
  total_requests: number;
  cache_hits: number;
}

export const NO_COUNTS: Readonly<LayerCounts> = {
  l1_hits: 0,
  l2_hits: 0,
  stale_hits: 0,
  db_hits: 0,
  fallback_hits: 0,
  failures: 0,
};

export const LAYERS = Object.keys(NO_COUNTS) as (keyof LayerCounts)[];

/** Counts of every layer, each as `count` tells it. */
export function countLayers(count: (layer: keyof LayerCounts) => number): LayerCounts {
  const counts = { ...NO_COUNTS };
  for (const layer of LAYERS) counts[layer] = count(layer);
  return counts;
}

/** Adds the sums that requirements and dashboards ask for. */
export function withSums(counts: LayerCounts): CredentialCounters {
  const { l1_hits, l2_hits, stale_hits, db_hits, fallback_hits, failures } = counts;
  const cache_hits = l1_hits + l2_hits + stale_hits;
  return { total_requests: cache_hits + db_hits + fallback_hits + failures, cache_hits, ...counts };
}
