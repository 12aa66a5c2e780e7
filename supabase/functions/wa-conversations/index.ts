import { readConfig } from "../_shared/config.ts";
import { serve } from "../_shared/http/serve.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { createMediaQueue } from "../_shared/queue/media.ts";
import { createTurnstile } from "../_shared/resilience/turnstile.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createHandler } from "./conversations.ts";
import { keepMedia } from "./keep_media.ts";
import { createMediaStore } from "./media_store.ts";

// Two addresses, a download and an upload take no longer: what the lease outlives is a worker that died.
const MEDIA_LEASE_SECONDS = 300;
/** Two files in memory at most, beside the streams of changes. */
const MEDIA_LIMITS = { concurrency: 2, maxFiles: 50, maxDurationMs: 30_000 };

const config = readConfig(runtime.env, [
  ...PROJECT_VARIABLES,
  "WHATSAPP_GRAPH_URL",
  "WHATSAPP_GRAPH_VERSION",
]);
const project = connectProject(config, runtime.fetch);
const log = createLog({
  write: runtime.write,
  now: runtime.now,
  fields: { service: "switchyard" },
});
const stopping = new AbortController();
runtime.onShutdown((reason) => stopping.abort(reason));
const { now, sleep, random, fetch, deadline } = runtime;
const graph = { url: config.WHATSAPP_GRAPH_URL, version: config.WHATSAPP_GRAPH_VERSION };
const streaming = { now, sleep, stopping: stopping.signal };
const store = createMediaStore({
  url: config.SUPABASE_URL,
  secretKey: project.secretKey,
  fetch,
  deadline,
});
const media = { call: project.call, fetch, deadline, graph, store };
const queue = createMediaQueue(project.call, { leaseSeconds: MEDIA_LEASE_SECONDS });

async function keepDueMedia() {
  const deps = { ...media, queue, now, random, log };
  const report = await keepMedia(deps, MEDIA_LIMITS, stopping.signal);
  if (report.claimed > 0) log.info("media.drained", { ...report });
  return report;
}

const handler = createHandler({
  ...project,
  ...streaming,
  ...media,
  keepMedia: keepDueMedia,
  keepMediaInBackground: createTurnstile(keepDueMedia),
  keepAlive: runtime.keepAlive,
});

export default { fetch: serve("wa-conversations", handler, { log, now }) };
