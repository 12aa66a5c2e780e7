import type { Redis } from "@upstash/redis";

/** Sealed tokens in Redis. Throws when Redis did not answer; errors tell no key and no value. */
export interface TokenStore {
  /** What is stored under each key, in their order; one round trip. */
  read(keys: string[]): Promise<(string | null)[]>;
  /** Stores all for `ttlSeconds`; one round trip. */
  write(entries: { key: string; envelope: string }[], ttlSeconds: number): Promise<void>;
  remove(key: string): Promise<void>;
}

/** The tokens that isolates share, as opaque text. */
export function createTokenStore(redis: Redis): TokenStore {
  return {
    read: (keys) => attempt("read cached tokens", () => redis.mget<(string | null)[]>(...keys)),
    write: (entries, ttlSeconds) =>
      attempt("cache tokens", async () => {
        const pipeline = redis.pipeline();
        for (const { key, envelope } of entries) pipeline.set(key, envelope, { ex: ttlSeconds });
        await pipeline.exec();
      }),
    remove: (key) => attempt("drop a cached token", async () => void await redis.del(key)),
  };
}

// What this client throws repeats the whole command, tokens included; that is no matter for a log.
async function attempt<Result>(action: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    const [reason] = message.split(", command was:");
    throw new Error(`Cannot ${action}: ${name}: ${reason}`);
  }
}
