import { readConfig } from "../_shared/config.ts";
import { serve } from "../_shared/http/serve.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createHandler } from "./wallet.ts";

const project = connectProject(readConfig(runtime.env, PROJECT_VARIABLES), runtime.fetch);
const log = createLog({
  write: runtime.write,
  now: runtime.now,
  fields: { service: "switchyard" },
});

const handler = createHandler({
  ...project,
  countKeyError: () =>
    runtime.keepAlive(
      project.call("count_idempotency_error", {}).catch((error) =>
        log.warn("idempotency.not_counted", { error })
      ),
    ),
});

export default { fetch: serve("wallet", handler, { log, now: runtime.now }) };
