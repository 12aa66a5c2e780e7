import { readConfig } from "../_shared/config.ts";
import { createDrainEndpoint } from "../_shared/http/drain_endpoint.ts";
import { serve } from "../_shared/http/serve.ts";
import { createTurnstile } from "../_shared/resilience/turnstile.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { CALLBACK_VARIABLES, connectCallbacks } from "./connect.ts";
import { drain } from "./drain.ts";

// The lease outlives a call (10 s) and its settling (20 s): what it outlives too is a worker that died.
const QUEUE = { leaseSeconds: 60, perEndpoint: 8 };
const LIMITS = { concurrency: 64, maxDeliveries: 1_000, maxDurationMs: 50_000 };

const { now, write } = runtime;
const log = createLog({ write, now, fields: { service: "switchyard" } });
const config = readConfig(runtime.env, CALLBACK_VARIABLES);
const { identify, deps } = connectCallbacks(config, { world: runtime, log, ...QUEUE });
const stopping = new AbortController();
runtime.onShutdown((reason) => stopping.abort(reason));

async function drainNow() {
  const report = await drain(deps, LIMITS, stopping.signal);
  if (report.claimed > 0) log.info("callbacks.drained", { ...report });
  return report;
}

const handler = createDrainEndpoint({
  identify,
  drainNow,
  drainInBackground: createTurnstile(drainNow),
  keepAlive: runtime.keepAlive,
});

export default { fetch: serve("wa-callbacks", handler, { log, now }) };
