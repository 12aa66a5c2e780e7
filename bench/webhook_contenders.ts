import { fileURLToPath } from "node:url";

import { jwksOf } from "../local/data_api/tokens.ts";
import { superviseFunction } from "../local/functions/process.ts";
import { readFunctionConfigs } from "../local/gateway/config.ts";
import { startProgram } from "./ground/program.ts";

const PROJECT = fileURLToPath(new URL("../supabase/", import.meta.url));
const DATA_API = fileURLToPath(new URL("./ground/data_api_program.ts", import.meta.url));
const PEER = fileURLToPath(new URL("./webhook_peer_program.ts", import.meta.url));
const KEYS = {
  publishableKey: "sb_publishable_bench",
  secretKey: "sb_secret_bench",
  jwtSecret: "a secret for benchmarks, longer than thirty-two bytes",
};

export const APP_SECRET = "bench-app-secret";

/** Someone who answers webhooks, in a process of its own. */
export interface Contender extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

/** A Data API of the database in a process of its own. */
export async function startBenchDataApi(databaseUrl: string) {
  const program = startProgram({
    command: Deno.execPath(),
    args: ["run", "-A", DATA_API, JSON.stringify({ databaseUrl, ...KEYS })],
  });
  return {
    url: await program.line(),
    pid: program.pid,
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

/** A real function, as the platform runs it: the same flags, rights, memory and import map. */
export async function startFunction(
  name: "wa-webhook" | "wa-inbound",
  supabaseUrl: string,
): Promise<Contender> {
  const configs = await readFunctionConfigs({
    configPath: `${PROJECT}config.toml`,
    functionsDir: `${PROJECT}functions`,
  });
  let pid = 0;
  const fn = superviseFunction({
    label: name,
    config: configs.find((config) => config.name === name)!,
    env: {
      SUPABASE_URL: supabaseUrl,
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: KEYS.secretKey }),
      SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: KEYS.publishableKey }),
      SUPABASE_JWKS: jwksOf(KEYS.jwtSecret),
      WHATSAPP_APP_SECRET: APP_SECRET,
      WHATSAPP_VERIFY_TOKEN: "bench",
    },
    log: () => {},
    onStarted: (_, started) => pid = started,
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
  const answer = await fn.settled();
  if (answer.kind === "boot_failed") throw new Error(`${name} does not start: ${answer.said}`);
  return { url: answer.url, pid, [Symbol.asyncDispose]: () => fn.stop() };
}

/** POST /wa-inbound with the secret key: one drain, answered when it is over. */
export async function drainOnce({ url }: Contender): Promise<{ applied: number }> {
  const headers = { apikey: KEYS.secretKey };
  const response = await fetch(`${url}/wa-inbound`, { method: "POST", headers });
  if (!response.ok) throw new Error(`wa-inbound: ${response.status} ${await response.text()}`);
  return await response.json();
}

/** What wa-webhook is compared with. */
export async function startPeer(
  kind: "one_rpc" | "nothing",
  supabaseUrl: string,
): Promise<Contender> {
  const options = { kind, supabaseUrl, secretKey: KEYS.secretKey, appSecret: APP_SECRET };
  const program = startProgram({
    command: Deno.execPath(),
    args: ["run", "-A", PEER, JSON.stringify(options)],
  });
  return {
    url: await program.line(),
    pid: program.pid,
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}
