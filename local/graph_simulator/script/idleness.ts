import type { Clock } from "../clock.ts";

/** Lets a test wait until something is done, instead of sleeping. */
export interface Idleness {
  /** Looks again whether everything is done; to be called whenever something ends. */
  look(): void;
  /** True once idle, false when the time is over first. */
  wait(timeoutMs: number): Promise<boolean>;
}

export function createIdleness(clock: Clock, isIdle: () => boolean): Idleness {
  const waiting = new Set<() => void>();

  return {
    look() {
      if (waiting.size === 0 || !isIdle()) return;
      for (const resolve of waiting) resolve();
      waiting.clear();
    },
    wait(timeoutMs) {
      if (isIdle()) return Promise.resolve(true);
      return new Promise((resolve) => {
        const done = () => {
          cancel();
          resolve(true);
        };
        const cancel = clock.after(timeoutMs, () => {
          waiting.delete(done);
          resolve(false);
        });
        waiting.add(done);
      });
    },
  };
}
