import {
  createPostgresConnection,
  type IPostgresConnectionConfig,
  type PostgresConnection,
} from "@supabase/lite/postgres";
import { type Kysely, sql } from "kysely";

import { toPostgrestError } from "./errors.ts";

/**
 * Connects @supabase/lite to a Postgres that has a hosted project's roles, and makes up for where
 * it differs from PostgREST: JSON arguments, exact numbers, times, status codes, roles, privileges.
 */
export function connectDataApi(
  databaseUrl: string,
  onLost: () => void = () => {},
): PostgresConnection {
  const postgresOptions = { ...OPTIONS, onclose: onLost };
  const connection = createPostgresConnection({ url: databaseUrl, postgresOptions });
  return Object.assign(connection, {
    normalizeDbError: toPostgrestError,
    // The original grants everything on every table with row level security to anon and
    // authenticated, and leaves the role alone until there is such a table.
    ensureRlsContext: () => Promise.resolve(true),
    applyJwtSessionContext: (db: Kysely<unknown>, { auth }: Caller) => applyCaller(db, auth),
    applyRpcRequestGucs: applyRequest,
  });
}

const OPTIONS: IPostgresConnectionConfig["postgresOptions"] & object = {
  types: {
    // An object arrives here as JSON text, which the driver would encode once more. A bare string
    // for a jsonb argument therefore fails: give an object or an array.
    json: { to: 114, from: [114], serialize: asJson, parse: JSON.parse },
    jsonb: { to: 3802, from: [3802], serialize: asJson, parse: JSON.parse },
    bigint: { to: 20, from: [20], serialize: String, parse: exactNumber },
    numeric: { to: 1700, from: [1700], serialize: String, parse: exactNumber },
    timestamp: { to: 1114, from: [1114], serialize: asIs, parse: isoTime },
    timestamptz: { to: 1184, from: [1184], serialize: asIs, parse: isoTime },
  },
  // Hosted service_role has these 8 s.
  connection: { statement_timeout: 8_000, application_name: "data api" },
  connect_timeout: 5,
  // A connection that closes was then closed by the other side.
  max_lifetime: null,
  idle_timeout: 0,
  // The driver's own goes up to 20 s, which is how long an ended outage would be felt.
  backoff: () => 0.2,
  onnotice: () => {},
};

function asJson(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function asIs(value: unknown): unknown {
  return value;
}

// PostgREST writes every digit that Postgres has, also where a JavaScript number would lose some.
function exactNumber(text: string): unknown {
  const number = Number(text);
  if (String(number) === text) return number;
  return /^-?\d/.test(text) ? rawJson.rawJSON(text) : text;
}

const rawJson = JSON as JSON & { rawJSON(text: string): unknown };

/** As to_json() writes it: 2026-11-22 04:37:43.88+00 becomes 2026-11-22T04:37:43.88+00:00. */
function isoTime(text: string): string {
  return text.replace(/^(\d{4,}-\d\d-\d\d) /, "$1T").replace(/([+-]\d\d)$/, "$1:00");
}

interface Caller {
  auth?: { role?: string; uid?: string; jwt?: unknown };
}

// One statement where the originals take ten; the transaction around them ends their effect.
async function applyCaller(db: Kysely<unknown>, auth: Caller["auth"]): Promise<void> {
  const role = auth?.role || "anon";
  await sql`select
    set_config('role', ${role}, true),
    set_config('request.jwt.claim.sub', ${auth?.uid ?? ""}, true),
    set_config('request.jwt.claim.role', ${role}, true),
    set_config('request.jwt.claims', ${JSON.stringify(auth?.jwt ?? { role })}, true)
  `.execute(db);
}

async function applyRequest(
  db: Kysely<unknown>,
  request: { method: string; path: string; requestHeaders?: Record<string, string> },
): Promise<void> {
  await sql`select
    set_config('response.status', '', true),
    set_config('response.headers', '', true),
    set_config('request.method', ${request.method}, true),
    set_config('request.path', ${request.path}, true),
    set_config('request.headers', ${JSON.stringify(request.requestHeaders ?? {})}, true)
  `.execute(db);
}
