import type { ConfigOf } from "../config.ts";
import { openRedis, type REDIS_VARIABLES } from "../redis.ts";
import { countLayers, LAYERS, withSums } from "./counters.ts";
import type { CredentialCounters, LayerCounts } from "./counters.ts";

export interface StatisticsStore {
  /** Adds what one isolate counted; losing it costs a number, never a message. */
  add(counted: LayerCounts): Promise<void>;
  /** Of all isolates, since they were last cleared. */
  read(): Promise<CredentialCounters>;
  clear(): Promise<void>;
  ping(signal?: AbortSignal): Promise<void>;
}

const KEY = "switchyard:credential_cache";
const TIMEOUT_MS = 1_000;

/** The counters in Redis; null where none is configured. No call is repeated or waits over 1 s. */
export function createStatisticsStore(
  config: ConfigOf<(typeof REDIS_VARIABLES)[number]>,
  deadline: (ms: number) => AbortSignal,
): StatisticsStore | null {
  const redis = openRedis(config, { deadline, timeoutMs: TIMEOUT_MS });
  if (redis === null) return null;
  return {
    async add(counted) {
      const pipeline = redis.pipeline();
      for (const layer of LAYERS) {
        if (counted[layer] > 0) pipeline.hincrby(KEY, layer, counted[layer]);
      }
      if (pipeline.length() > 0) await pipeline.exec();
    },
    async read() {
      const stored = await redis.hgetall<Record<string, number>>(KEY) ?? {};
      return withSums(countLayers((layer) => Number(stored[layer] ?? 0)));
    },
    async clear() {
      await redis.del(KEY);
    },
    async ping() {
      await redis.ping();
    },
  };
}
