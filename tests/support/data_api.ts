import { createClient, type SupabaseClient } from "@supabase/supabase-js";

import { startDataApi } from "../../local/data_api/data_api.ts";
import { jwksOf } from "../../local/data_api/tokens.ts";
import { type CallRpc, connectDatabase } from "../../supabase/functions/_shared/database.ts";
import type { Database } from "../../supabase/functions/_shared/database_types.ts";
import type { TestDatabase } from "./database.ts";

const publishableKey = "sb_publishable_test";
const secretKey = "sb_secret_test";
const jwtSecret = "a secret for tests, longer than thirty-two bytes";

/** A real Data API and Auth over a test database, reached without a network. */
export interface TestDataApi extends AsyncDisposable {
  /** What supabase-js and the functions take as SUPABASE_URL; nothing listens there. */
  readonly url: string;
  readonly publishableKey: string;
  readonly secretKey: string;
  /** The value of SUPABASE_JWKS that verifies its users' tokens. */
  readonly jwks: string;
  readonly fetch: typeof fetch;
  /** Calls functions of switchyard_api as service_role. */
  readonly callRpc: CallRpc;
  /** supabase-js with this key, on schema switchyard_api. */
  client(key: string): SupabaseClient<Database, "switchyard_api">;
  /** Signs a new user up. */
  signUp(email: string): Promise<{ userId: string; accessToken: string }>;
}

/** Starts it; for `await using`, which stops it. */
export async function startTestDataApi(database: TestDatabase): Promise<TestDataApi> {
  const url = "http://supabase.test";
  const api = await startDataApi({
    databaseUrl: database.url,
    publishableKey,
    secretKey,
    jwtSecret,
  });
  const fetchApi: typeof fetch = (input, init) => api.fetch(new Request(input, init));
  const client = (key: string) =>
    createClient<Database, "switchyard_api">(url, key, {
      db: { schema: "switchyard_api" },
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      global: { fetch: fetchApi },
    });
  return {
    url,
    publishableKey,
    secretKey,
    jwks: jwksOf(jwtSecret),
    fetch: fetchApi,
    callRpc: connectDatabase({ url, secretKey, fetch: fetchApi }),
    client,
    async signUp(email) {
      const credentials = { email, password: "correct horse battery staple" };
      const { data: { session, user }, error } = await client(publishableKey).auth
        .signUp(credentials);
      if (!session || !user) throw new Error(`Cannot sign up ${email}`, { cause: error });
      return { userId: user.id, accessToken: session.access_token };
    },
    [Symbol.asyncDispose]: () => api.stop(),
  };
}
