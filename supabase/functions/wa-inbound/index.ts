import { readConfig } from "../_shared/config.ts";
import { machines } from "../_shared/conversation/machines.ts";
import { createDrainEndpoint } from "../_shared/http/drain_endpoint.ts";
import { serve } from "../_shared/http/serve.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { createConversationQueue } from "../_shared/queue/conversations.ts";
import { createInboundQueue } from "../_shared/queue/inbound.ts";
import { createTurnstile } from "../_shared/resilience/turnstile.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createConversations } from "./conversations.ts";
import { drain } from "./drain.ts";

// A batch takes under a second: what a worker that died has claimed waits no longer than this.
const LEASE_SECONDS = 20;
const LIMITS = { batch: 200, maxEvents: 5_000, maxDurationMs: 50_000 };
/** Longer than any state waits for more words: its answer then needs no tick of cron. */
const BACKGROUND_IDLE_MS = 2_500;

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

const options = { leaseSeconds: LEASE_SECONDS };
const queue = createInboundQueue(call, options);
const { now, sleep, random } = runtime;
const conversations = createConversations({
  queue: createConversationQueue(call, options),
  machines,
  sleep,
  random,
  log,
});
const drainFor = (maxIdleMs: number, somebodyWaits?: AbortSignal) =>
  drain({ queue, conversations, now, sleep, random, log }, { ...LIMITS, maxIdleMs }, {
    stop: stopping.signal,
    ...(somebodyWaits && { somebodyWaits }),
  });
const handler = createDrainEndpoint({
  identify,
  drainNow: () => drainFor(0),
  drainInBackground: createTurnstile((somebodyWaits) =>
    drainFor(BACKGROUND_IDLE_MS, somebodyWaits)
  ),
  keepAlive: runtime.keepAlive,
});

export default { fetch: serve("wa-inbound", handler, { log, now: runtime.now }) };
