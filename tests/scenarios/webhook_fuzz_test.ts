import { strict as assert } from "node:assert";
import { createHmac } from "node:crypto";

import { splitWebhook } from "../../supabase/functions/_shared/whatsapp/webhook_events.ts";
import { makeBodies } from "../support/fuzz/make_bodies.ts";
import { connectPlatform } from "../support/platform.ts";
import { openPlatformDatabase } from "../support/platform_database.ts";

const platform = connectPlatform();
const BODIES = 500;
const SEED = Number(Deno.env.get("SWITCHYARD_FUZZ_SEED") ?? 20261122);
const AT_ONCE = 16;

async function post(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const digest = createHmac("sha256", platform.env.WHATSAPP_APP_SECRET!).update(bytes).digest(
    "hex",
  );
  const response = await fetch(`${platform.env.SUPABASE_URL}/functions/v1/wa-webhook`, {
    method: "POST",
    body: bytes,
    headers: { "x-hub-signature-256": `sha256=${digest}` },
  });
  await response.body?.cancel();
  return response.status;
}

// Ten thousand of them, and what becomes of each: tests/integration/webhook_fuzz_test.ts.
Deno.test(`${BODIES} mutated bodies over HTTP, seed ${SEED}: each is answered 200 and kept`, async () => {
  const tenants = [await platform.createTenant(), await platform.createTenant()];
  const keys = new Set<string>();
  const bodies = makeBodies({ seed: SEED, count: BODIES, addressees: tenants });
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (const { bytes, mutations } of bodies) {
      for (const { key } of splitWebhook(bytes)) keys.add(key);
      assert.equal(await post(bytes), 200, `after ${mutations}, seed ${SEED}`);
    }
  }));
  await using database = openPlatformDatabase(platform);
  const [row] = await database.sql`
    select count(*)::integer as found from switchyard.inbound_events
    where encode(event_key, 'hex') = any (${[...keys]})`;
  assert.equal(row!.found, keys.size);
});
