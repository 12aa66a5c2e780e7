import { countLayers, LAYERS, NO_COUNTS } from "./counters.ts";
import type { LayerCounts } from "./counters.ts";
import type { StatisticsStore } from "./statistics_store.ts";

/**
 * Adds what this isolate has counted since the last report to the counters of all. What could not be
 * added is part of the next report.
 */
export function createStatisticsReport(
  credentials: { statistics(): LayerCounts },
  store: Pick<StatisticsStore, "add"> | null,
): () => Promise<void> {
  let reported: LayerCounts = NO_COUNTS;
  return async () => {
    const counted = credentials.statistics();
    const added = countLayers((layer) => counted[layer] - reported[layer]);
    if (store === null || LAYERS.every((layer) => added[layer] === 0)) return;
    reported = counted;
    try {
      await store.add(added);
    } catch {
      reported = countLayers((layer) => reported[layer] - added[layer]);
    }
  };
}
