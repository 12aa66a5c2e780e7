import { strict as assert } from "node:assert";

import {
  addEndpoint,
  anEvent,
  claimCallbacks,
  emit,
  SECRET,
  settleCallbacks,
} from "../support/callbacks.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { later, NOW } from "../support/now.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const HOUR_MS = 60 * 60_000;
const OTHER_SECRET = `whsec_${btoa("another secret, of the same size")}`;

async function withEndpoint(
  test: (sql: Sql, tenancy: Tenancy, endpointId: string) => Promise<void>,
): Promise<void> {
  await using database = await createDatabase();
  const tenancy = await createTenancy(database.sql);
  await test(database.sql, tenancy, await addEndpoint(database.sql, tenancy));
}

async function update(
  sql: Sql,
  tenancy: Tenancy,
  endpointId: string,
  changes: Record<string, unknown>,
  at = NOW,
) {
  const [row] = await sql`
    select switchyard_api.update_callback(${tenancy.tenantId}, ${endpointId},
      ${sql.json(changes as never)}, '{}', ${at}) as answer`;
  return row!.answer;
}

async function rotate(sql: Sql, tenancy: Tenancy, endpointId: string, secret: string, at: Date) {
  const [row] = await sql`
    select switchyard_api.rotate_callback_secret(
      ${tenancy.tenantId}, ${endpointId}, ${secret}, '{}', ${at}) as answer`;
  return row!.answer;
}

async function replay(
  sql: Sql,
  tenancy: Tenancy,
  endpointId: string,
  filter: Record<string, unknown>,
  { dryRun = false, at = later(HOUR_MS) } = {},
) {
  const [row] = await sql`
    select switchyard_api.replay_callbacks(${tenancy.tenantId}, ${endpointId},
      ${sql.json(filter as never)}, ${dryRun}, '{}', ${at}) as answer`;
  return row!.answer;
}

async function secretsSigning(sql: Sql, tenancy: Tenancy, at: Date): Promise<string[]> {
  await emit(sql, [anEvent(tenancy, { order_key: at.toISOString() })], at);
  return (await claimCallbacks(sql, at))[0]!.secrets;
}

/** Claims and delivers until nothing is due. */
async function deliverAll(sql: Sql, at: Date): Promise<{ event_id: string; n: unknown }[]> {
  const told: { event_id: string; n: unknown }[] = [];
  while (true) {
    const claims = await claimCallbacks(sql, at);
    if (claims.length === 0) return told;
    told.push(...claims.map(({ event_id, payload }) => ({ event_id, n: payload.n })));
    await settleCallbacks(sql, claims, () => ({ outcome: "delivered" }), at);
  }
}

Deno.test("a signing secret lies in Vault alone", () =>
  withEndpoint(async (sql, _, endpointId) => {
    const [row] = await sql`
      select to_jsonb(e)::text as endpoint, v.decrypted_secret
      from switchyard.callback_endpoints e
      join vault.decrypted_secrets v on v.id = e.secret_id
      where e.id = ${endpointId}`;
    assert.equal(row!.decrypted_secret, SECRET);
    assert.ok(!row!.endpoint.includes(SECRET));
    const [audit] =
      await sql`select string_agg(detail::text, '') as lines from switchyard.audit_log`;
    assert.ok(!audit!.lines.includes("whsec_"));
  }));

Deno.test("the secret before signs beside the new one for a day, and is forgotten then", () =>
  withEndpoint(async (sql, tenancy, endpointId) => {
    const answer = await rotate(sql, tenancy, endpointId, OTHER_SECRET, NOW);
    assert.equal(new Date(answer.previous_secret_until).getTime(), later(24 * HOUR_MS).getTime());
    assert.deepEqual(await secretsSigning(sql, tenancy, later(23 * HOUR_MS)), [
      OTHER_SECRET,
      SECRET,
    ]);
    assert.deepEqual(await secretsSigning(sql, tenancy, later(24 * HOUR_MS)), [OTHER_SECRET]);
    await sql`select switchyard.forget_callback_secrets(${later(24 * HOUR_MS)})`;
    const [row] = await sql`
      select count(*)::integer as secrets from vault.secrets
      where name like 'switchyard/callback/%'`;
    assert.equal(row!.secrets, 1);
  }));

Deno.test("of two rotations in a day the last two secrets sign", () =>
  withEndpoint(async (sql, tenancy, endpointId) => {
    const third = `whsec_${btoa("a third secret, of the same size")}`;
    await rotate(sql, tenancy, endpointId, OTHER_SECRET, NOW);
    await rotate(sql, tenancy, endpointId, third, later(HOUR_MS));
    assert.deepEqual(await secretsSigning(sql, tenancy, later(2 * HOUR_MS)), [third, OTHER_SECRET]);
  }));

Deno.test("a tenant has ten endpoints at most, also when it asks for them all at once", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  const tenancy = await createTenancy(sql);
  const callback = { url: "https://example.com/", events: ["wallet.low"] };
  const asked = await Promise.all(Array.from({ length: 14 }, () => {
    const own = database.connect();
    return own`
      select switchyard_api.create_callback(
        ${tenancy.tenantId}, ${own.json(callback)}, ${SECRET}, '{}') ->> 'outcome' as outcome`;
  }));
  const outcomes = asked.map(([row]) => row!.outcome);
  assert.equal(outcomes.filter((outcome) => outcome === "created").length, 10);
  assert.equal(outcomes.filter((outcome) => outcome === "too_many").length, 4);
});

Deno.test("what is not the tenant's own is not found, and stays as it is", () =>
  withEndpoint(async (sql, tenancy, endpointId) => {
    const other = await createTenancy(sql);
    const notFound = { outcome: "not_found" };
    assert.deepEqual(await update(sql, other, endpointId, { status: "disabled" }), notFound);
    assert.deepEqual(await rotate(sql, other, endpointId, OTHER_SECRET, NOW), notFound);
    assert.deepEqual(await replay(sql, other, endpointId, { since: NOW }), notFound);
    const [row] = await sql`
      select switchyard_api.delete_callback(${other.tenantId}, ${endpointId}, '{}') as answer`;
    assert.deepEqual(row!.answer, notFound);
    const listed = await sql`select * from switchyard_api.list_callbacks(${other.tenantId})`;
    assert.equal(listed.length, 0);
    assert.deepEqual(await secretsSigning(sql, tenancy, NOW), [SECRET]);
  }));

Deno.test("list_callbacks() tells how an endpoint does and how much waits for it", () =>
  withEndpoint(async (sql, tenancy, endpointId) => {
    await emit(sql, [1, 2, 3].map((n) => anEvent(tenancy, { data: { n } })), NOW);
    const failure = { cause: "timeout" };
    const failed = () => ({ outcome: "failed", due_at: later(HOUR_MS), failure });
    await settleCallbacks(sql, await claimCallbacks(sql, NOW), failed, NOW);
    const [row] = await sql`select * from switchyard_api.list_callbacks(${tenancy.tenantId})`;
    const { id, status, failures, failing_since, last_failure, waiting } = row!;
    assert.deepEqual([id, status, failures, waiting], [endpointId, "active", 1, 3]);
    assert.equal(failing_since.getTime(), NOW.getTime());
    assert.equal(last_failure.cause, "timeout");
  }));

Deno.test("another address is tried at once, and other events alone change nothing of the way", () =>
  withEndpoint(async (sql, tenancy, endpointId) => {
    await emit(sql, [anEvent(tenancy)], NOW);
    const failed = () => ({
      outcome: "failed",
      due_at: later(HOUR_MS),
      failure: { cause: "timeout" },
    });
    await settleCallbacks(sql, await claimCallbacks(sql, NOW), failed, NOW);
    await sql`
      select switchyard_api.hold_callbacks(${sql.json([endpointId])}, ${later(HOUR_MS)})`;
    const events = ["message.status", "wallet.low"];
    const kept = await update(sql, tenancy, endpointId, { events }, later(1));
    assert.deepEqual(kept, { outcome: "updated", starts_anew: false });
    assert.deepEqual(await claimCallbacks(sql, later(2)), []);
    const moved = await update(sql, tenancy, endpointId, { url: "https://example.org/" }, later(3));
    assert.deepEqual(moved, { outcome: "updated", starts_anew: true });
    const [claimed] = await claimCallbacks(sql, later(4));
    assert.equal(claimed!.url, "https://example.org/");
  }));

Deno.test("a replay sends the events of a time again under their ids, in order, and no others", () =>
  withEndpoint(async (sql, tenancy, endpointId) => {
    await update(sql, tenancy, endpointId, { events: ["message.status", "wallet.low"] });
    for (const n of [0, 1, 2, 3]) {
      await emit(sql, [anEvent(tenancy, { data: { n } })], later(n * 1_000));
    }
    await emit(sql, [anEvent(tenancy, { type: "wallet.low", data: { n: "low" } })], later(1_500));
    const first = await deliverAll(sql, later(10_000));
    const filter = {
      since: later(1_000).toISOString(),
      until: later(3_000).toISOString(),
      types: ["message.status"],
    };
    const counted = await replay(sql, tenancy, endpointId, filter, { dryRun: true });
    assert.deepEqual(counted, { outcome: "counted", events: 2, next_since: null });
    assert.deepEqual(await deliverAll(sql, later(HOUR_MS)), []);

    const replayed = await replay(sql, tenancy, endpointId, filter);
    assert.deepEqual(replayed, { outcome: "replayed", events: 2, next_since: null });
    const again = await deliverAll(sql, later(HOUR_MS));
    assert.deepEqual(again.map(({ n }) => n), [1, 2]);
    const idOf = (n: unknown) => first.find((told) => told.n === n)!.event_id;
    assert.deepEqual(again.map(({ event_id }) => event_id), [idOf(1), idOf(2)]);
  }));

Deno.test("a replay does not double what is still to be delivered, nor itself", () =>
  withEndpoint(async (sql, tenancy, endpointId) => {
    await emit(sql, [1, 2].map((n) => anEvent(tenancy, { data: { n } })), NOW);
    const claims = await claimCallbacks(sql, NOW);
    await settleCallbacks(sql, claims, () => ({ outcome: "delivered" }), NOW);
    const since = { since: NOW.toISOString() };
    assert.equal((await replay(sql, tenancy, endpointId, since)).events, 1);
    assert.equal((await replay(sql, tenancy, endpointId, since)).events, 0);
    assert.deepEqual((await deliverAll(sql, later(HOUR_MS))).map(({ n }) => n), [2, 1]);
  }));

Deno.test("a replay takes 10,000 events at most and says where the next one begins", () =>
  withEndpoint(async (sql, tenancy, endpointId) => {
    await sql`
      insert into switchyard.callback_events (tenant_id, type, order_key, payload, created_at)
      select ${tenancy.tenantId}, 'message.status', n::text, '{}',
        ${NOW}::timestamptz + n * interval '1 second'
      from generate_series(0, 10003) n`;
    const first = await replay(sql, tenancy, endpointId, { since: NOW.toISOString() });
    assert.equal(first.events, 10_000);
    assert.equal(new Date(first.next_since).getTime(), later(10_000_000).getTime());
    const rest = await replay(sql, tenancy, endpointId, { since: first.next_since });
    assert.deepEqual(rest, { outcome: "replayed", events: 4, next_since: null });
  }));

Deno.test("every change of an endpoint is in the audit log of its tenant", () =>
  withEndpoint(async (sql, tenancy, endpointId) => {
    await emit(sql, [anEvent(tenancy)], NOW);
    await deliverAll(sql, NOW);
    await update(sql, tenancy, endpointId, { status: "disabled" });
    await rotate(sql, tenancy, endpointId, OTHER_SECRET, NOW);
    await replay(sql, tenancy, endpointId, { since: NOW.toISOString() });
    await sql`select switchyard_api.delete_callback(${tenancy.tenantId}, ${endpointId}, '{}')`;
    const rows = await sql`
      select action from switchyard.audit_log
      where tenant_id = ${tenancy.tenantId} and target = ${endpointId} order by id`;
    assert.deepEqual(rows.map(({ action }) => action), [
      "callback.created",
      "callback.updated",
      "callback.secret_rotated",
      "callback.replayed",
      "callback.deleted",
    ]);
  }));
