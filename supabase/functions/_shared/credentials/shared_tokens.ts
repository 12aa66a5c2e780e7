import type { Place, SharedLayer } from "../resilience/layered_cache.ts";
import type { Log } from "../telemetry/log.ts";
import type { TokenCipher } from "./token_cipher.ts";
import type { TokenStore } from "./token_store.ts";

export interface SharedTokensDeps {
  store: TokenStore;
  cipher: TokenCipher;
  now: () => number;
  /** Keeps the isolate until what nobody waits for is done. */
  keepAlive: (work: Promise<unknown>) => void;
  log: Log;
}

const SHARED_TTL_SECONDS = 3_600;
/** No claim waits longer for Redis. */
export const SHARED_TIMEOUT_MS = 500;
/** Redis that did not answer is asked again after this long, by one caller. */
const SHARED_PAUSE_MS = 5_000;

/**
 * Tokens in Redis, sealed for exactly one generation, sender and version. While Redis is away it
 * holds nothing, at the cost of one deadline every few seconds; what does not open is not there.
 */
export function createSharedTokens(deps: SharedTokensDeps): SharedLayer<string> {
  const { store, cipher, keepAlive, log } = deps;
  // A full Redis stores nothing and still reads well: one says nothing about the other.
  const attemptRead = createAttempt(deps, "read");
  const attemptWrite = createAttempt(deps, "write");
  let hasToldUnreadable = false;

  async function open(envelope: string | null, place: string): Promise<string | undefined> {
    if (envelope === null) return undefined;
    const token = await cipher.open(envelope, place);
    if (token !== null) return token;
    if (!hasToldUnreadable) log.warn("credentials.envelope_refused", { place });
    hasToldUnreadable = true;
    return undefined;
  }

  const sealAll = (entries: readonly (Place & { value: string })[]) =>
    Promise.all(entries.map(async (entry) => {
      const key = keyOf(entry);
      return { key, envelope: await cipher.seal(entry.value, key) };
    }));

  return {
    async read(places) {
      const keys = places.map(keyOf);
      const envelopes = await attemptRead(() => store.read(keys));
      if (envelopes === null) return places.map(() => undefined);
      return await Promise.all(keys.map((key, index) => open(envelopes[index] ?? null, key)));
    },
    write: (entries) =>
      keepAlive(attemptWrite(async () => store.write(await sealAll(entries), SHARED_TTL_SECONDS))),
    remove: (place) => keepAlive(attemptWrite(() => store.remove(keyOf(place)))),
  };
}

function keyOf({ generation, key, version }: Place): string {
  return `switchyard:credential:${generation}:${key}:${version}`;
}

// Null when Redis did not answer, or was not asked because it did not a moment ago.
function createAttempt({ now, log }: Pick<SharedTokensDeps, "now" | "log">, action: string) {
  let lostAt: number | null = null;
  const isPaused = () => lostAt !== null && now() >= lostAt && now() - lostAt < SHARED_PAUSE_MS;

  return async <Result>(work: () => Promise<Result>): Promise<Result | null> => {
    if (isPaused()) return null;
    // While one tries again the others go on without.
    if (lostAt !== null) lostAt = now();
    try {
      const result = await work();
      if (lostAt !== null) log.info("credentials.shared_cache_found", { action });
      lostAt = null;
      return result;
    } catch (error) {
      if (lostAt === null) log.warn("credentials.shared_cache_lost", { action, error });
      lostAt = now();
      return null;
    }
  };
}
