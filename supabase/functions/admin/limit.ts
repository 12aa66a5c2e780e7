import * as z from "zod";
import type { Caller } from "../_shared/http/caller.ts";
import { problem } from "../_shared/http/problem.ts";
import { mayDo } from "../_shared/http/roles.ts";

/** How many messages may go in any stretch of so many seconds. */
export const limit = z.strictObject({
  messages: z.int().min(1).max(1_000_000),
  window_seconds: z.int().min(1).max(86_400),
});

/** How many messages a second Meta takes from a sender. */
export const throughput = z.int().min(1).max(1_000);

/** The problem to answer who sets limits and does not run the platform: a tenant would lift its own. */
export function refuseLimits(
  caller: Caller,
  wanted: { limit?: unknown; throughput_per_second?: unknown },
): Response | null {
  const names = ["limit", "throughput_per_second"] as const;
  if (mayDo(caller, "run_platform") || names.every((name) => wanted[name] === undefined)) {
    return null;
  }
  return problem(403, "forbidden", "Limits are set by those who run the platform.");
}
