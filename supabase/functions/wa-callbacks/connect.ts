import type { ConfigOf } from "../_shared/config.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { createCallbackQueue } from "../_shared/queue/callbacks.ts";
import { openRedis, REDIS_VARIABLES } from "../_shared/redis.ts";
import { createLocalBreakers } from "../_shared/resilience/breaker_local.ts";
import { createBreakerStore } from "../_shared/resilience/breaker_store.ts";
import { createBreakers } from "../_shared/resilience/breakers.ts";
import type { Runtime } from "../_shared/runtime.ts";
import type { Log } from "../_shared/telemetry/log.ts";
import type { DrainDeps } from "./drain.ts";
import { createPost } from "./post.ts";

/** What the delivery of callbacks reads of its environment. */
export const CALLBACK_VARIABLES = [
  ...PROJECT_VARIABLES,
  ...REDIS_VARIABLES,
  "SWITCHYARD_CALLBACK_ADDRESSES",
] as const;

const REDIS_TIMEOUT_MS = 1_000;

/** Everything that a drain depends on, connected to the real world. */
export function connectCallbacks(
  config: ConfigOf<(typeof CALLBACK_VARIABLES)[number]>,
  { world, log, ...queue }: {
    world: Runtime;
    log: Log;
    leaseSeconds: number;
    perEndpoint: number;
  },
) {
  const { now, random, sleep, fetch, deadline } = world;
  const { call, identify } = connectProject(config, fetch);
  const redis = openRedis(config, { deadline, timeoutMs: REDIS_TIMEOUT_MS });
  const shared = redis === null ? null : createBreakerStore({ redis, now, random });
  const local = createLocalBreakers({ now, random });
  const deps: DrainDeps = {
    queue: createCallbackQueue(call, queue),
    breakers: createBreakers({ shared, local, now, sleep, log }),
    post: createPost({ ...world, reach: config.SWITCHYARD_CALLBACK_ADDRESSES }),
    now,
    random,
    sleep,
    log,
  };
  return { identify, deps };
}
