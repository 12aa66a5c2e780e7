import { createMemory } from "./layered_cache_memory.ts";
import type { MemoryLimits, Versioned, Wanted } from "./layered_cache_memory.ts";

/** Where a shared layer keeps a value; under a later generation it is out of reach. */
export interface Place extends Wanted {
  generation: number;
}

/** Shared with other isolates. It may lose anything at any time, and it never throws. */
export interface SharedLayer<Value> {
  /** What is kept at each place, in their order; undefined for nothing. */
  read(places: readonly Place[]): Promise<(Value | undefined)[]>;
  write(entries: readonly (Place & { value: Value })[]): void;
  remove(place: Place): void;
}

/**
 * The truth. Tells for each key its value and version, or why nobody may have it; nothing for a key
 * that does not exist. Throws when it cannot tell.
 */
export interface Source<Value, Refusal extends string> {
  read(keys: string[]): Promise<Map<string, Versioned<Value> | { refused: Refusal }>>;
}

export type Answer<Value, Refusal extends string> =
  | { from: "memory" | "shared" | "source" | "stale"; value: Value }
  | { from: "nowhere"; reason: "not_found" | "unavailable" | Refusal };

export interface LayeredCache<Value, Refusal extends string> {
  /**
   * An answer for each, in their order; at most one call of the shared layer and one of the source
   * for all that miss at the same time. A later generation forgets everything of the earlier ones.
   */
  read(wanted: readonly Wanted[], generation: number): Promise<Answer<Value, Refusal>[]>;
  /** Forgets one value everywhere: the next read asks the source, unless it has just been asked. */
  drop(wanted: Wanted): void;
  size(): number;
}

export interface LayeredCacheDeps<Value, Refusal extends string> {
  shared: SharedLayer<Value> | null;
  source: Source<Value, Refusal>;
  limits: MemoryLimits & {
    /** Keys in one call of a layer. */
    maxBatch: number;
  };
  now: () => number;
}

interface Load<Value, Refusal extends string> extends Place {
  /** After a drop: the shared layer may hold what was dropped. */
  passesShared: boolean;
  promise: Promise<Answer<Value, Refusal>>;
  resolve: (answer: Answer<Value, Refusal>) => void;
  reject: (error: unknown) => void;
}

/**
 * Memory before a shared layer before the truth. Who misses while the key is being loaded shares that
 * load, also when it fails. Only a load that still is its key's current one may store what it found:
 * an invalidation in between makes it nobody's, so that nothing stale is kept. What does not exist and
 * what nobody may have is never kept.
 */
export function createLayeredCache<Value, Refusal extends string>(
  { shared, source, limits, now }: LayeredCacheDeps<Value, Refusal>,
): LayeredCache<Value, Refusal> {
  type Told = Answer<Value, Refusal>;
  type Loads = Load<Value, Refusal>[];
  const memory = createMemory<Value>(limits);
  const loads = new Map<string, Loads[number]>();
  let waiting: Loads = [];
  let generation = 0;

  function answer(wanted: Wanted, at: number): Told | Promise<Told> {
    const value = memory.fresh(wanted, at);
    return value === undefined ? join(wanted) ?? load(wanted) : { from: "memory", value };
  }

  function join({ key, version }: Wanted): Promise<Told> | undefined {
    const current = loads.get(key);
    if (current === undefined || current.version < version) return undefined;
    return current.promise.then(withoutCost);
  }

  function load(wanted: Wanted): Promise<Told> {
    const passesShared = memory.isDropped(wanted);
    const started = { ...wanted, generation, passesShared, ...Promise.withResolvers<Told>() };
    loads.set(wanted.key, started);
    waiting.push(started);
    if (waiting.length === 1) queueMicrotask(startWaiting);
    return started.promise;
  }

  function startWaiting(): void {
    const all = waiting;
    waiting = [];
    for (let from = 0; from < all.length; from += limits.maxBatch) {
      const batch = all.slice(from, from + limits.maxBatch);
      settle(batch).catch((error) => batch.forEach((one) => (finish(one), one.reject(error))));
    }
  }

  async function settle(batch: Loads): Promise<void> {
    const left = [
      ...batch.filter((one) => one.passesShared),
      ...await settleFromShared(batch.filter((one) => !one.passesShared)),
    ];
    if (left.length > 0) await settleFromSource(left);
  }

  async function settleFromShared(batch: Loads): Promise<Loads> {
    if (shared === null || batch.length === 0) return batch;
    const values = await shared.read(batch);
    return batch.filter((one, index) => {
      const value = values[index];
      if (value === undefined) return true;
      if (finish(one)) memory.keep(one.key, { version: one.version, value }, "shared", now());
      one.resolve({ from: "shared", value });
      return false;
    });
  }

  async function settleFromSource(batch: Loads): Promise<void> {
    const keys = [...new Set(batch.map(({ key }) => key))];
    // Every caller is told that nobody could say; the source has a log of its own.
    const rows = await source.read(keys).catch(() => null);
    if (rows === null) return batch.forEach(settleUnknown);
    const found = batch.flatMap((one) => settleWith(one, rows.get(one.key)));
    if (found.length > 0) shared?.write(found);
  }

  function settleWith(
    one: Loads[number],
    row: Versioned<Value> | { refused: Refusal } | undefined,
  ): (Place & { value: Value })[] {
    if (row === undefined || "refused" in row) {
      if (finish(one)) memory.remove(one.key);
      one.resolve({ from: "nowhere", reason: row === undefined ? "not_found" : row.refused });
      return [];
    }
    if (row.version < one.version) {
      settleUnknown(one);
      return [];
    }
    const isCurrent = finish(one);
    if (isCurrent) memory.keep(one.key, row, "source", now());
    one.resolve({ from: "source", value: row.value });
    return isCurrent ? [{ ...row, key: one.key, generation: one.generation }] : [];
  }

  function settleUnknown(one: Loads[number]): void {
    finish(one);
    const value = memory.stale(one, now());
    one.resolve(
      value === undefined ? { from: "nowhere", reason: "unavailable" } : { from: "stale", value },
    );
  }

  /** Ends a load; true when it still was the one that speaks for its key. */
  function finish(one: Loads[number]): boolean {
    return loads.get(one.key) === one && loads.delete(one.key);
  }

  return {
    async read(wanted, wantedGeneration) {
      if (wantedGeneration > generation) {
        generation = wantedGeneration;
        memory.clear();
        loads.clear();
      }
      const at = now();
      return await Promise.all(wanted.map((one) => answer(one, at)));
    },
    drop(wanted) {
      if (loads.get(wanted.key)?.passesShared) return;
      const version = memory.drop(wanted, now());
      if (version === null) return;
      loads.delete(wanted.key);
      shared?.remove({ key: wanted.key, version, generation });
    },
    size: () => memory.size(),
  };
}

// Who shares a load costs the layers below nothing, and counts as served from memory.
function withoutCost<Value, Refusal extends string>(
  answer: Answer<Value, Refusal>,
): Answer<Value, Refusal> {
  return answer.from === "shared" || answer.from === "source"
    ? { from: "memory", value: answer.value }
    : answer;
}
