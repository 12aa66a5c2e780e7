import { strict as assert } from "node:assert";

import { createDatabase, type Sql } from "../support/database.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const NOW = new Date("2026-11-22T12:00:00Z");

async function inFreshDatabase(test: (sql: Sql) => Promise<void>): Promise<void> {
  await using database = await createDatabase();
  await test(database.sql);
}

async function addEndpoint(
  sql: Sql,
  tenancy: Tenancy,
  overrides: { events?: string[]; status?: string } = {},
): Promise<string> {
  const [row] = await sql`
    insert into switchyard.callback_endpoints (tenant_id, url, events, status, secret_id)
    values (${tenancy.tenantId}, 'https://example.com', ${overrides.events ?? ["message.status"]},
      ${overrides.status ?? "active"}, gen_random_uuid())
    returning id`;
  return row!.id;
}

function anItem(tenancy: Tenancy, overrides: Record<string, unknown> = {}) {
  return {
    tenant_id: tenancy.tenantId,
    type: "message.status",
    order_key: "a line",
    data: { status: "sent" },
    ...overrides,
  };
}

async function emit(sql: Sql, ...items: ReturnType<typeof anItem>[]): Promise<void> {
  await sql`select switchyard.emit_callbacks(${sql.json(items as never)}, ${NOW})`;
}

async function deliveries(sql: Sql) {
  const rows = await sql`
    select d.endpoint_id, d.event_id, d.order_key, e.type, e.payload from switchyard.callback_deliveries d
    join switchyard.callback_events e on e.id = d.event_id order by d.id`;
  return rows.map((row) => ({ ...row }));
}

Deno.test("emit_callbacks() writes one delivery for each endpoint that wants the type, in order", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    const wants = await addEndpoint(sql, tenancy);
    await addEndpoint(sql, tenancy, { events: ["wallet.low"] });
    const paused = await addEndpoint(sql, tenancy, { status: "paused" });
    await emit(sql, anItem(tenancy), anItem(tenancy, { order_key: null, data: { n: 2 } }));

    const rows = await deliveries(sql);
    assert.deepEqual(rows.map((row) => row.endpoint_id), [wants, paused, wants, paused]);
    const told = rows.map((row) => row.payload);
    assert.deepEqual(told, [{ status: "sent" }, { status: "sent" }, { n: 2 }, { n: 2 }]);
    assert.equal(rows[0]!.order_key, "a line");
    assert.equal(rows[2]!.order_key, rows[2]!.event_id, "without an order key it waits for nobody");
  }));

Deno.test("emit_callbacks() writes nothing for a tenant without an endpoint, or with a disabled one", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    const neighbour = await createTenancy(sql);
    await addEndpoint(sql, neighbour);
    await addEndpoint(sql, tenancy, { status: "disabled" });
    await addEndpoint(sql, tenancy, { status: "removed" });
    await emit(sql, anItem(tenancy));
    assert.deepEqual(await deliveries(sql), []);
    const [row] = await sql`select count(*)::integer as events from switchyard.callback_events`;
    assert.equal(row!.events, 0);
  }));

Deno.test("emit_callbacks() tells what has a key once, within a call and after it", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await addEndpoint(sql, tenancy);
    await emit(sql, anItem(tenancy, { key: "m1:sent" }), anItem(tenancy, { key: "m1:sent" }));
    await emit(sql, anItem(tenancy, { key: "m1:sent" }), anItem(tenancy, { key: "m1:read" }));
    assert.equal((await deliveries(sql)).length, 2);
  }));
