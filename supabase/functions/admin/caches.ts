import * as z from "zod";
import { NO_COUNTS, withSums } from "../_shared/credentials/counters.ts";
import type { CredentialCounters } from "../_shared/credentials/counters.ts";
import { parseBody } from "../_shared/http/parse_body.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";
import { noSuchSender } from "./senders.ts";

const invalidationBody = z.strictObject({
  phone_number_id: z.string().regex(/^\d{1,32}$/, "must be an id of Meta: 1 to 32 digits"),
});
const invalidation = z.object({ outcome: z.enum(["invalidated", "sender_not_found"]) });

/** The credential caches of all isolates together, as far as they reported to Redis. */
export async function tellCacheStatistics(command: Command): Promise<Response> {
  const { source, counters } = await readCounters(command);
  return Response.json({ credential_cache: describe(counters, command), source });
}

/** Makes every isolate drop its cached credentials at its next claim. */
export async function clearCache({ call, actor, statistics, log }: Command): Promise<Response> {
  const generation = await call("bump_cache_generation", { actor });
  // The caches are cleared by then; counters that go on counting are worth a line, not a failure.
  await statistics?.clear().catch((error) => log.warn("cache.statistics_kept", { error }));
  return Response.json({ status: "cache cleared", generation });
}

/** Makes every isolate fetch one sender's credential again at its next claim. */
export async function invalidateCache({ call, request, actor }: Command): Promise<Response> {
  const body = await parseBody(invalidationBody, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const { outcome } = invalidation.parse(
    await call("invalidate_credential", { ...body.value, actor }),
  );
  if (outcome === "sender_not_found") return noSuchSender();
  return Response.json({ status: "invalidated", ...body.value });
}

type Source = "redis" | "none" | "unavailable";

async function readCounters(
  { statistics, log }: Command,
): Promise<{ source: Source; counters: CredentialCounters | null }> {
  if (statistics === null) return { source: "none", counters: null };
  try {
    return { source: "redis", counters: await statistics.read() };
  } catch (error) {
    log.warn("cache.statistics_unread", { error });
    return { source: "unavailable", counters: null };
  }
}

function describe(
  counted: CredentialCounters | null,
  { memory }: Command,
): Record<string, unknown> {
  const { total_requests, cache_hits, failures, ...layers } = counted ?? withSums(NO_COUNTS);
  const rate = total_requests === 0 ? 0 : cache_hits / total_requests * 100;
  return {
    // Isolates come and go without saying what they hold.
    size: null,
    max_size: memory.maxEntries,
    ttl: memory.ttlMs / 1_000,
    hit_rate: `${rate.toFixed(1)}%`,
    hits: cache_hits,
    misses: total_requests - cache_hits,
    errors: failures,
    total_requests,
    ...layers,
  };
}
