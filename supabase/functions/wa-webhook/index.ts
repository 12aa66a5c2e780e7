import { readConfig } from "../_shared/config.ts";
import { connectDatabase } from "../_shared/database.ts";
import { serve } from "../_shared/http/serve.ts";
import { runtime } from "../_shared/runtime.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createSignatureVerifier } from "../_shared/whatsapp/signature.ts";
import { createEventStore } from "./event_store.ts";
import { createRefusalReport } from "./refusals.ts";
import { createHandler, isStored } from "./webhook.ts";

const REFUSALS_LOGGED_EVERY_MS = 10_000;

const config = readConfig(runtime.env, [
  "SUPABASE_URL",
  "SUPABASE_SECRET_KEYS",
  "WHATSAPP_APP_SECRET",
  "WHATSAPP_VERIFY_TOKEN",
]);
const secretKeys = config.SUPABASE_SECRET_KEYS;
const { now, fetch, write } = runtime;
const log = createLog({ write, now, fields: { service: "switchyard" } });
const call = connectDatabase({
  url: config.SUPABASE_URL,
  secretKey: secretKeys.default ?? Object.values(secretKeys)[0]!,
  fetch,
});

const handler = createHandler({
  verifyToken: config.WHATSAPP_VERIFY_TOKEN,
  verifySignature: createSignatureVerifier(config.WHATSAPP_APP_SECRET),
  storeEvents: createEventStore({ call, log, now }),
  reportRefusal: createRefusalReport({ intervalMs: REFUSALS_LOGGED_EVERY_MS, now }),
});

export default { fetch: serve("wa-webhook", handler, { log, now, isQuiet: isStored }) };
