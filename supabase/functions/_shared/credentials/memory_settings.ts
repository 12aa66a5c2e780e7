import type { ConfigOf } from "../config.ts";
import type { CredentialMemory } from "./credentials.ts";

/** What the size of the token cache is read from. */
export const CREDENTIAL_MEMORY_VARIABLES = [
  "SWITCHYARD_CREDENTIAL_CACHE_SIZE",
  "SWITCHYARD_CREDENTIAL_CACHE_TTL_SECONDS",
] as const;

/** How many tokens an isolate of this configuration keeps, and for how long. */
export function memoryOf(
  config: ConfigOf<(typeof CREDENTIAL_MEMORY_VARIABLES)[number]>,
): CredentialMemory {
  return {
    maxEntries: config.SWITCHYARD_CREDENTIAL_CACHE_SIZE,
    ttlMs: config.SWITCHYARD_CREDENTIAL_CACHE_TTL_SECONDS * 1_000,
  };
}
