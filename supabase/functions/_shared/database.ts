import { PostgrestClient } from "@supabase/postgrest-js";
import type { Database, Json } from "./database_types.ts";

type Functions = Database["switchyard_api"]["Functions"];

// The generator cannot know that a Postgres argument may be null, and writes `never` for none. Where it
// asks for JSON, the value of a named interface is as good as a literal.
type Arguments<A> = [A] extends [never] ? Record<string, never>
  : { [K in keyof A]: A[K] | null | (Json extends A[K] ? object : never) };

/** Calls one function of switchyard_api; throws a DatabaseError when it did not answer. */
export type CallRpc = <N extends keyof Functions & string>(
  name: N,
  args: Arguments<Functions[N]["Args"]>,
  options?: { signal?: AbortSignal },
) => Promise<Functions[N]["Returns"]>;

/** Longer than the 8 s after which the hosted database gives up by itself. */
const CALL_TIMEOUT_MS = 10_000;

/** The database did not do what was asked; `unavailable` when the same call may succeed later. */
export class DatabaseError extends Error {
  override name = "DatabaseError";
  readonly code: string;
  readonly unavailable: boolean;

  constructor(message: string, options: { code: string; unavailable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.code = options.code;
    this.unavailable = options.unavailable;
  }
}

/**
 * Connects to the Data API as service_role; calls are never retried here. By the part of supabase-js
 * that calls functions: the whole would be half of every function's bundle.
 */
export function connectDatabase(
  options: { url: string; secretKey: string; fetch: typeof fetch },
): CallRpc {
  const client = new PostgrestClient<Database, { PostgrestVersion: "14" }, "switchyard_api">(
    new URL("rest/v1", `${options.url.replace(/\/+$/, "")}/`).href,
    {
      schema: "switchyard_api",
      headers: headersOf(options.secretKey),
      timeout: CALL_TIMEOUT_MS,
      retry: false,
      fetch: options.fetch,
    },
  );
  return async (name, args, { signal } = {}) => {
    const query = client.rpc(name, args);
    const { data, error, status } = await (signal ? query.abortSignal(signal) : query);
    if (error) {
      throw new DatabaseError(`Cannot ${name}: ${error.message}`, {
        code: error.code,
        unavailable: isUnavailable(status, error.code),
        cause: withoutRow(error),
      });
    }
    return data;
  };
}

// A new secret key is no token; the legacy one is both.
// https://supabase.com/docs/guides/api/api-keys (2026-11)
function headersOf(key: string): Record<string, string> {
  return key.startsWith("sb_") ? { apikey: key } : { apikey: key, authorization: `Bearer ${key}` };
}

// `details` of a violated constraint repeats the whole row, with what people wrote to each other.
function withoutRow(error: { message: string; code: string; hint: string }) {
  const { message, code, hint } = error;
  return { message, code, hint };
}

// Status 0 is a call that never got an answer. PGRST000–003 are PostgREST without a database;
// classes 08, 53 and 57 of SQLSTATE are a connection, resource or operator's intervention; 40001,
// 40P01 and 55P03 are a lost race for a lock.
// https://docs.postgrest.org/en/stable/references/errors.html (2026-11)
function isUnavailable(status: number, code: string): boolean {
  return status === 0 || (status >= 502 && status <= 504) ||
    /^(PGRST00[0-3]|(08|53|57)...|40001|40P01|55P03)$/.test(code);
}
