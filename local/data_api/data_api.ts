import { App } from "@supabase/lite";

import { connectDataApi } from "./connection.ts";
import { nameKeyOfTokens } from "./tokens.ts";

const EXPOSED_SCHEMA = "switchyard_api";

/** supabase-js's other side: /rest/v1 for schema switchyard_api, and /auth/v1. */
export interface DataApi {
  fetch(request: Request): Promise<Response>;
  stop(): Promise<void>;
}

export interface DataApiOptions {
  databaseUrl: string;
  publishableKey: string;
  secretKey: string;
  jwtSecret: string;
}

/**
 * Serves the Data API and Auth of a database that applyMigrations() made. When the database goes
 * away, calls under way and new ones are answered 503 PGRST001 at once; when it is back calls work
 * again. `notify pgrst` reloads what it knows of the functions.
 */
export async function startDataApi(options: DataApiOptions): Promise<DataApi> {
  let connected = await connect(options);
  let connecting: Promise<ConnectedApi> | null = null;

  // Whoever calls after a loss connects again, together with all who call meanwhile.
  async function current(): Promise<ConnectedApi> {
    if (!connected.isLost()) return connected;
    connecting ??= connect(options).finally(() => connecting = null);
    return connected = await connecting;
  }

  return {
    async fetch(request) {
      const api = await current().catch(() => null);
      if (api === null) return answerOutage();
      // Without an address a call that has no key is never taken for an administrator's.
      const answer = Promise.resolve(api.app.fetch(request, { peerAddress: null }));
      answer.catch(() => {});
      const response = await Promise.race([answer, api.lost.then(answerOutage)]);
      const isAuth = new URL(request.url).pathname.startsWith("/auth/v1/");
      return isAuth ? await nameKeyOfTokens(response, options.jwtSecret) : response;
    },
    stop: () => connected.end(),
  };
}

interface ConnectedApi {
  app: App;
  /** Resolves when a connection of the pool was closed by the other side. */
  lost: Promise<void>;
  isLost(): boolean;
  end(): Promise<void>;
}

// The driver leaves a query that was under way when its connection closed without an answer now and
// then, and listens again only while the outage lasts. So one lost connection ends the whole pool.
async function connect(options: DataApiOptions): Promise<ConnectedApi> {
  const lost = Promise.withResolvers<void>();
  let isLost = false;
  const connection = connectDataApi(options.databaseUrl, () => {
    if (isLost) return;
    isLost = true;
    lost.resolve();
    void end();
  });
  let unlisten: () => Promise<void> = () => Promise.resolve();
  // The driver listens anew when that connection closes, even while it ends, and nobody would catch it.
  async function end(): Promise<void> {
    if (!isLost) await unlisten().catch(() => {});
    await connection.driver.end({ timeout: 1 });
  }
  const app = new App({
    connection,
    api: { schemas: [EXPOSED_SCHEMA] },
    auth: {
      publishable_key: options.publishableKey,
      secret_key: options.secretKey,
      jwt_secret: options.jwtSecret,
    },
  });
  try {
    await connection.introspect();
    // A reload that fails leaves what was known, where clearing it first would answer 404.
    const listening = await connection.driver.listen(
      "pgrst",
      () => void connection.introspect().catch(() => {}),
    );
    unlisten = listening.unlisten;
  } catch (error) {
    void end();
    throw error;
  }
  return { app, lost: lost.promise, isLost: () => isLost, end };
}

function answerOutage(): Response {
  const message = "Database client error. Retrying the connection.";
  return Response.json({ code: "PGRST001", message, details: null, hint: null }, { status: 503 });
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
