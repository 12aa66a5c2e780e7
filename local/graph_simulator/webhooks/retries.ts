import type { Clock } from "../clock.ts";
import type { Settings, SettingsHolder } from "../script/settings.ts";

/** What was not accepted and will be tried again. */
export interface Retries<T> {
  plan(item: T, tried: number, since: number): void;
  /** Tries everything that waits at once, as if its time had come. */
  now(): void;
  size(): number;
  clear(): void;
}

/**
 * Tries again at once, then at gaps that grow, until it has been tried for as long as Meta tries:
 * first immediately, then ever more seldom, for 7 days.
 */
export function createRetries<T>(
  clock: Clock,
  settings: SettingsHolder,
  attempt: (item: T, tried: number) => void,
): Retries<T> {
  const waiting = new Set<() => void>();

  return {
    plan(item, tried, since) {
      const { retry } = settings.current.webhooks;
      const gapMs = retryGapMs(tried, retry);
      if (clock.now() + gapMs - since > retry.give_up_after_ms) return;
      const run = () => {
        if (waiting.delete(run)) attempt(item, tried);
      };
      waiting.add(run);
      clock.after(gapMs, run);
    },
    now() {
      for (const run of [...waiting]) run();
    },
    size: () => waiting.size,
    clear: () => waiting.clear(),
  };
}

/** Nothing before the first retry, then `first_ms` times a power of `factor`. */
export function retryGapMs(tried: number, retry: Settings["webhooks"]["retry"]): number {
  if (tried <= 1) return 0;
  return Math.min(retry.first_ms * retry.factor ** (tried - 2), retry.longest_ms);
}
