import type { ConfigOf } from "../_shared/config.ts";
import {
  connectCredentialLayers,
  CREDENTIAL_LAYER_VARIABLES,
} from "../_shared/credentials/layers.ts";
import { createPreload } from "../_shared/credentials/preload.ts";
import { createSendWindows } from "../_shared/pacing/send_windows.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { createOutboundQueue } from "../_shared/queue/outbound.ts";
import { openRedis } from "../_shared/redis.ts";
import { createLocalBreakers } from "../_shared/resilience/breaker_local.ts";
import { createBreakerStore } from "../_shared/resilience/breaker_store.ts";
import { createBreakers } from "../_shared/resilience/breakers.ts";
import type { Runtime } from "../_shared/runtime.ts";
import type { Log } from "../_shared/telemetry/log.ts";
import { createGraphClient } from "../_shared/whatsapp/graph_client.ts";
import type { DrainDeps } from "./drain.ts";
import { createSend } from "./send.ts";

/** What the sender reads of its environment. */
export const SENDER_VARIABLES = [
  ...PROJECT_VARIABLES,
  ...CREDENTIAL_LAYER_VARIABLES,
  "WHATSAPP_GRAPH_URL",
  "WHATSAPP_GRAPH_VERSION",
  "SWITCHYARD_CREDENTIAL_PRELOAD",
  "SWITCHYARD_BACKPRESSURE_HIGH_DEPTH",
  "SWITCHYARD_BACKPRESSURE_LOW_DEPTH",
] as const;

const REDIS_TIMEOUT_MS = 1_000;

/** Everything that a drain depends on, connected to the real world. */
export function connectSender(
  config: ConfigOf<(typeof SENDER_VARIABLES)[number]>,
  { world, log, leaseSeconds }: { world: Runtime; log: Log; leaseSeconds: number },
) {
  const { now, uptime, random, sleep, fetch, deadline } = world;
  const { call, identify } = connectProject(config, fetch);
  const redis = openRedis(config, { deadline, timeoutMs: REDIS_TIMEOUT_MS });
  const shared = redis === null ? null : createBreakerStore({ redis, now, random });
  const local = createLocalBreakers({ now, random });
  const { credentials, reportStatistics } = connectCredentialLayers(config, {
    ...world,
    call,
    log,
  });
  const most = config.SWITCHYARD_CREDENTIAL_PRELOAD;
  const preload = createPreload({ call, credentials, log, most });
  const { WHATSAPP_GRAPH_URL: baseUrl, WHATSAPP_GRAPH_VERSION: version } = config;
  const worker = world.env("SB_EXECUTION_ID") ?? "local";
  const depths = {
    highDepth: config.SWITCHYARD_BACKPRESSURE_HIGH_DEPTH,
    lowDepth: config.SWITCHYARD_BACKPRESSURE_LOW_DEPTH,
  };
  const countDepthTo = depths.highDepth + 1;
  const deps: DrainDeps = {
    queue: createOutboundQueue(call, { worker, leaseSeconds, countDepthTo }),
    credentials,
    breakers: createBreakers({ shared, local, now, sleep, log }),
    windows: createSendWindows({ redis, now, sleep, log }),
    send: createSend(createGraphClient({ fetch, baseUrl, version, now, sleep })),
    now,
    uptime,
    random,
    sleep,
    log,
  };
  return { identify, deps, depths, preload, reportStatistics };
}
