import type { ConfigOf } from "./config.ts";
import { connectDatabase } from "./database.ts";
import type { CallRpc } from "./database.ts";
import { createIdentify } from "./http/caller.ts";
import type { Identify } from "./http/caller.ts";

/** What every function that knows its callers reads of its environment. */
export const PROJECT_VARIABLES = [
  "SUPABASE_URL",
  "SUPABASE_SECRET_KEYS",
  "SUPABASE_PUBLISHABLE_KEYS",
  "SUPABASE_JWKS",
] as const;

export interface Project {
  call: CallRpc;
  identify: Identify;
  /** For the project's other doors, such as Storage. */
  secretKey: string;
}

/** The project's database and the proof of who calls, wired once for every entry point. */
export function connectProject(
  config: ConfigOf<(typeof PROJECT_VARIABLES)[number]>,
  fetch: typeof globalThis.fetch,
): Project {
  const secretKeys = config.SUPABASE_SECRET_KEYS;
  const secretKey = secretKeys.default ?? Object.values(secretKeys)[0]!;
  const call = connectDatabase({ url: config.SUPABASE_URL, secretKey, fetch });
  const keys = {
    url: config.SUPABASE_URL,
    publishableKeys: config.SUPABASE_PUBLISHABLE_KEYS,
    secretKeys,
    jwks: config.SUPABASE_JWKS,
  };
  return { call, identify: createIdentify({ call, keys }), secretKey };
}
