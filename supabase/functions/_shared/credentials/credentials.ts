import { LRUCache } from "lru-cache";

export interface SenderVersion {
  senderId: string;
  phoneNumberId: string;
  credentialVersion: number;
}

export type FoundCredential =
  | { found: true; accessToken: string }
  | { found: false; reason: "not_found" | "unavailable" };

export interface CredentialStatistics {
  total_requests: number;
  cache_hits: number;
  db_hits: number;
  fallback_hits: number;
  failures: number;
  size: number;
}

export interface Credentials {
  /** The token for each sender, in the order given; one database call for all that are missing. */
  find(senders: SenderVersion[], cacheGeneration: number): Promise<FoundCredential[]>;
  /** Forgets one version, as when Meta refused it: the next find asks the database. */
  forget(sender: SenderVersion): void;
  statistics(): CredentialStatistics;
}

export interface CredentialsDeps {
  /** The stored tokens by sender id; absent: no such credential. Throws when it cannot tell. */
  read: (senderIds: string[]) => Promise<Map<string, string>>;
  /** Answers for the one phone number that it names, and only when nothing else can. */
  fallback: { phoneNumberId: string; accessToken: string } | null;
  now: () => number;
}

/** Tokens kept in the memory of one isolate, the least recently used make room. */
export const MAX_CREDENTIALS = 1_000;
export const CREDENTIAL_TTL_MS = 15 * 60_000;

/**
 * Tokens by sender and version: a rotated one is never served from here, since the claim asks for
 * the new version. What was not found is not kept; while the database is down the environment
 * answers for its own number alone.
 */
export function createCredentials(deps: CredentialsDeps): Credentials {
  const cache = new LRUCache<string, string>({
    max: MAX_CREDENTIALS,
    ttl: CREDENTIAL_TTL_MS,
    perf: { now: deps.now },
    // A test's clock may begin at any value, and TTLs are minutes: no need to buffer the clock.
    ttlResolution: 0,
  });
  const counts = { total_requests: 0, cache_hits: 0, db_hits: 0, fallback_hits: 0, failures: 0 };
  let generation = 0;

  function fallBack(sender: SenderVersion, reason: "not_found" | "unavailable"): FoundCredential {
    if (deps.fallback?.phoneNumberId === sender.phoneNumberId) {
      counts.fallback_hits += 1;
      return { found: true, accessToken: deps.fallback.accessToken };
    }
    counts.failures += 1;
    return { found: false, reason };
  }

  async function readMissing(senders: SenderVersion[]): Promise<Map<string, string> | null> {
    try {
      return await deps.read([...new Set(senders.map(({ senderId }) => senderId))]);
    } catch {
      return null;
    }
  }

  return {
    async find(senders, cacheGeneration) {
      if (cacheGeneration > generation) {
        cache.clear();
        generation = cacheGeneration;
      }
      counts.total_requests += senders.length;
      const cached = senders.map((sender) => cache.get(keyOf(sender)));
      const missing = senders.filter((_, index) => cached[index] === undefined);
      const read = missing.length > 0 ? await readMissing(missing) : new Map<string, string>();
      return senders.map((sender, index) => {
        const hit = cached[index];
        if (hit !== undefined) {
          counts.cache_hits += 1;
          return { found: true, accessToken: hit };
        }
        if (read === null) return fallBack(sender, "unavailable");
        const accessToken = read.get(sender.senderId);
        if (accessToken === undefined) return fallBack(sender, "not_found");
        counts.db_hits += 1;
        cache.set(keyOf(sender), accessToken);
        return { found: true, accessToken };
      });
    },
    forget: (sender) => void cache.delete(keyOf(sender)),
    statistics: () => ({ ...counts, size: cache.size }),
  };
}

function keyOf({ senderId, credentialVersion }: SenderVersion): string {
  return `${senderId}:${credentialVersion}`;
}
