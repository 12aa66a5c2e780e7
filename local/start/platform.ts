import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { startConsole } from "../../console/server.ts";
import { startDataApi } from "../data_api/data_api.ts";
import { type Demo, DEMO_CUSTOMER, DEMO_SENDER, seedDemo } from "./demo.ts";
import { type Addresses, functionEnvironment, type ProjectKeys } from "./environment.ts";
import type { FunctionAnswer } from "../functions/process.ts";
import { type Gateway, startGateway } from "../gateway/gateway.ts";
import { startGraphSimulator } from "../graph_simulator/server.ts";
import { applyMigrations } from "../migrate.ts";
import type { PortName } from "../ports.ts";
import { startPostgres } from "../postgres/postgres.ts";
import { startRedis } from "../redis/start.ts";
import type { Logs } from "./logs.ts";
import type { Progress } from "./screen.ts";
import { storeSecrets, tickOnce } from "./database.ts";
import { createStorage } from "../storage.ts";
import { startTicker } from "../ticker/ticker.ts";
import { startUpstashRest } from "../redis/upstash_rest.ts";

export interface PlatformOptions {
  /** An existing folder that no other platform uses. */
  dir: string;
  ports: Record<PortName, number>;
  keys: ProjectKeys;
  demo: boolean;
  /** Undefined: the simulator, which runs in any case: customers still write from its phones. */
  graphUrl: string | undefined;
  /** Processes of a function; one unless named here. */
  instances?: Record<string, number>;
  redisUrl: string | undefined;
  progress: Progress;
  logs: Logs;
  /** Told of every function process that starts. */
  onStarted: (name: string, pid: number) => void;
}

/** All parts of a running platform. */
export interface Platform {
  addresses: Addresses;
  demo: Demo | null;
  gateway: Gateway;
  /** What each function answered when it was first asked to start. */
  functions: Map<string, FunctionAnswer>;
  redis: string;
  /** Stops all, in the order in which they need each other; data is kept. */
  stop(): Promise<void>;
}

const PROJECT = fileURLToPath(new URL("../../supabase/", import.meta.url));

/** Starts everything at once, each part as soon as what it needs is there; all or nothing. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const parts = new AsyncDisposableStack();
  // Registered when asked for, not when ready, so that they end in the opposite order.
  const keep: Keep = (part) => {
    parts.defer(async () => await (await part.catch(() => null))?.stop());
    return part;
  };
  const addresses = addressesOf(options);
  const stores = startStores(options, addresses, keep);
  const api = startApi(options, addresses, keep, stores);
  const rest = startRest(options, addresses, keep, stores, api);
  try {
    const [redis, upstash, gateway, functions, demo] = await Promise.all([
      ...[stores.redis, stores.upstash, api.gateway, api.functions, rest.demo] as const,
      ...[rest.simulator, rest.consolePage, rest.ticker],
    ]);
    return {
      addresses: { ...addresses, upstashUrl: upstash.url },
      demo,
      gateway,
      functions,
      redis: REDIS_KINDS[redis.kind],
      stop: () => parts.disposeAsync(),
    };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

type Keep = <T extends { stop(): Promise<void> }>(part: Promise<T>) => Promise<T>;
type KnownAddresses = Omit<Addresses, "upstashUrl">;

const REDIS_KINDS = {
  external: "Redis at REDIS_URL",
  server: "a Redis server",
  in_process: "Redis in this process; install redis-server for a real one",
};

function startStores(options: PlatformOptions, { databaseUrl }: KnownAddresses, keep: Keep) {
  const { dir, keys, progress, logs } = options;
  const postgres = keep(progress.step(
    "Postgres",
    startPostgres({ dir, port: options.ports.database, log: logs.of("postgres") }),
    () => databaseUrl,
    "takes a while: a first start downloads it from npm",
  ));
  const redis = keep(startRedis({
    dir: join(dir, "redis"),
    ...(options.redisUrl && { redisUrl: options.redisUrl }),
  }));
  const upstash = keep(progress.step(
    "Upstash REST",
    redis.then((redis) => startUpstashRest({ redis, token: keys.upstash_token, port: 0 })),
    ({ url }) => url,
  ));
  const migrated = progress.step(
    "Migrations",
    postgres.then(() => applyMigrations({ databaseUrl, log: logs.of("migrations") })),
    ({ applied }) => applied.length > 0 ? `${applied.length} applied` : "all applied before",
    "take a while: a first start downloads the Supabase CLI from npm",
  );
  const dataApi = keep(migrated.then(() =>
    startDataApi({
      databaseUrl,
      publishableKey: keys.publishable_key,
      secretKey: keys.secret_key,
      jwtSecret: keys.jwt_secret,
    })
  ));
  return { redis, upstash, migrated, dataApi };
}

type Stores = ReturnType<typeof startStores>;

// The functions boot while Postgres does: they connect to nothing before the first request.
function startApi(options: PlatformOptions, at: KnownAddresses, keep: Keep, stores: Stores) {
  const { keys, logs } = options;
  const gateway = keep(stores.upstash.then(({ url }) =>
    startGateway({
      port: options.ports.API,
      functionsDir: join(PROJECT, "functions"),
      configPath: join(PROJECT, "config.toml"),
      env: functionEnvironment(keys, { ...at, upstashUrl: url }),
      dataApi: { fetch: async (request) => await (await stores.dataApi).fetch(request) },
      storage: createStorage({ dir: join(options.dir, "storage"), secretKey: keys.secret_key }),
      keys: {
        publishableKey: keys.publishable_key,
        secretKey: keys.secret_key,
        jwtSecret: keys.jwt_secret,
      },
      logDir: logs.dir,
      log: logs.alarm,
      onStarted: options.onStarted,
      ...(options.instances && { instances: options.instances }),
    })
  ));
  const functions = options.progress.step(
    "Functions",
    gateway.then((gateway) => gateway.functions.settled()),
    describeFunctions,
  );
  return { gateway, functions };
}

type Api = ReturnType<typeof startApi>;

function startRest(
  options: PlatformOptions,
  at: KnownAddresses,
  keep: Keep,
  stores: Stores,
  api: Api,
) {
  const { keys, progress, logs } = options;
  const { databaseUrl } = at;
  const simulator = keep(
    progress.step("Simulator", startSimulator(options, at), ({ url }) => url),
  );
  const callable = Promise.all([stores.dataApi, api.functions]);
  const demo = options.demo ? seedWhen(callable, options, at) : Promise.resolve(null);
  const consolePage = keep(progress.step(
    "Console",
    demo.then((demo) =>
      startConsole({
        port: options.ports.console,
        apiUrl: at.apiUrl,
        secretKey: keys.secret_key,
        tenantId: demo?.tenantId ?? null,
        phoneUrl: phoneUrl(at),
      })
    ),
    ({ url }) => url,
  ));
  const secrets = stores.migrated.then(() =>
    storeSecrets(databaseUrl, {
      switchyard_project_url: at.apiUrl,
      switchyard_secret_key: keys.secret_key,
    })
  );
  const ticker = keep(progress.step(
    "Cron and net",
    Promise.all([secrets, callable])
      .then(() => tickOnce(databaseUrl))
      .then(() => startTicker({ databaseUrl, log: logs.of("ticker") })),
  ));
  return { simulator, demo, consolePage, ticker };
}

function seedWhen(callable: Promise<unknown>, options: PlatformOptions, at: KnownAddresses) {
  const { keys, dir, progress } = options;
  const { apiUrl, databaseUrl } = at;
  return progress.step(
    "Demo tenant",
    callable.then(() =>
      seedDemo({
        functionsUrl: `${apiUrl}/functions/v1`,
        secretKey: keys.secret_key,
        databaseUrl,
        dir,
        fetch,
      })
    ),
    ({ tenantId }) => tenantId,
  );
}

function addressesOf({ ports, graphUrl }: PlatformOptions): KnownAddresses {
  const at = (port: number) => `http://127.0.0.1:${port}`;
  const simulatorUrl = at(ports.simulator);
  return {
    apiUrl: at(ports.API),
    databaseUrl: `postgresql://postgres:postgres@127.0.0.1:${ports.database}/postgres`,
    graphUrl: graphUrl ?? simulatorUrl,
    consoleUrl: at(ports.console),
    simulatorUrl,
  };
}

/** The page that is the demo customer's phone. */
export function phoneUrl({ simulatorUrl }: Pick<Addresses, "simulatorUrl">): string {
  return `${simulatorUrl}/phone/${DEMO_CUSTOMER}`;
}

async function startSimulator(options: PlatformOptions, at: Pick<Addresses, "apiUrl">) {
  const simulator = await startGraphSimulator({
    port: options.ports.simulator,
    webhookUrl: `${at.apiUrl}/functions/v1/wa-webhook`,
    appSecret: options.keys.app_secret,
    verifyToken: options.keys.verify_token,
    log: options.logs.of("simulator"),
  });
  const { phone_number_id, access_token, ...number } = DEMO_SENDER;
  const response = await fetch(`${simulator.url}/_control/numbers/${phone_number_id}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...number,
      verified_name: "Switchyard Demo",
      access_tokens: [access_token],
    }),
  });
  await response.body?.cancel();
  return simulator;
}

function describeFunctions(functions: Map<string, FunctionAnswer>): string {
  const failed = [...functions].filter(([, { kind }]) => kind === "boot_failed");
  const names = failed.map(([name]) => name).join(", ");
  const count = functions.size - failed.length;
  return `${count} serve${names && `; ${names}: no start, see the log`}`;
}
