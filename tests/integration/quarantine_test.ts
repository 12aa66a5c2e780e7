import { strict as assert } from "node:assert";

import { serve } from "../../supabase/functions/_shared/http/serve.ts";
import { connectProject } from "../../supabase/functions/_shared/project.ts";
import { createLog } from "../../supabase/functions/_shared/telemetry/log.ts";
import { createHandler } from "../../supabase/functions/admin/admin.ts";
import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase, type Sql, withDatabase } from "../support/database.ts";
import { anEvent, apply, claimEvents, store } from "../support/inbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const stranger = { phoneNumberId: "888001", businessAccountId: "999001" } as Tenancy;

/** Makes the stranger's number a sender of this tenant. */
async function addSender(sql: Sql, tenancy: Tenancy, overrides: Record<string, string> = {}) {
  const sender = {
    phone_number_id: stranger.phoneNumberId,
    business_account_id: stranger.businessAccountId,
    display_phone_number: "+1 555 010 0002",
    access_token: "a-token",
    ...overrides,
  };
  await sql`
    select switchyard_api.add_sender(${tenancy.tenantId}, ${
    sql.json(sender)
  }, '{"kind":"secret"}')`;
}

function anUnknownStatus(tenancy: Tenancy, status: string) {
  return anEvent(tenancy, {
    kind: "unknown",
    reason: "unknown_status",
    payload: {
      metadata: { phone_number_id: tenancy.phoneNumberId },
      contact: null,
      status: { id: `wamid.${crypto.randomUUID()}`, status, timestamp: "1763812800" },
      time: null,
    },
  });
}

async function countStates(sql: Sql): Promise<Record<string, number>> {
  const rows = await sql<{ state: string; count: number }[]>`
    select state, count(*)::integer as count from switchyard.inbound_events group by state`;
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

Deno.test("health alarms of what was quarantined for a day or until it is replayed, not of Meta's test", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const told = async (hoursLater: number) => {
      const at = new Date(Date.now() + hoursLater * 3_600_000);
      const [row] = await sql`select switchyard_api.health_snapshot(${at}) as told`;
      return [row!.told.quarantined, row!.told.quarantined_lately];
    };
    await store(sql, [anEvent(tenancy, { kind: "unknown", reason: "dashboard_test" })]);
    assert.deepEqual(await told(0), [1, 0]);
    await store(sql, [
      anEvent(stranger, { kind: "message", payload: { message: { from: "15550200001" } } }),
      anUnknownStatus(tenancy, "handed_over"),
    ]);
    assert.deepEqual(await told(0), [3, 2]);
    assert.deepEqual(await told(23), [3, 2]);
    assert.deepEqual(await told(25), [3, 0]);
    await addSender(sql, tenancy);
    assert.deepEqual(await told(0), [2, 1]);
  }));

Deno.test("a number that becomes a sender gets what came before it, once and nobody else's", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [
      anEvent(stranger, { kind: "message", payload: { message: { from: "15550200001" } } }),
      anEvent(stranger, { phone_number_id: null, kind: "account" }),
      anEvent(stranger, { phone_number_id: "888002" }),
      anEvent(stranger, { kind: "unknown", reason: "unknown_status" }),
    ]);
    await addSender(sql, tenancy);
    const claimed = await claimEvents(sql, 10);
    assert.deepEqual(claimed.map(({ kind }) => kind).sort(), ["account", "message"]);
    assert.ok(claimed.every(({ tenant_id }) => tenant_id === tenancy.tenantId));
    await apply(sql, claimed, () => ({ action: "keep" }));
    await sql`select switchyard.inbound_tick()`;
    assert.deepEqual(await claimEvents(sql, 10), []);
    assert.deepEqual(await countStates(sql), { applied: 2, quarantined: 2 });
  }));

Deno.test("what was stored while its sender was being added is found by the tick", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [anEvent(stranger)]);
    await sql`alter table switchyard.senders disable trigger senders_adopt_events`;
    await addSender(sql, tenancy);
    assert.deepEqual(await claimEvents(sql, 10), []);
    await sql`select switchyard.inbound_tick()`;
    assert.equal((await claimEvents(sql, 10)).length, 1);
  }));

Deno.test("an account that two tenants share keeps its events in quarantine", () =>
  withDatabase(async ({ sql }) => {
    const [one, two] = [await createTenancy(sql), await createTenancy(sql)];
    const businessAccountId = one.businessAccountId;
    await addSender(sql, two, { business_account_id: businessAccountId });
    await store(sql, [anEvent(one, { phone_number_id: null, kind: "account" })]);
    await addSender(sql, two, {
      phone_number_id: "888003",
      business_account_id: businessAccountId,
    });
    assert.deepEqual(await countStates(sql), { quarantined: 1 });
  }));

Deno.test("replays at once on many connections queue every event once", () =>
  withDatabase(async ({ sql, connect }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, Array.from({ length: 50 }, () => anEvent(stranger)));
    await sql`alter table switchyard.senders disable trigger senders_adopt_events`;
    await addSender(sql, tenancy);
    const ids = (await sql`select id from switchyard.inbound_events`).map(({ id }) => id);
    const counts = await Promise.all(Array.from({ length: 6 }, async () => {
      const [row] = await connect()`
        select switchyard_api.replay_quarantine(
          ${sql.json(ids)}, '[]', false, '{}', '{"kind":"secret"}') as counts`;
      return row!.counts.given_to_owners;
    }));
    assert.equal(counts.reduce((sum, count) => sum + count, 0), 50);
    const [row] = await sql`select count(*)::integer as entries from pgmq.q_wa_inbound`;
    assert.equal(row!.entries, 50);
  }));

Deno.test("the quarantine over HTTP on a real database", async (t) => {
  await using database = await createDatabase();
  await using api = await startTestDataApi(database);
  const { sql } = database;
  const project = connectProject({
    SUPABASE_URL: api.url,
    SUPABASE_SECRET_KEYS: { default: api.secretKey },
    SUPABASE_PUBLISHABLE_KEYS: { default: api.publishableKey },
    SUPABASE_JWKS: JSON.parse(api.jwks),
  }, api.fetch);
  const log = createLog({ write: () => {}, now: Date.now, fields: {} });
  const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));
  const handler = createHandler({
    ...project,
    randomBytes,
    resolve: () => Promise.resolve(["8.8.8.8"]),
    reach: "public",
    statistics: null,
    memory: { maxEntries: 1_000, ttlMs: 900_000 },
    breakers: null,
  });
  const admin = serve("admin", handler, { log, now: Date.now });
  const ask = async (method: string, path: string, body?: unknown) => {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const headers = { apikey: api.secretKey };
    const url = `http://localhost/admin/quarantine${path}`;
    const answer = await admin(new Request(url, { method, headers, ...init }));
    return { status: answer.status, body: await answer.json() };
  };
  const tenancy = await createTenancy(sql);
  await store(sql, [
    anEvent(stranger),
    anUnknownStatus(tenancy, "delivered"),
    anUnknownStatus(tenancy, "melted"),
    anUnknownStatus(tenancy, "melted"),
  ]);

  await t.step("is listed page by page, with counts by reason", async () => {
    const { body } = await ask("GET", "?limit=3");
    assert.deepEqual(
      body.reasons.map(({ reason, count }: { reason: string; count: number }) => [reason, count]),
      [["unknown_owner", 1], ["unknown_status", 3]],
    );
    assert.equal(body.events.length, 3);
    const rest = await ask("GET", `?limit=3&cursor=${body.next_cursor}`);
    assert.deepEqual([rest.body.events.length, rest.body.next_cursor], [1, null]);
  });

  await t.step("is filtered by reason, business account and time", async () => {
    const of = async (query: string) => (await ask("GET", query)).body.events.length;
    assert.equal(await of("?reason=unknown_status"), 3);
    assert.equal(await of(`?business_account=${stranger.businessAccountId}`), 1);
    assert.equal(await of("?since=2099-01-01T00:00:00Z"), 0);
    assert.equal((await ask("GET", "?since=yesterday")).status, 400);
    assert.equal((await ask("POST", "/replay", { filter: { cause: "x" } })).status, 422);
  });

  await t.step(
    "a dry run tells what a replay then does, and the next one does nothing",
    async () => {
      const filter = { reason: "unknown_status" };
      const expected = { looked_at: 3, given_to_owners: 0, understood: 1, still_quarantined: 2 };
      const dry = await ask("POST", "/replay", { filter, dry_run: true });
      assert.deepEqual(dry.body, { dry_run: true, ...expected, next_cursor: null });
      const done = await ask("POST", "/replay", { filter });
      assert.deepEqual(done.body, { dry_run: false, ...expected, next_cursor: null });
      const again = await ask("POST", "/replay", { filter });
      assert.deepEqual([again.body.looked_at, again.body.understood], [2, 0]);
      const claimed = await claimEvents(sql, 10);
      assert.deepEqual(claimed.map(({ kind, tenant_id }) => [kind, tenant_id]), [
        ["status", tenancy.tenantId],
      ]);
    },
  );

  await t.step("what was replayed is in the audit log once", async () => {
    const rows = await sql`
      select detail from switchyard.audit_log where action = 'quarantine.replayed'`;
    assert.deepEqual(rows.map(({ detail }) => detail.understood), [1]);
  });
});
