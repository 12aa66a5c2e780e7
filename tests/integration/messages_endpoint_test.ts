import { strict as assert } from "node:assert";

import { createHandler } from "../../supabase/functions/wa-messages/messages.ts";
import { createHandler as createAdminHandler } from "../../supabase/functions/admin/admin.ts";
import { connectProject } from "../../supabase/functions/_shared/project.ts";
import { serve } from "../../supabase/functions/_shared/http/serve.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import { EXAMPLES } from "../../supabase/functions/_shared/whatsapp/outbound_examples.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase } from "../support/database.ts";

Deno.test("the endpoints on a real database", async (t) => {
  await using database = await createDatabase();
  await using api = await startTestDataApi(database);
  const { sql } = database;
  const project = connectProject({
    SUPABASE_URL: api.url,
    SUPABASE_SECRET_KEYS: { default: api.secretKey },
    SUPABASE_PUBLISHABLE_KEYS: { default: api.publishableKey },
    SUPABASE_JWKS: JSON.parse(api.jwks),
  }, api.fetch);
  const now = Date.now;
  const lines: string[] = [];
  const log = createLog({ write: (line) => lines.push(line), now, fields: {} });
  const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));
  const served = {
    messages: serve("wa-messages", createHandler({ ...project, now }), { log, now }),
    admin: serve(
      "admin",
      createAdminHandler({
        ...project,
        randomBytes,
        resolve: () => Promise.resolve(["8.8.8.8"]),
        reach: "public",
        statistics: null,
        memory: { maxEntries: 1_000, ttlMs: 900_000 },
        breakers: null,
      }),
      { log, now },
    ),
  };
  const ask = (
    name: keyof typeof served,
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: unknown,
  ) =>
    served[name](
      new Request(`http://localhost/${name === "messages" ? "wa-messages" : "admin"}${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
  const bySecret = { apikey: api.secretKey };

  async function createTenancy(slug: string, phoneNumberId: string) {
    const tenant = await ask("admin", "POST", "/tenants", bySecret, { slug, name: slug });
    const { id: tenantId } = await tenant.json();
    const sender = await ask("admin", "POST", `/tenants/${tenantId}/senders`, bySecret, {
      phone_number_id: phoneNumberId,
      business_account_id: "200000000000001",
      display_phone_number: "+1 555 010 0001",
      access_token: "token-of-the-sender",
    });
    assert.equal(sender.status, 201);
    const made = await ask("admin", "POST", `/tenants/${tenantId}/api-keys`, bySecret, {
      name: "test",
      role: "operator",
    });
    const { key } = await made.json();
    return { tenantId: String(tenantId), byKey: { authorization: `Bearer ${key}` } };
  }

  const ours = await createTenancy("ours", "100000000000001");
  const theirs = await createTenancy("theirs", "100000000000002");
  const text = {
    from: "100000000000001",
    to: "+4915112345678",
    type: "text",
    text: { body: "hello" },
  };

  await t.step("a message is taken once, replayed the same, and refused when changed", async () => {
    const headers = { ...ours.byKey, "idempotency-key": "order-1" };
    const first = await ask("messages", "POST", "", headers, text);
    assert.equal(first.status, 202);
    const answer = await first.text();
    assert.equal(JSON.parse(answer).status, "queued");
    const again = await ask("messages", "POST", "", headers, { ...text, to: "49151 12345678" });
    assert.equal(again.headers.get("idempotent-replayed"), "true");
    assert.equal(await again.text(), answer);
    const changed = await ask("messages", "POST", "", headers, {
      ...text,
      text: { body: "bye" },
      lane: "bulk",
    });
    assert.equal(changed.status, 422);
    const { code, errors } = await changed.json();
    assert.equal(code, "idempotency_key_reused");
    assert.deepEqual(errors.map(({ pointer }: { pointer: string }) => pointer), ["/lane", "/text"]);
  });

  await t.step("the same message on many connections at once is taken once", async () => {
    const headers = { ...ours.byKey, "idempotency-key": "race-1" };
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => ask("messages", "POST", "", headers, text)),
    );
    const ids = await Promise.all(answers.map(async (answer) => (await answer.json()).id));
    assert.equal(new Set(ids).size, 1);
    const replays = answers.filter(({ headers }) => headers.has("idempotent-replayed"));
    assert.equal(replays.length, 11);
  });

  await t.step("every type of message is stored with its content", async () => {
    const undated = { ...EXAMPLES.text, send_at: undefined, expires_at: undefined };
    const messages = Object.values({ ...EXAMPLES, text: undated });
    const response = await ask("messages", "POST", "/batch", ours.byKey, { messages });
    const { accepted, rejected } = await response.json();
    assert.deepEqual(rejected, []);
    assert.equal(accepted.length, messages.length);
    const rows = await sql`
      select type, content from switchyard.messages
      where id = any(${accepted.map(({ id }: { id: string }) => id)}::uuid[])
    `;
    assert.equal(rows.length, messages.length);
    const reaction = rows.find(({ type }) => type === "reaction");
    assert.deepEqual(reaction?.content, EXAMPLES.reaction.reaction);
  });

  await t.step("a batch repeated under its key adds nothing", async () => {
    const headers = { ...ours.byKey, "idempotency-key": "batch-1" };
    const messages = [text, { ...text, to: "nobody" }, { ...text, from: "5" }, text];
    const first = await (await ask("messages", "POST", "/batch", headers, { messages })).json();
    const again = await ask("messages", "POST", "/batch", headers, { messages });
    assert.deepEqual((await again.json()).accepted, first.accepted);
    assert.deepEqual(first.accepted.map(({ index }: { index: number }) => index), [0, 3]);
    const codes = first.rejected.map(({ problem }: { problem: { code: string } }) => problem.code);
    assert.deepEqual(codes, ["invalid_message", "unknown_sender"]);
  });

  await t.step("a tenant neither sends from, sees nor cancels what is another's", async () => {
    const posted = await ask("messages", "POST", "", {
      ...theirs.byKey,
      "idempotency-key": "order-1",
    }, text);
    assert.equal(posted.status, 404);
    assert.equal((await posted.json()).code, "unknown_sender");
    const headers = { ...ours.byKey, "idempotency-key": "mine" };
    const { id } = await (await ask("messages", "POST", "", headers, text)).json();
    assert.equal((await ask("messages", "GET", `/${id}`, theirs.byKey)).status, 404);
    assert.equal((await ask("messages", "DELETE", `/${id}`, theirs.byKey)).status, 404);
    const page = await (await ask("messages", "GET", "", theirs.byKey)).json();
    assert.deepEqual(page, { messages: [], next_cursor: null });
    const mine = await (await ask("messages", "GET", `/${id}`, ours.byKey)).json();
    assert.equal(mine.to, "+4915112345678");
  });

  await t.step("a scheduled message is cancelled once", async () => {
    const sendAt = new Date(now() + 3_600_000).toISOString();
    const headers = { ...ours.byKey, "idempotency-key": "later" };
    const posted = await ask("messages", "POST", "", headers, { ...text, send_at: sendAt });
    const { id, planned_send_at } = await posted.json();
    assert.equal(Date.parse(planned_send_at), Date.parse(sendAt));
    assert.equal((await ask("messages", "DELETE", `/${id}`, ours.byKey)).status, 200);
    const again = await ask("messages", "DELETE", `/${id}`, ours.byKey);
    assert.equal(again.status, 409);
    assert.equal((await again.json()).message_status, "cancelled");
  });

  await t.step("pages follow each other to the end", async () => {
    const seen = new Set<string>();
    let cursor = "";
    do {
      const query = `?limit=7${cursor && `&cursor=${cursor}`}`;
      const page = await (await ask("messages", "GET", query, ours.byKey)).json();
      for (const { id } of page.messages) seen.add(id);
      cursor = page.next_cursor;
    } while (cursor);
    const [{ count = 0 } = {}] = await sql`
      select count(*)::int as count from switchyard.messages where tenant_id = ${ours.tenantId}
    `;
    assert.equal(seen.size, count);
  });

  await t.step("a signed-in user acts by their role in the tenant they name", async () => {
    const { userId, accessToken } = await api.signUp("ann@example.com");
    const session = {
      apikey: api.publishableKey,
      authorization: `Bearer ${accessToken}`,
      "x-tenant-id": ours.tenantId,
    };
    assert.equal((await ask("messages", "GET", "", session)).status, 403);
    const members = `/tenants/${ours.tenantId}/members`;
    const viewer = { user_id: userId, role: "viewer" };
    assert.equal((await ask("admin", "POST", members, bySecret, viewer)).status, 200);
    assert.equal((await ask("messages", "GET", "", session)).status, 403);
    assert.equal((await ask("admin", "GET", "/audit", session)).status, 200);
    const operator = { user_id: userId, role: "operator" };
    assert.equal((await ask("admin", "POST", members, bySecret, operator)).status, 200);
    assert.equal((await ask("messages", "GET", "", session)).status, 200);
    const elsewhere = { ...session, "x-tenant-id": theirs.tenantId };
    assert.equal((await ask("messages", "GET", "", elsewhere)).status, 403);
  });

  await t.step(
    "every change is in the audit log, of its tenant alone, without secrets",
    async () => {
      const { entries } = await (await ask("admin", "GET", "/audit?limit=200", bySecret)).json();
      const actions = entries.map(({ action }: { action: string }) => action);
      for (const action of ["tenant.created", "sender.added", "api_key.created", "member.set"]) {
        assert.ok(actions.includes(action), action);
      }
      assert.doesNotMatch(JSON.stringify(entries), /token-of-the-sender|swy_/);
      const key = await ask("admin", "POST", `/tenants/${theirs.tenantId}/api-keys`, bySecret, {
        name: "viewer",
        role: "viewer",
      });
      const byViewer = { authorization: `Bearer ${(await key.json()).key}` };
      const own = await (await ask("admin", "GET", "/audit", byViewer)).json();
      assert.ok(own.entries.length > 0);
      assert.ok(
        own.entries.every((entry: { tenant_id: string }) => entry.tenant_id === theirs.tenantId),
      );
    },
  );

  await t.step("taken slugs and numbers are conflicts", async () => {
    const tenant = await ask("admin", "POST", "/tenants", bySecret, { slug: "ours", name: "x" });
    assert.equal(tenant.status, 409);
    const sender = await ask("admin", "POST", `/tenants/${theirs.tenantId}/senders`, bySecret, {
      phone_number_id: "100000000000001",
      business_account_id: "200000000000001",
      display_phone_number: "+1 555 010 0001",
      access_token: "x",
    });
    assert.equal(sender.status, 409);
  });

  await t.step(
    "credentials are rotated and invalidated by version, caches by generation",
    async () => {
      const path = `/tenants/${ours.tenantId}/senders/100000000000001/credential`;
      const rotated = await ask("admin", "PUT", path, bySecret, { access_token: "new" });
      assert.deepEqual(await rotated.json(), { credential_version: 2 });
      const invalidated = await ask("admin", "POST", "/cache/invalidate", bySecret, {
        phone_number_id: "100000000000001",
      });
      assert.equal(invalidated.status, 200);
      const cleared = await ask("admin", "POST", "/cache/clear", bySecret);
      assert.equal(typeof (await cleared.json()).generation, "number");
    },
  );

  await t.step("a suspended tenant is refused", async () => {
    await sql`update switchyard.tenants set status = 'suspended' where id = ${theirs.tenantId}`;
    const refused = await ask("messages", "GET", "", theirs.byKey);
    assert.equal(refused.status, 403);
    assert.equal((await refused.json()).code, "tenant_suspended");
  });

  await t.step("no secret, number or content came into the log", () => {
    assert.doesNotMatch(lines.join("\n"), /swy_|token-of-the-sender|15112345678|hello/);
  });
});
