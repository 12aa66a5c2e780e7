import { readConfig } from "../_shared/config.ts";
import { createStatisticsStore, REDIS_VARIABLES } from "../_shared/credentials/statistics_store.ts";
import { serve } from "../_shared/http/serve.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createHandler } from "./admin.ts";

const config = readConfig(runtime.env, [...PROJECT_VARIABLES, ...REDIS_VARIABLES]);
const log = createLog({
  write: runtime.write,
  now: runtime.now,
  fields: { service: "switchyard" },
});
const handler = createHandler({
  ...connectProject(config, runtime.fetch),
  randomBytes: runtime.randomBytes,
  statistics: createStatisticsStore(config, runtime.deadline),
});

export default { fetch: serve("admin", handler, { log, now: runtime.now }) };
