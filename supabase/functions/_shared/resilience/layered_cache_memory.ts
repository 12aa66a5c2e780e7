import { LRUCache } from "lru-cache";

/** A key, and the lowest version of its value that will do. */
export interface Wanted {
  key: string;
  version: number;
}

export interface Versioned<Value> {
  version: number;
  value: Value;
}

export interface MemoryLimits {
  /** Values in memory; the least recently used make room. */
  maxEntries: number;
  /** For how long a value is served without asking again. */
  ttlMs: number;
  /** For how much longer it is served while the layers below cannot tell. */
  maxStaleMs: number;
  /** A value that the source gave this recently is not dropped: it would say the same again. */
  minRereadMs: number;
}

/** The layer of a cache that lives in one isolate. `at` is the present in epoch milliseconds. */
export interface Memory<Value> {
  fresh(wanted: Wanted, at: number): Value | undefined;
  /** What had been fresh until at most `maxStaleMs` ago. */
  stale(wanted: Wanted, at: number): Value | undefined;
  keep(key: string, found: Versioned<Value>, from: "shared" | "source", at: number): void;
  remove(key: string): void;
  /** The version that was dropped; null when the source gave the value a moment ago. */
  drop(wanted: Wanted, at: number): number | null;
  /** True when this version was dropped and nothing was kept since. */
  isDropped(wanted: Wanted): boolean;
  clear(): void;
  size(): number;
}

interface Entry<Value> {
  version: number;
  /** Null once it was dropped. */
  kept: { value: Value; readAt: number; from: "shared" | "source" } | null;
}

/** One value a key: a new version takes the place of the one before. */
export function createMemory<Value>(limits: MemoryLimits): Memory<Value> {
  const { maxEntries, ttlMs, maxStaleMs, minRereadMs } = limits;
  const entries = new LRUCache<string, Entry<Value>>({ max: maxEntries });

  function recall({ key, version }: Wanted, at: number, maxAgeMs: number): Value | undefined {
    const entry = entries.get(key);
    if (entry === undefined || entry.version < version || entry.kept === null) return undefined;
    return isYounger(entry.kept.readAt, at, maxAgeMs) ? entry.kept.value : undefined;
  }

  return {
    fresh: (wanted, at) => recall(wanted, at, ttlMs),
    stale: (wanted, at) => recall(wanted, at, ttlMs + maxStaleMs),
    keep(key, { version, value }, from, at) {
      entries.set(key, { version, kept: { value, readAt: at, from } });
    },
    remove: (key) => void entries.delete(key),
    drop({ key, version }, at) {
      const entry = entries.peek(key);
      if (entry?.kept?.from === "source" && isYounger(entry.kept.readAt, at, minRereadMs)) {
        return null;
      }
      const dropped = Math.max(version, entry?.version ?? version);
      entries.set(key, { version: dropped, kept: null });
      return dropped;
    },
    isDropped({ key, version }) {
      const entry = entries.peek(key);
      return entry?.kept === null && entry.version >= version;
    },
    clear: () => entries.clear(),
    size: () => entries.size,
  };
}

// A clock that was set back must not make a value younger than it is.
function isYounger(readAt: number, at: number, ms: number): boolean {
  return at >= readAt && at - readAt < ms;
}
