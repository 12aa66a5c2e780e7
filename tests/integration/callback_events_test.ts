import { strict as assert } from "node:assert";

import { addEndpoint, anEvent, emit } from "../support/callbacks.ts";
import { type Sql, withDatabase } from "../support/database.ts";
import { NOW } from "../support/now.ts";
import { createTenancy } from "../support/tenancy.ts";

async function stop(sql: Sql, endpointId: string, status: string): Promise<void> {
  await sql`update switchyard.callback_endpoints set status = ${status} where id = ${endpointId}`;
}

async function deliveries(sql: Sql) {
  const rows = await sql`
    select d.endpoint_id, d.event_id, d.order_key, e.type, e.payload from switchyard.callback_deliveries d
    join switchyard.callback_events e on e.id = d.event_id order by d.id`;
  return rows.map((row) => ({ ...row }));
}

Deno.test("emit_callbacks() writes one delivery for each endpoint that wants the type, in order", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const wants = await addEndpoint(sql, tenancy);
    await addEndpoint(sql, tenancy, { events: ["wallet.low"] });
    const paused = await addEndpoint(sql, tenancy);
    await stop(sql, paused, "paused");
    const alone = anEvent(tenancy, { order_key: null, data: { n: 2 } });
    await emit(sql, [anEvent(tenancy), alone], NOW);

    const rows = await deliveries(sql);
    assert.deepEqual(rows.map((row) => row.endpoint_id), [wants, paused, wants, paused]);
    const told = rows.map((row) => row.payload);
    assert.deepEqual(told, [{ status: "sent" }, { status: "sent" }, { n: 2 }, { n: 2 }]);
    assert.equal(rows[0]!.order_key, "a line");
    assert.equal(rows[2]!.order_key, rows[2]!.event_id, "without an order key it waits for nobody");
  }));

Deno.test("emit_callbacks() writes nothing for a tenant without an endpoint, or with a disabled one", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const neighbour = await createTenancy(sql);
    await addEndpoint(sql, neighbour);
    await stop(sql, await addEndpoint(sql, tenancy), "disabled");
    await stop(sql, await addEndpoint(sql, tenancy), "removed");
    await emit(sql, [anEvent(tenancy)], NOW);
    assert.deepEqual(await deliveries(sql), []);
    const [row] = await sql`select count(*)::integer as events from switchyard.callback_events`;
    assert.equal(row!.events, 0);
  }));

Deno.test("emit_callbacks() tells what has a key once, within a call and after it", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await addEndpoint(sql, tenancy);
    const sent = anEvent(tenancy, { key: "m1:sent" });
    await emit(sql, [sent, sent], NOW);
    await emit(sql, [sent, anEvent(tenancy, { key: "m1:read" })], NOW);
    assert.equal((await deliveries(sql)).length, 2);
  }));
