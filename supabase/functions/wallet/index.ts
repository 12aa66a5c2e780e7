import { readConfig } from "../_shared/config.ts";
import { serve } from "../_shared/http/serve.ts";
import { connectProject, PROJECT_VARIABLES } from "../_shared/project.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createStripeVerifier } from "../_shared/wallet/stripe_signature.ts";
import { retryLostRaces } from "./lost_races.ts";
import { createHandler } from "./wallet.ts";

const config = readConfig(runtime.env, [
  ...PROJECT_VARIABLES,
  "WALLET_STRIPE_WEBHOOK_SECRET",
  "WALLET_TENANT_TOP_UPS",
]);
const stripeSecrets = config.WALLET_STRIPE_WEBHOOK_SECRET;
const project = connectProject(config, runtime.fetch);
const log = createLog({
  write: runtime.write,
  now: runtime.now,
  fields: { service: "switchyard" },
});

const handler = createHandler({
  ...project,
  call: retryLostRaces(project.call, runtime),
  now: runtime.now,
  verifyStripe: stripeSecrets ? createStripeVerifier(stripeSecrets) : null,
  // Whoever is told of payments by a provider needs nobody to say that they have paid.
  tenantsMayTopUp: (config.WALLET_TENANT_TOP_UPS ?? (stripeSecrets ? "refused" : "allowed")) ===
    "allowed",
  countKeyError: () =>
    runtime.keepAlive(
      project.call("count_idempotency_error", {}).catch((error) =>
        log.warn("idempotency.not_counted", { error })
      ),
    ),
});

export default { fetch: serve("wallet", handler, { log, now: runtime.now }) };
