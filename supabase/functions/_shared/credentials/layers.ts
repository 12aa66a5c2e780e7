import type { ConfigOf } from "../config.ts";
import type { CallRpc } from "../database.ts";
import { openRedis, REDIS_VARIABLES } from "../redis.ts";
import type { SharedLayer } from "../resilience/layered_cache.ts";
import type { Runtime } from "../runtime.ts";
import type { Log } from "../telemetry/log.ts";
import { createBreakerSign } from "./breaker_sign.ts";
import { createCredentials } from "./credentials.ts";
import type { CredentialLayers } from "./credentials.ts";
import { CREDENTIAL_MEMORY_VARIABLES, memoryOf } from "./memory_settings.ts";
import { createReadBreaker, OPEN_MS } from "./read_breaker.ts";
import { createSharedTokens, SHARED_TIMEOUT_MS } from "./shared_tokens.ts";
import { createStatisticsReport } from "./statistics_report.ts";
import { createStatisticsStore } from "./statistics_store.ts";
import { createStoredTokens } from "./stored_tokens.ts";
import { createTokenCipher } from "./token_cipher.ts";
import { createTokenStore } from "./token_store.ts";

/** What the credential layers read of the environment. */
export const CREDENTIAL_LAYER_VARIABLES = [
  ...REDIS_VARIABLES,
  ...CREDENTIAL_MEMORY_VARIABLES,
  "SWITCHYARD_ENCRYPTION_KEYS",
  "WHATSAPP_PHONE_NUMBER_ID",
  "WHATSAPP_ACCESS_TOKEN",
] as const;

type Config = ConfigOf<(typeof CREDENTIAL_LAYER_VARIABLES)[number]>;

/** The database, a log, and of the real world what the layers need. */
export interface CredentialWorld
  extends Pick<Runtime, "now" | "random" | "randomBytes" | "sleep" | "deadline" | "keepAlive"> {
  call: CallRpc;
  log: Log;
}

/** The four layers of one isolate: memory, Redis, the database, the environment. */
export function connectCredentialLayers(
  config: Config,
  world: CredentialWorld,
): { credentials: CredentialLayers; reportStatistics: () => Promise<void> } {
  const { WHATSAPP_PHONE_NUMBER_ID: phoneNumberId, WHATSAPP_ACCESS_TOKEN: accessToken } = config;
  const breaker = createReadBreaker({ ...world, onChange: tellBreaker(config, world) });
  const credentials = createCredentials({
    shared: connectSharedTokens(config, world),
    stored: createStoredTokens({ ...world, breaker }),
    fallback: phoneNumberId && accessToken ? { phoneNumberId, accessToken } : null,
    now: world.now,
    memory: memoryOf(config),
  });
  const statistics = createStatisticsStore(config, world.deadline);
  return { credentials, reportStatistics: createStatisticsReport(credentials, statistics) };
}

// Off without Redis or without keys: a token is never stored in the clear.
function connectSharedTokens(config: Config, world: CredentialWorld): SharedLayer<string> | null {
  const keys = config.SWITCHYARD_ENCRYPTION_KEYS;
  const redis = openRedis(config, { deadline: world.deadline, timeoutMs: SHARED_TIMEOUT_MS });
  if (redis === null || keys === undefined) return null;
  const cipher = createTokenCipher(keys, world.randomBytes);
  return createSharedTokens({ ...world, store: createTokenStore(redis), cipher });
}

function tellBreaker(config: Config, { deadline, keepAlive, log }: CredentialWorld) {
  const redis = openRedis(config, { deadline, timeoutMs: SHARED_TIMEOUT_MS });
  const sign = redis && createBreakerSign(redis);
  return (state: "closed" | "open" | "half_open" | "isolated") => {
    if (state === "closed") log.info("credentials.breaker_closed");
    if (state !== "open") return;
    log.warn("credentials.breaker_opened");
    // Only a report: whoever does not see it loses nothing.
    if (sign) keepAlive(sign.raise(OPEN_MS).catch(() => {}));
  };
}
