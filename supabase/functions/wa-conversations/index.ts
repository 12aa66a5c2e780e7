import { readConfig } from "../_shared/config.ts";
import { serve } from "../_shared/http/serve.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createHandler } from "./conversations.ts";

const project = connectProject(readConfig(runtime.env, PROJECT_VARIABLES), runtime.fetch);
const log = createLog({
  write: runtime.write,
  now: runtime.now,
  fields: { service: "switchyard" },
});
const stopping = new AbortController();
runtime.onShutdown((reason) => stopping.abort(reason));
const { now, sleep } = runtime;
const handler = createHandler({ ...project, now, sleep, stopping: stopping.signal });

export default { fetch: serve("wa-conversations", handler, { log, now }) };
