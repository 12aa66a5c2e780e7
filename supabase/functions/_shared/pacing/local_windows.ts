import { LRUCache } from "lru-cache";

import type { Asked, Batch } from "./batch.ts";
import { newPair } from "./pair.ts";
import type { Pair } from "./pair.ts";
import { bind, decide, newLimitState } from "./schedule.ts";
import type { Asking, LimitState, Verdict } from "./schedule.ts";

/** The windows that one isolate keeps in its memory. */
export interface LocalWindows {
  /** Decides on messages in their order. */
  decide(batch: Batch, nowMs: number): Verdict[];
  /** Counts what others admitted; where this isolate alone would send too much, it waits after all. */
  confirm(batch: Batch, verdicts: readonly Verdict[], nowMs: number): Verdict[];
}

/** Some 20 MB at the most; what was not used for longest is forgotten first. */
const MAX_LIMITS = 10_000;
const MAX_PAIRS = 50_000;
/** Who was put off more than once stands behind nobody: only the window counts. */
const HAS_ROOM_ALONE = 2;

/** Windows in memory, empty at first. */
export function createLocalWindows(): LocalWindows {
  const states = new LRUCache<string, LimitState>({ max: MAX_LIMITS });
  const pairs = new LRUCache<string, Pair>({ max: MAX_PAIRS });

  function open(batch: Batch, nowMs: number): (asked: Asked, asking: Asking) => Verdict {
    const bounds = batch.limitKeys.map((key, i) => {
      const state = findOr(states, key, () => newLimitState(nowMs));
      return bind(batch.limits[i]!, state, nowMs);
    });
    const known = batch.pairKeys.map((key) => findOr(pairs, key, newPair));
    return ({ tenant, sender, pair }, asking) => {
      const all = { tenant: bounds[tenant]!, sender: bounds[sender]!, pair: known[pair]! };
      return decide(all, asking, nowMs);
    };
  }

  return {
    decide(batch, nowMs) {
      const judge = open(batch, nowMs);
      return batch.asked.map((asked) => judge(asked, asked));
    },
    confirm(batch, verdicts, nowMs) {
      const judge = open(batch, nowMs);
      return verdicts.map((verdict, i) => {
        const asked = batch.asked[i]!;
        return verdict.admitted ? judge(asked, { ...asked, deferrals: HAS_ROOM_ALONE }) : verdict;
      });
    },
  };
}

function findOr<Value extends object>(
  cache: LRUCache<string, Value>,
  key: string,
  create: () => Value,
): Value {
  const found = cache.get(key);
  if (found !== undefined) return found;
  const created = create();
  cache.set(key, created);
  return created;
}
