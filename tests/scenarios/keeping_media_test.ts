import { strict as assert } from "node:assert";

import { eventually } from "../support/eventually.ts";
import { aPhoneNumber, connectPlatform } from "../support/platform.ts";

const platform = connectPlatform();

interface Page {
  conversations: { id: string }[];
  messages: { id: string; image: { id: string; sha256: string } }[];
}

async function sha256Of(bytes: ArrayBuffer): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

Deno.test("a picture that its tenant keeps is there when Meta has it no longer", async () => {
  const [tenant, other] = [await platform.createTenant(), await platform.createTenant()];
  const { SUPABASE_URL, SUPABASE_SECRET_KEY } = platform.env;
  const setting = { method: "PUT", body: { keep: "all", days: 30 } };
  assert.equal((await platform.api(`/admin/tenants/${tenant.id}/media`, setting)).status, 200);
  assert.equal((await other.api(`/admin/tenants/${tenant.id}/media`, setting)).status, 403);

  const from = aPhoneNumber();
  await platform.simulator.receiveFromCustomer({
    from,
    phone_number_id: tenant.phoneNumberId,
    type: "image",
    image: { caption: "Look" },
  });
  const list = `/wa-conversations?customer=${encodeURIComponent(from)}`;
  const { conversations: [conversation] } = await eventually(
    async () => (await tenant.api(list)).json<Page>(),
    ({ conversations }) => conversations.length === 1,
  );
  const { messages: [message] } = (
    await tenant.api(`/wa-conversations/${conversation!.id}/messages`)
  ).json<Page>();

  const stored = `${SUPABASE_URL}/storage/v1/object/wa-media/${tenant.id}/${conversation!.id}/${
    message!.id
  }`;
  const kept = await eventually(
    async () => {
      const headers = { apikey: SUPABASE_SECRET_KEY! };
      const response = await fetch(stored, { headers });
      return { ok: response.ok, bytes: await response.arrayBuffer() };
    },
    ({ ok }) => ok,
  );
  assert.equal(await sha256Of(kept.bytes), message!.image.sha256);

  const removed = await fetch(`${platform.env.SIMULATOR_URL}/v25.0/${message!.image.id}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${tenant.accessToken}` },
  });
  assert.deepEqual(await removed.json(), { success: true });
  const path = `/wa-conversations/media/${message!.id}`;
  // Stored, and written down as stored in the next moment.
  const file = await eventually(() => tenant.api(path), ({ status }) => status === 200);
  assert.equal(file.headers.get("content-type"), "image/png");
  assert.equal((await other.api(path)).status, 404);
  const open = await fetch(stored);
  assert.equal(open.ok, false);
  await open.body?.cancel();
  const drained = await tenant.api("/wa-conversations/media", { method: "POST" });
  assert.equal(drained.status, 403);
});
