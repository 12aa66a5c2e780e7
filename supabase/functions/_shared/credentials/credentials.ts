import { createLayeredCache } from "../resilience/layered_cache.ts";
import type { Answer, SharedLayer, Source } from "../resilience/layered_cache.ts";
import { NO_COUNTS, withSums } from "./counters.ts";
import type { CredentialCounters } from "./counters.ts";

export interface SenderVersion {
  senderId: string;
  phoneNumberId: string;
  credentialVersion: number;
}

export type FoundCredential =
  | { found: true; accessToken: string }
  | { found: false; reason: "not_found" | "suspended" | "unavailable" };

/** What one isolate counted since it began; requests that share a read count for memory. */
export interface CredentialStatistics {
  total_requests: number;
  cache_hits: number;
  db_hits: number;
  fallback_hits: number;
  failures: number;
  size: number;
}

export interface Credentials {
  /**
   * The token for each sender, in the order given; at most one call of Redis and one of the database
   * for all that are missing. A claim's newer cache generation forgets everything of the older ones.
   */
  find(senders: readonly SenderVersion[], cacheGeneration: number): Promise<FoundCredential[]>;
  /** Forgets one token, as when Meta refused it: the next find asks the database. */
  forget(sender: SenderVersion): void;
  statistics(): CredentialStatistics;
}

/** The four layers of one isolate. */
export interface CredentialLayers extends Credentials {
  /** Warms the memory for these senders, in one call a layer; what cannot be had is left out. */
  preload(senders: readonly SenderVersion[], cacheGeneration: number): Promise<void>;
  statistics(): CredentialCounters & { size: number };
}

export interface CredentialsDeps {
  /** Null without Redis or without encryption keys. */
  shared: SharedLayer<string> | null;
  stored: Source<string, "suspended">;
  /** Answers for the one phone number that it names, and only when nothing else can. */
  fallback: { phoneNumberId: string; accessToken: string } | null;
  now: () => number;
  memory: CredentialMemory;
}

/** What one isolate keeps in memory: so many tokens, for so long. The least recently used make room. */
export interface CredentialMemory {
  maxEntries: number;
  ttlMs: number;
}

/** For so much longer an expired token serves while neither Redis nor the database can tell. */
const MAX_STALE_MS = 60 * 60_000;
/** A token that the database gave this recently is not read again because Meta refused it. */
const MIN_REREAD_MS = 1_000;
/** Half of what the Data API returns at most. */
const MAX_SENDERS_PER_READ = 500;

/**
 * Tokens by sender and version: a rotated one is never served from a cache, since the claim asks for
 * the new version. What is not found or suspended is kept nowhere. The environment answers for its own
 * number alone, when the database cannot answer or knows no such credential.
 */
export function createCredentials(deps: CredentialsDeps): CredentialLayers {
  const { shared, stored, fallback, now, memory: { maxEntries, ttlMs } } = deps;
  const cache = createLayeredCache<string, "suspended">({
    shared,
    source: stored,
    limits: {
      maxEntries,
      ttlMs,
      maxStaleMs: MAX_STALE_MS,
      minRereadMs: MIN_REREAD_MS,
      maxBatch: MAX_SENDERS_PER_READ,
    },
    now,
  });
  const counts = { ...NO_COUNTS };

  function settle(
    sender: SenderVersion,
    answer: Answer<string, "suspended">,
  ): FoundCredential {
    if (answer.from !== "nowhere") {
      counts[COUNTED[answer.from]] += 1;
      return { found: true, accessToken: answer.value };
    }
    if (answer.reason !== "suspended" && fallback?.phoneNumberId === sender.phoneNumberId) {
      counts.fallback_hits += 1;
      return { found: true, accessToken: fallback.accessToken };
    }
    counts.failures += 1;
    return { found: false, reason: answer.reason };
  }

  return {
    async find(senders, cacheGeneration) {
      const answers = await cache.read(senders.map(wantedOf), cacheGeneration);
      return senders.map((sender, index) => settle(sender, answers[index]!));
    },
    async preload(senders, cacheGeneration) {
      await cache.read(senders.slice(0, maxEntries).map(wantedOf), cacheGeneration);
    },
    forget: (sender) => cache.drop(wantedOf(sender)),
    statistics: () => ({ ...withSums(counts), size: cache.size() }),
  };
}

const COUNTED = {
  memory: "l1_hits",
  shared: "l2_hits",
  stale: "stale_hits",
  source: "db_hits",
} as const;

function wantedOf({ senderId, credentialVersion }: SenderVersion) {
  return { key: senderId, version: credentialVersion };
}
