import postgres from "postgres";

import type { Sql } from "./database.ts";
import type { Platform } from "./platform.ts";

/** The database of a running platform, for what no address tells; for `await using`. */
export function openPlatformDatabase(platform: Platform): { sql: Sql } & AsyncDisposable {
  const sql: Sql = postgres(platform.env.SUPABASE_DB_URL!, {
    max: 1,
    onnotice: () => {},
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
  });
  return { sql, [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }) };
}
