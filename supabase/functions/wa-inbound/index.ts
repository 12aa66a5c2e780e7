import { readConfig } from "../_shared/config.ts";
import { createDrainEndpoint } from "../_shared/http/drain_endpoint.ts";
import { serve } from "../_shared/http/serve.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { createInboundQueue } from "../_shared/queue/inbound.ts";
import { createTurnstile } from "../_shared/resilience/turnstile.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { drain } from "./drain.ts";

// A batch takes under a second: what a worker that died has claimed waits no longer than this.
const LEASE_SECONDS = 20;
const LIMITS = { batch: 200, maxEvents: 5_000, maxDurationMs: 50_000 };

const { call, identify } = connectProject(
  readConfig(runtime.env, PROJECT_VARIABLES),
  runtime.fetch,
);
const log = createLog({
  write: runtime.write,
  now: runtime.now,
  fields: { service: "switchyard" },
});
const stopping = new AbortController();
runtime.onShutdown((reason) => stopping.abort(reason));

const queue = createInboundQueue(call, { leaseSeconds: LEASE_SECONDS });
const { now, sleep, random } = runtime;
const drainNow = () => drain({ queue, now, sleep, random, log }, LIMITS, stopping.signal);
const handler = createDrainEndpoint({
  identify,
  drainNow,
  drainInBackground: createTurnstile(drainNow),
  keepAlive: runtime.keepAlive,
});

export default { fetch: serve("wa-inbound", handler, { log, now: runtime.now }) };
