import { readConfig, VARIABLES } from "../_shared/config.ts";
import { createBreakerSign } from "../_shared/credentials/breaker_sign.ts";
import { createStatisticsStore } from "../_shared/credentials/statistics_store.ts";
import { serve } from "../_shared/http/serve.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { openRedis, REDIS_VARIABLES } from "../_shared/redis.ts";
import { createBreakerStore } from "../_shared/resilience/breaker_store.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createHandler } from "./health.ts";
import { createProbes, PROBE_TIMEOUT_MS } from "./probes.ts";

const config = readConfig(runtime.env, [...PROJECT_VARIABLES, ...REDIS_VARIABLES]);
const { call, identify } = connectProject(config, runtime.fetch);
const log = createLog({
  write: runtime.write,
  now: runtime.now,
  fields: { service: "switchyard" },
});
const statistics = createStatisticsStore(config, runtime.deadline);
const redis = openRedis(config, { deadline: runtime.deadline, timeoutMs: PROBE_TIMEOUT_MS });
const breakerSign = redis && createBreakerSign(redis);
const breakers = redis && createBreakerStore({ redis, now: runtime.now, random: runtime.random });
const configured = Object.fromEntries(
  Object.keys(VARIABLES).map((name) => [name, Boolean(runtime.env(name))]),
);

const handler = createHandler({
  identify,
  probes: createProbes({ call, redis: statistics, now: runtime.now, sleep: runtime.sleep }),
  readCounters: async () => await statistics?.read().catch(() => null) ?? null,
  readBreaker: async () => await breakerSign?.isRaised().catch(() => null) ?? null,
  listBreakers: async () => await breakers?.list().catch(() => null) ?? null,
  configured,
});

export default { fetch: serve("health", handler, { log, now: runtime.now }) };
