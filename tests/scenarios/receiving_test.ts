import { strict as assert } from "node:assert";
import { createHmac } from "node:crypto";

import { eventually } from "../support/eventually.ts";
import { aPhoneNumber, connectPlatform, type Tenant } from "../support/platform.ts";
import { openPlatformDatabase } from "../support/platform_database.ts";

const platform = connectPlatform();
const MAX_BODY_BYTES = 3 * 1024 * 1024;

let made = 0;

/** A status as Meta sends it; each is another one. */
function aStatus() {
  made += 1;
  const id = `wamid.${crypto.randomUUID()}`;
  return { id, status: "sent", timestamp: "1763812800", recipient_id: `4915120${1000 + made}` };
}

function aChange(phoneNumberId: string, statuses: unknown[]) {
  const metadata = { display_phone_number: "15550100001", phone_number_id: phoneNumberId };
  return { field: "messages", value: { messaging_product: "whatsapp", metadata, statuses } };
}

function aBody(entries: { id: string; changes: unknown[] }[]): string {
  return JSON.stringify({ object: "whatsapp_business_account", entry: entries });
}

function bodyFor(tenant: Tenant, statuses: unknown[]): string {
  return aBody([{
    id: tenant.businessAccountId,
    changes: [aChange(tenant.phoneNumberId, statuses)],
  }]);
}

function sign(body: string, secret = platform.env.WHATSAPP_APP_SECRET!): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

function postWebhook(body: string, signature: string | null = sign(body)) {
  return platform.api("/wa-webhook", {
    caller: { kind: "nobody" },
    body,
    headers: signature === null ? {} : { "x-hub-signature-256": signature },
  });
}

async function eventsOf(wamids: string[]) {
  await using database = openPlatformDatabase(platform);
  const rows = await database.sql<{ wamid: string; tenant_id: string | null; state: string }[]>`
    select payload -> 'status' ->> 'id' as wamid, tenant_id, state
    from switchyard.inbound_events
    where payload -> 'status' ->> 'id' = any (${wamids})`;
  return rows.map((row) => ({ ...row }));
}

Deno.test("what a customer writes is stored for the tenant of the number, and for no other", async () => {
  const [tenant, other] = [await platform.createTenant(), await platform.createTenant()];
  const from = aPhoneNumber();
  await platform.simulator.receiveFromCustomer({
    from,
    phone_number_id: tenant.phoneNumberId,
    type: "text",
    text: { body: "Grüße 😀 / hello" },
  });
  await using database = openPlatformDatabase(platform);
  const rows = await eventually(
    () =>
      database.sql`
        select c.tenant_id, c.customer_phone, e.type, e.content
        from switchyard.conversation_events e
        join switchyard.conversations c on c.id = e.conversation_id
        where c.customer_phone = ${from}`,
    (found) => found.length > 0,
  );
  assert.deepEqual(rows.map((row) => ({ ...row })), [{
    tenant_id: tenant.id,
    customer_phone: from,
    type: "text",
    content: { text: { body: "Grüße 😀 / hello" } },
  }]);
  assert.notEqual(other.id, tenant.id);
});

Deno.test("1,000 events of three accounts in one body: each to its owner, unknown ones kept apart", async () => {
  const [one, two] = [await platform.createTenant(), await platform.createTenant()];
  const statuses = Array.from({ length: 1_000 }, aStatus);
  const [ofOne, ofTwo, ofNobody] = [
    statuses.slice(0, 400),
    statuses.slice(400, 800),
    statuses.slice(800),
  ];
  const body = aBody([
    { id: one.businessAccountId, changes: [aChange(one.phoneNumberId, ofOne)] },
    { id: two.businessAccountId, changes: [aChange(two.phoneNumberId, ofTwo)] },
    { id: "999", changes: [aChange("98989898", ofNobody)] },
  ]);
  assert.equal((await postWebhook(body)).status, 200);

  const settled = await eventually(
    () => eventsOf(statuses.map(({ id }) => id)),
    (rows) => rows.length === 1_000 && rows.every(({ state }) => state !== "pending"),
    { timeoutMs: 30_000 },
  );
  const owners = new Map(settled.map(({ wamid, tenant_id }) => [wamid, tenant_id]));
  assert.ok(ofOne.every(({ id }) => owners.get(id) === one.id));
  assert.ok(ofTwo.every(({ id }) => owners.get(id) === two.id));
  assert.ok(ofNobody.every(({ id }) => owners.get(id) === null));
  const states = new Set(
    settled.filter(({ tenant_id }) => tenant_id === null).map(({ state }) => state),
  );
  assert.deepEqual(states, new Set(["quarantined"]));
});

Deno.test("the same body on two connections at once is stored once and both are answered 200", async () => {
  const tenant = await platform.createTenant();
  const statuses = Array.from({ length: 20 }, aStatus);
  const body = bodyFor(tenant, statuses);
  const answers = await Promise.all([postWebhook(body), postWebhook(body), postWebhook(body)]);
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200]);
  assert.equal((await eventsOf(statuses.map(({ id }) => id))).length, 20);
});

Deno.test("what is not signed with the app's secret over these very bytes stores nothing", async (t) => {
  const tenant = await platform.createTenant();
  const status = aStatus();
  const escaped = bodyFor(tenant, [{ ...status, biz_opaque_callback_data: "café" }])
    .replace("é", "\\u00e9");
  const cases: [label: string, signature: string | null][] = [
    ["no signature", null],
    ["another app's secret", sign(escaped, "another secret")],
    ["the secret over re-serialised bytes", sign(JSON.stringify(JSON.parse(escaped)))],
    ["a signature that is no hex", "sha256=zz"],
    ["the right digest under another name", sign(escaped).replace("sha256", "sha1")],
  ];
  for (const [label, signature] of cases) {
    await t.step(label, async () => {
      const answer = await postWebhook(escaped, signature);
      assert.equal(answer.status, 401);
      assert.deepEqual(await eventsOf([status.id]), []);
    });
  }
  await t.step("the right one is stored", async () => {
    assert.equal((await postWebhook(escaped)).status, 200);
    assert.equal((await eventsOf([status.id])).length, 1);
  });
});

Deno.test("a body of 3 MiB is taken, one byte more is refused with 413", async () => {
  const tenant = await platform.createTenant();
  const status = aStatus();
  const padded = (bytes: number) => {
    const body = bodyFor(tenant, [status]);
    return body + " ".repeat(bytes - body.length);
  };
  assert.equal((await postWebhook(padded(MAX_BODY_BYTES + 1))).status, 413);
  assert.deepEqual(await eventsOf([status.id]), []);
  assert.equal((await postWebhook(padded(MAX_BODY_BYTES))).status, 200);
  assert.equal((await eventsOf([status.id])).length, 1);
});

Deno.test("signed nonsense is quarantined and answered 200", async (t) => {
  const marker = crypto.randomUUID();
  const cases = [
    ["no JSON", `{"unfinished": "${marker}-a`],
    ["an array", JSON.stringify([`${marker}-b`])],
    ["another object", JSON.stringify({ object: "page", entry: [], marker: `${marker}-c` })],
    ["an entry that is a string", aBody([`${marker}-d`] as never)],
  ] as const;
  await using database = openPlatformDatabase(platform);
  for (const [label, body] of cases) {
    await t.step(label, async () => {
      assert.equal((await postWebhook(body)).status, 200);
    });
  }
  const rows = await database.sql`
    select state, kind from switchyard.inbound_events where payload::text like ${`%${marker}%`}`;
  assert.equal(rows.length, cases.length);
  assert.ok(rows.every(({ state, kind }) => state === "quarantined" && kind === "unknown"));
});

Deno.test("Meta's dashboard test is answered 200 and makes no data", async () => {
  const value = {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: "16505551111", phone_number_id: "123456123" },
    contacts: [{ profile: { name: "test user name" }, wa_id: "16315551181" }],
    messages: [{
      from: "16315551181",
      id: "ABGGFlA5Fpa",
      timestamp: "1504902988",
      type: "text",
      text: { body: "this is a text message" },
    }],
  };
  const body = aBody([{ id: "0", changes: [{ field: "messages", value }] }]);
  assert.equal((await postWebhook(body)).status, 200);
  await using database = openPlatformDatabase(platform);
  const [row] = await database.sql`
    select count(*)::integer as found from switchyard.conversations
    where customer_phone = '+16315551181'`;
  assert.equal(row!.found, 0);
});

Deno.test("the handshake answers the challenge as plain text to who knows the token", async () => {
  const ask = (token: string) =>
    platform.api(
      `/wa-webhook?hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=1158201444`,
      { caller: { kind: "nobody" } },
    );
  const answer = await ask(platform.env.WHATSAPP_VERIFY_TOKEN!);
  assert.equal(answer.status, 200);
  assert.equal(answer.text, "1158201444");
  assert.match(answer.headers.get("content-type") ?? "", /^text\/plain/);
  assert.equal((await ask("guessed")).status, 403);
});
