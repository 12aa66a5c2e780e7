import { strict as assert } from "node:assert";

import { readEvents } from "../support/event_stream.ts";
import { eventually } from "../support/eventually.ts";
import { aPhoneNumber, connectPlatform } from "../support/platform.ts";

const platform = connectPlatform();

interface Page {
  conversations: { id: string; window: { state: string; free_entry_until: string | null } }[];
  messages: { id: string; type: string; image?: { sha256: string }; referral?: unknown }[];
}

const HOUR_MS = 3_600_000;

Deno.test("a customer's picture is heard of, read and fetched, by its tenant alone", async () => {
  const [tenant, other] = [await platform.createTenant(), await platform.createTenant()];
  const from = aPhoneNumber();
  const response = await fetch(
    `${platform.env.SUPABASE_URL}/functions/v1/wa-conversations/events`,
    {
      headers: { authorization: `Bearer ${tenant.apiKey}` },
    },
  );
  assert.equal(response.status, 200);
  const events = readEvents(response);
  assert.equal((await events.next())?.event, "ready");

  await platform.simulator.receiveFromCustomer({
    from,
    phone_number_id: tenant.phoneNumberId,
    type: "image",
    image: { caption: "Look" },
  });
  const heard = await events.take(2);
  assert.deepEqual(heard.map(({ event }) => event), ["conversation", "message"]);
  await events.leave();

  const list = `/wa-conversations?customer=${encodeURIComponent(from)}`;
  const { conversations } = (await tenant.api(list)).json<Page>();
  assert.deepEqual((await other.api(list)).json<Page>().conversations, []);
  const path = `/wa-conversations/${conversations[0]!.id}/messages`;
  const { messages } = (await tenant.api(path)).json<Page>();
  assert.equal(messages[0]!.type, "image");
  assert.equal((await other.api(path)).status, 404);

  const media = `/wa-conversations/media/${messages[0]!.id}`;
  const file = await eventually(() => tenant.api(media), ({ status }) => status === 200);
  assert.equal(file.headers.get("content-type"), "image/png");
  assert.ok(file.text.length > 0);
  assert.equal((await other.api(media)).status, 404);
});

Deno.test("for 72 hours after the answer to who came from an ad or a page all is free, and is told so", async () => {
  const tenant = await platform.createTenant();
  for (const source_type of ["ad", "post"]) {
    const from = aPhoneNumber();
    const referral = { source_type, source_id: "1", headline: "Chat with us" };
    await platform.simulator.receiveFromCustomer({
      from,
      phone_number_id: tenant.phoneNumberId,
      type: "text",
      text: { body: "I want this" },
      referral,
    });
    const list = `/wa-conversations?customer=${encodeURIComponent(from)}`;
    const look = async () => (await tenant.api(list)).json<Page>().conversations[0];
    const written = await eventually(look, (one) => one !== undefined);
    assert.deepEqual(written!.window.free_entry_until, null);
    const { messages } = (await tenant.api(`/wa-conversations/${written!.id}/messages`))
      .json<Page>();
    assert.deepEqual(messages[0]!.referral, referral);

    const before = Math.floor(Date.now() / 1_000) * 1_000;
    await tenant.send({ to: from });
    const answered = await eventually(look, (one) => one!.window.free_entry_until !== null);
    const until = Date.parse(answered!.window.free_entry_until!);
    assert.ok(until >= before + 72 * HOUR_MS && until <= Date.now() + 72 * HOUR_MS, `${until}`);
    assert.equal(answered!.window.state, "open");
  }
});
