import type { Redis } from "../../local/redis/redis.ts";
import { startRedis } from "../../local/redis/start.ts";
import { startUpstashRest } from "../../local/redis/upstash_rest.ts";
import type { CredentialLayers } from "../../supabase/functions/_shared/credentials/credentials.ts";
import type { SenderVersion } from "../../supabase/functions/_shared/credentials/credentials.ts";
import { connectCredentialLayers } from "../../supabase/functions/_shared/credentials/layers.ts";
import type { CallRpc } from "../../supabase/functions/_shared/database.ts";
import { runtime } from "../../supabase/functions/_shared/runtime.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import { startTestDataApi } from "./data_api.ts";
import { createDatabase, type Sql } from "./database.ts";
import type { Tenancy } from "./tenancy.ts";

const token = "a-redis-token";

export interface IsolateOptions {
  /** By id, as in SWITCHYARD_ENCRYPTION_KEYS; null for none. */
  keyIds?: string[] | null;
  redisUrl?: string;
  fallback?: { phoneNumberId: string; accessToken: string };
}

/** The credential layers of one isolate, with what a test looks at. */
export interface Isolate {
  credentials: CredentialLayers;
  reportStatistics: () => Promise<void>;
  /** The senders of each read_credentials so far. */
  reads: string[][];
  log: string[];
  /** Resolves when what was begun in the background is done. */
  settle(): Promise<unknown>;
}

/** A database, its Data API and a Redis, all real, that any number of isolates share. */
export interface CredentialGround extends AsyncDisposable {
  sql: Sql;
  callRpc: CallRpc;
  redis: Redis;
  redisConfig: { UPSTASH_REDIS_REST_URL: string; UPSTASH_REDIS_REST_TOKEN: string };
  startIsolate(options?: IsolateOptions): Isolate;
  stopRedis(): Promise<void>;
}

/** Starts it; for `await using`, which stops it. */
export async function startCredentialGround(): Promise<CredentialGround> {
  const ground = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir();
  ground.defer(() => Deno.remove(dir, { recursive: true }));
  const database = ground.use(await createDatabase());
  const api = ground.use(await startTestDataApi(database));
  const redis = await startRedis({ dir });
  ground.defer(() => redis.stop());
  const rest = await startUpstashRest({ redis, token, port: 0 });
  let isServing = true;
  const stopRedis = async () => {
    if (isServing) await rest.stop();
    isServing = false;
  };
  ground.defer(stopRedis);
  const redisConfig = { UPSTASH_REDIS_REST_URL: rest.url, UPSTASH_REDIS_REST_TOKEN: token };
  return {
    sql: database.sql,
    callRpc: api.callRpc,
    redis,
    redisConfig,
    startIsolate: (options = {}) => startIsolate(api.callRpc, rest.url, options),
    stopRedis,
    [Symbol.asyncDispose]: () => ground.disposeAsync(),
  };
}

/** The sender of a tenancy as a claim names it. */
export function senderOf(tenancy: Tenancy, credentialVersion = 1): SenderVersion {
  const { senderId, phoneNumberId } = tenancy;
  return { senderId, phoneNumberId, credentialVersion };
}

function startIsolate(callRpc: CallRpc, url: string, options: IsolateOptions): Isolate {
  const { keyIds = ["k1"], fallback } = options;
  const reads: string[][] = [];
  const log: string[] = [];
  const background: Promise<unknown>[] = [];
  const call: CallRpc = (name, args, callOptions) => {
    if (name === "read_credentials") reads.push((args as { sender_ids: string[] }).sender_ids);
    return callRpc(name, args, callOptions);
  };
  const connected = connectCredentialLayers({
    UPSTASH_REDIS_REST_URL: options.redisUrl ?? url,
    UPSTASH_REDIS_REST_TOKEN: token,
    SWITCHYARD_ENCRYPTION_KEYS: keyIds?.map((id) => ({ id, key: keyBytes(id) })),
    SWITCHYARD_CREDENTIAL_CACHE_SIZE: 1_000,
    SWITCHYARD_CREDENTIAL_CACHE_TTL_SECONDS: 900,
    WHATSAPP_PHONE_NUMBER_ID: fallback?.phoneNumberId,
    WHATSAPP_ACCESS_TOKEN: fallback?.accessToken,
  }, {
    ...runtime,
    call,
    keepAlive: (work) => void background.push(work),
    log: createLog({ write: (line) => log.push(line), now: runtime.now, fields: {} }),
  });
  return { ...connected, reads, log, settle: () => Promise.all(background) };
}

// One key for each id, so that isolates that name the same id hold the same key.
function keyBytes(id: string) {
  const bytes = new Uint8Array(32);
  new TextEncoder().encodeInto(id, bytes);
  return bytes;
}
