import { readConfig } from "../_shared/config.ts";
import { connectCredentials, CREDENTIAL_VARIABLES } from "../_shared/credentials/connect.ts";
import { createDrainEndpoint } from "../_shared/http/drain_endpoint.ts";
import { serve } from "../_shared/http/serve.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { createOutboundQueue } from "../_shared/queue/outbound.ts";
import { createTurnstile } from "../_shared/resilience/turnstile.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createGraphClient } from "../_shared/whatsapp/graph_client.ts";
import { drain } from "./drain.ts";
import { createSend } from "./send.ts";

// The lease outlives the call and the settling: what it outlives too is a worker that died.
const LEASE_SECONDS = 60;
const LIMITS = { batch: 200, concurrency: 32, maxMessages: 2_000, maxDurationMs: 50_000 };
/** The doorbell's drain stays for paced messages; a caller's own answers when nothing is due. */
const BACKGROUND_IDLE_MS = 2_000;

const config = readConfig(runtime.env, [
  ...PROJECT_VARIABLES,
  ...CREDENTIAL_VARIABLES,
  "WHATSAPP_GRAPH_URL",
  "WHATSAPP_GRAPH_VERSION",
]);
const { now, random, sleep, fetch, deadline } = runtime;
const log = createLog({ write: runtime.write, now, fields: { service: "switchyard" } });
const { call, identify } = connectProject(config, fetch);
const { credentials, reportStatistics } = connectCredentials(config, { call, now, deadline });
const worker = runtime.env("SB_EXECUTION_ID") ?? "local";
const queue = createOutboundQueue(call, { worker, leaseSeconds: LEASE_SECONDS });
const { WHATSAPP_GRAPH_URL: baseUrl, WHATSAPP_GRAPH_VERSION: version } = config;
const send = createSend(createGraphClient({ fetch, baseUrl, version, now, sleep }));
const stopping = new AbortController();
runtime.onShutdown((reason) => stopping.abort(reason));

async function drainFor(maxIdleMs: number, somebodyWaits?: AbortSignal) {
  const deps = { queue, credentials, send, now, random, sleep, log };
  const signals = { stop: stopping.signal, ...(somebodyWaits && { somebodyWaits }) };
  const report = await drain(deps, { ...LIMITS, maxIdleMs }, signals);
  if (report.claimed > 0) log.info("outbound.drained", { ...report });
  await reportStatistics();
  return report;
}

const handler = createDrainEndpoint({
  identify,
  drainNow: () => drainFor(0),
  drainInBackground: createTurnstile((somebodyWaits) =>
    drainFor(BACKGROUND_IDLE_MS, somebodyWaits)
  ),
  keepAlive: runtime.keepAlive,
});

export default { fetch: serve("wa-sender", handler, { log, now }) };
