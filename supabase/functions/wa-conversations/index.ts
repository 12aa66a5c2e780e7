import { readConfig } from "../_shared/config.ts";
import { serve } from "../_shared/http/serve.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createHandler } from "./conversations.ts";

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
const { now, sleep, fetch, deadline } = runtime;
const graph = { url: config.WHATSAPP_GRAPH_URL, version: config.WHATSAPP_GRAPH_VERSION };
const streaming = { now, sleep, stopping: stopping.signal };
const handler = createHandler({ ...project, ...streaming, fetch, deadline, graph });

export default { fetch: serve("wa-conversations", handler, { log, now }) };
