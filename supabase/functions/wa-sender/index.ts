import { readConfig } from "../_shared/config.ts";
import { createDrainEndpoint } from "../_shared/http/drain_endpoint.ts";
import { serve } from "../_shared/http/serve.ts";
import { createTurnstile } from "../_shared/resilience/turnstile.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { connectSender, SENDER_VARIABLES } from "./connect.ts";
import { drain } from "./drain.ts";
import type { DrainSignals } from "./drain.ts";

// The lease outlives the last call that may be begun (10 s) and its settling (20 s): what it outlives
// too is a worker that died.
const LEASE_SECONDS = 60;
const LIMITS = {
  fullBatch: 400,
  reducedBatch: 200,
  concurrency: 64,
  concurrencyPerSender: 32,
  maxMessages: 2_000,
  maxDurationMs: 50_000,
  maxClaimAgeMs: 25_000,
};
/**
 * The doorbell's drain stays for what is due before the next tick of cron; a caller's own answers when
 * nothing is due.
 */
const BACKGROUND_IDLE_MS = 5_000;

const { now, write } = runtime;
const log = createLog({ write, now, fields: { service: "switchyard" } });
const config = readConfig(runtime.env, SENDER_VARIABLES);
const { identify, deps, depths, preload, reportStatistics } = connectSender(config, {
  world: runtime,
  log,
  leaseSeconds: LEASE_SECONDS,
});
const stopping = new AbortController();
runtime.onShutdown((reason) => stopping.abort(reason));

async function drainFor(maxIdleMs: number, callers?: Pick<DrainSignals, "somebodyWaits" | "turn">) {
  const signals = { stop: stopping.signal, ...callers };
  // Beside the first claim, which does not wait for it.
  runtime.keepAlive(preload());
  const report = await drain(deps, { ...LIMITS, ...depths, maxIdleMs }, signals);
  if (report.claimed > 0) log.info("outbound.drained", { ...report });
  runtime.keepAlive(reportStatistics());
  return report;
}

const handler = createDrainEndpoint({
  identify,
  drainNow: () => drainFor(0),
  drainInBackground: createTurnstile((somebodyWaits, turn) =>
    drainFor(BACKGROUND_IDLE_MS, { somebodyWaits, turn })
  ),
  keepAlive: runtime.keepAlive,
});

export default { fetch: serve("wa-sender", handler, { log, now }) };
