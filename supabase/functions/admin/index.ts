import { readConfig } from "../_shared/config.ts";
import { CREDENTIAL_MEMORY_VARIABLES, memoryOf } from "../_shared/credentials/memory_settings.ts";
import { createStatisticsStore } from "../_shared/credentials/statistics_store.ts";
import { serve } from "../_shared/http/serve.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { openRedis, REDIS_VARIABLES } from "../_shared/redis.ts";
import { createBreakerStore } from "../_shared/resilience/breaker_store.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createHandler } from "./admin.ts";

const REDIS_TIMEOUT_MS = 1_000;

const config = readConfig(runtime.env, [
  ...PROJECT_VARIABLES,
  ...REDIS_VARIABLES,
  "SWITCHYARD_CALLBACK_ADDRESSES",
  ...CREDENTIAL_MEMORY_VARIABLES,
]);
const log = createLog({
  write: runtime.write,
  now: runtime.now,
  fields: { service: "switchyard" },
});
const { now, random, randomBytes, deadline } = runtime;
const redis = openRedis(config, { deadline, timeoutMs: REDIS_TIMEOUT_MS });
const handler = createHandler({
  ...connectProject(config, runtime.fetch),
  randomBytes,
  resolve: runtime.resolve,
  reach: config.SWITCHYARD_CALLBACK_ADDRESSES,
  statistics: createStatisticsStore(config, deadline),
  memory: memoryOf(config),
  breakers: redis && createBreakerStore({ redis, now, random }),
});

export default { fetch: serve("admin", handler, { log, now: runtime.now }) };
