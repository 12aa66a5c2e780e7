import { App } from "@supabase/lite";

import { connectDataApi } from "./data_api_connection.ts";
import { nameKeyOfTokens } from "./data_api_tokens.ts";

const EXPOSED_SCHEMA = "switchyard_api";

/** supabase-js's other side: /rest/v1 for schema switchyard_api, and /auth/v1. */
export interface DataApi {
  fetch(request: Request): Promise<Response>;
  stop(): Promise<void>;
}

/**
 * Serves the Data API and Auth of a database that applyMigrations() made. While that database is down a call is
 * answered 503 PGRST001; when it is back calls work again. `notify pgrst` reloads what it knows of
 * the functions.
 */
export async function startDataApi(options: {
  databaseUrl: string;
  publishableKey: string;
  secretKey: string;
  jwtSecret: string;
}): Promise<DataApi> {
  const connection = connectDataApi(options.databaseUrl);
  const app = new App({
    connection,
    api: { schemas: [EXPOSED_SCHEMA] },
    auth: {
      publishable_key: options.publishableKey,
      secret_key: options.secretKey,
      jwt_secret: options.jwtSecret,
    },
  });
  await connection.introspect();
  // A reload that fails leaves what was known, where clearing it first would answer 404.
  const listen = () => connection.driver.listen("pgrst", () => void connection.introspect());
  await listen();
  let isListening = true;
  return {
    async fetch(request) {
      // Without an address a call that has no key is never taken for an administrator's.
      const response = await app.fetch(request, { peerAddress: null });
      // The driver listens again only once after an outage, and that while it lasts.
      if (response.status === 503) isListening = false;
      else if (!isListening) isListening = await listen().then(() => true, () => false);
      const isAuth = new URL(request.url).pathname.startsWith("/auth/v1/");
      return isAuth ? await nameKeyOfTokens(response, options.jwtSecret) : response;
    },
    stop: () => connection.driver.end({ timeout: 2 }),
  };
}

/** Creates auth.users and its kin and the auth functions, which migrations may refer to. */
export async function ensureAuthSchema(databaseUrl: string): Promise<void> {
  const connection = connectDataApi(databaseUrl);
  try {
    await new App({ connection }).ensureSystemSchema();
    const functions = await Deno.readTextFile(new URL("./auth.sql", import.meta.url));
    await connection.driver.unsafe(functions).simple();
  } finally {
    await connection.close();
  }
}
