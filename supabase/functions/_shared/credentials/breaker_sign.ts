import type { Redis } from "@upstash/redis";

/** How an isolate whose breaker has opened tells those who ask after its health. */
export interface BreakerSign {
  /** Any isolate's; it goes away by itself. */
  raise(forMs: number): Promise<void>;
  isRaised(): Promise<boolean>;
}

const KEY = "switchyard:credential_breaker";

/** The sign in Redis: up while the breaker of at least one isolate is open. */
export function createBreakerSign(redis: Redis): BreakerSign {
  return {
    async raise(forMs) {
      await redis.set(KEY, "open", { px: forMs });
    },
    async isRaised() {
      return await redis.exists(KEY) === 1;
    },
  };
}
