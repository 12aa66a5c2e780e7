import { fileURLToPath } from "node:url";

import { jwksOf } from "../../local/data_api/tokens.ts";
import { superviseFunction } from "../../local/functions/process.ts";
import { readFunctionConfigs } from "../../local/gateway/config.ts";
import { startProgram } from "./program.ts";

const PROJECT = fileURLToPath(new URL("../../supabase/", import.meta.url));
const DATA_API = fileURLToPath(new URL("./data_api_program.ts", import.meta.url));
const REDIS = fileURLToPath(new URL("./redis_program.ts", import.meta.url));
const REDIS_TOKEN = "a token for benchmarks";
const KEYS = {
  publishableKey: "sb_publishable_bench",
  secretKey: "sb_secret_bench",
  jwtSecret: "a secret for benchmarks, longer than thirty-two bytes",
};

/** The real wa-sender in a process of its own, over a Data API and a Redis in others. */
export interface Sender extends AsyncDisposable {
  readonly pid: number;
  readonly dataApiPid: number;
  /** Redis and its REST API. */
  readonly redisPid: number;
  /** POST /wa-sender, which answers when nothing is due or the drain has done its share. */
  drain(): Promise<{ claimed: number; sent: number }>;
  /** The same call as the doorbell makes it: answered at once. */
  ring(): Promise<void>;
}

/** Starts both on a migrated database; for `await using`, which ends them. */
export async function startSender(options: {
  databaseUrl: string;
  graphUrl: string;
}): Promise<Sender> {
  const dataApi = startProgram({
    command: Deno.execPath(),
    args: ["run", "-A", DATA_API, JSON.stringify({ databaseUrl: options.databaseUrl, ...KEYS })],
  });
  const redis = startProgram({
    command: Deno.execPath(),
    args: ["run", "-A", REDIS, REDIS_TOKEN],
  });
  const [supabaseUrl, redisUrl] = await Promise.all([dataApi.line(), redis.line()]);
  const { fn, pid, url } = await startFunction({
    SUPABASE_URL: supabaseUrl,
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: KEYS.secretKey }),
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: KEYS.publishableKey }),
    SUPABASE_JWKS: jwksOf(KEYS.jwtSecret),
    WHATSAPP_GRAPH_URL: options.graphUrl,
    SWITCHYARD_ENCRYPTION_KEYS: `bench-1:${new Uint8Array(32).toBase64()}`,
    UPSTASH_REDIS_REST_URL: redisUrl,
    UPSTASH_REDIS_REST_TOKEN: REDIS_TOKEN,
  });
  async function post(headers: Record<string, string>): Promise<Response> {
    const init = { method: "POST", headers: { apikey: KEYS.secretKey, ...headers } };
    const response = await fetch(`${url}/wa-sender`, init);
    if (!response.ok) throw new Error(`wa-sender: ${response.status} ${await response.text()}`);
    return response;
  }
  return {
    pid,
    dataApiPid: dataApi.pid,
    redisPid: redis.pid,
    drain: async () => await (await post({})).json(),
    ring: async () => void await (await post({ prefer: "respond-async" })).body?.cancel(),
    async [Symbol.asyncDispose]() {
      await fn.stop();
      await redis[Symbol.asyncDispose]();
      await dataApi[Symbol.asyncDispose]();
    },
  };
}

// As the platform runs it: the same flags, rights, memory and import map.
async function startFunction(env: Record<string, string>) {
  const configs = await readFunctionConfigs({
    configPath: `${PROJECT}config.toml`,
    functionsDir: `${PROJECT}functions`,
  });
  const config = configs.find(({ name }) => name === "wa-sender")!;
  let pid = 0;
  const fn = superviseFunction({
    label: "wa-sender",
    config,
    env,
    log: () => {},
    onStarted: (_, started) => pid = started,
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
  const answer = await fn.settled();
  if (answer.kind === "boot_failed") throw new Error(`wa-sender does not start: ${answer.said}`);
  return { fn, pid, url: answer.url };
}
