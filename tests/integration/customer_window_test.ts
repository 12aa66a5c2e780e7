import { strict as assert } from "node:assert";

import { type Sql, withDatabase } from "../support/database.ts";
import { anEvent, apply, claimEvents, store } from "../support/inbound.ts";
import { NOW } from "../support/now.ts";
import { anItem } from "../support/outbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const HOUR_MS = 3_600_000;
const CUSTOMER = "+15550200001";

function ago(ms: number): Date {
  return new Date(NOW.getTime() - ms);
}

/** Lets a customer write to the tenancy's sender. */
async function receive(sql: Sql, tenancy: Tenancy, at: Date, phone: string | null = CUSTOMER) {
  await store(sql, [anEvent(tenancy, { kind: "message" })]);
  const [applied] = await apply(sql, await claimEvents(sql, 10), () => ({
    action: "message",
    wamid: `wamid.${at.getTime()}`,
    type: "text",
    content: { text: { body: "hello" } },
    at: at.toISOString(),
    phone,
    user_id: "US.1",
    name: null,
  }));
  assert.equal(applied, true);
}

interface Closed {
  index: number;
  closed_at: Date;
}

/** Which of these messages the customer service window does not allow. */
async function findClosed(
  sql: Sql,
  tenancy: Tenancy,
  overrides: Record<string, unknown>[],
): Promise<Closed[]> {
  const items = overrides.map((one, index) => ({
    ...anItem(tenancy, one),
    index,
    sender_id: one.sender_id ?? tenancy.senderId,
  }));
  const rows = await sql<Closed[]>`
    select * from switchyard.closed_windows(
      ${tenancy.tenantId}, ${sql.json(items as never)}, ${NOW}) order by index`;
  return rows.map(({ index, closed_at }) => ({ index, closed_at }));
}

Deno.test("a window closes 24 hours after the customer last wrote", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await receive(sql, tenancy, ago(24 * HOUR_MS));
    assert.deepEqual(await findClosed(sql, tenancy, [{}]), [{ index: 0, closed_at: NOW }]);
    await receive(sql, tenancy, ago(24 * HOUR_MS - 1_000));
    assert.deepEqual(await findClosed(sql, tenancy, [{}]), []);
  }));

Deno.test("a closed window says when it closed, for free-form messages alone", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await receive(sql, tenancy, ago(30 * HOUR_MS));
    const types = ["text", "template", "image", "interactive", "read", "reaction", "location"];
    const closed = await findClosed(sql, tenancy, types.map((type) => ({ type })));
    assert.deepEqual(closed.map(({ index }) => types[index]), [
      "text",
      "image",
      "interactive",
      "reaction",
      "location",
    ]);
    assert.deepEqual(closed[0]!.closed_at, ago(6 * HOUR_MS));
  }));

Deno.test("the window of a customer who never wrote to this sender is not known to be closed", () =>
  withDatabase(async ({ sql }) => {
    const [ours, theirs] = [await createTenancy(sql), await createTenancy(sql)];
    await receive(sql, ours, ago(30 * HOUR_MS));
    assert.deepEqual(await findClosed(sql, theirs, [{}]), []);
    assert.deepEqual(await findClosed(sql, ours, [{ to: "+15550200002" }]), []);
    await receive(sql, theirs, ago(1 * HOUR_MS));
    assert.equal((await findClosed(sql, ours, [{}])).length, 1);
    assert.deepEqual(await findClosed(sql, theirs, [{}]), []);
  }));

Deno.test("a customer without a phone number has a window of their own, by their id", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await receive(sql, tenancy, ago(30 * HOUR_MS), null);
    const closed = await findClosed(sql, tenancy, [{ to: "US.1" }, { to: "US.2" }, {}]);
    assert.deepEqual(closed, [{ index: 0, closed_at: ago(6 * HOUR_MS) }]);
    await receive(sql, tenancy, ago(1 * HOUR_MS), null);
    assert.deepEqual(await findClosed(sql, tenancy, [{ to: "US.1" }]), []);
  }));

Deno.test("each sender of a tenant has its own window with one customer", () =>
  withDatabase(async ({ sql }) => {
    const first = await createTenancy(sql);
    const { tenantId } = first;
    const sender = {
      phone_number_id: "55500999",
      business_account_id: first.businessAccountId,
      display_phone_number: "+1 555 010 0002",
      access_token: "another-token",
    };
    const [added] = await sql`
      select switchyard_api.add_sender(${tenantId}, ${sql.json(sender)}, '{"kind":"secret"}')
        ->> 'id' as id`;
    const second = { ...first, senderId: added!.id, phoneNumberId: sender.phone_number_id };
    await receive(sql, first, ago(30 * HOUR_MS));
    await receive(sql, second, ago(2 * HOUR_MS));
    const closed = await findClosed(sql, first, [{}, { sender_id: second.senderId }]);
    assert.deepEqual(closed.map(({ index }) => index), [0]);
  }));

Deno.test("a sender of another tenant tells nothing about its customers", () =>
  withDatabase(async ({ sql }) => {
    const [ours, theirs] = [await createTenancy(sql), await createTenancy(sql)];
    await receive(sql, ours, ago(30 * HOUR_MS));
    assert.deepEqual(await findClosed(sql, theirs, [{ sender_id: ours.senderId }]), []);
  }));

Deno.test("an item without a sender is passed over", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await receive(sql, tenancy, ago(30 * HOUR_MS));
    const items = [{ ...anItem(tenancy), index: 0, sender_id: null }];
    const rows = await sql`
      select * from switchyard.closed_windows(
        ${tenancy.tenantId}, ${sql.json(items as never)}, ${NOW})`;
    assert.deepEqual([...rows], []);
  }));

Deno.test("a window that is open now is open, whenever the message is to go", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await receive(sql, tenancy, ago(23 * HOUR_MS));
    const send_at = new Date(NOW.getTime() + 2 * HOUR_MS).toISOString();
    assert.deepEqual(await findClosed(sql, tenancy, [{ send_at }]), []);
  }));

Deno.test("a number that was called within a day has no window that is known to be closed", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await receive(sql, tenancy, ago(60 * HOUR_MS));
    const call = anEvent(tenancy, { kind: "account", field: "calls" });
    const storeAt = (at: Date) =>
      sql`select * from switchyard_api.store_events(${sql.json([call] as never)}, ${at})`;
    await storeAt(ago(25 * HOUR_MS));
    assert.equal((await findClosed(sql, tenancy, [{}])).length, 1);
    call.key = "f".repeat(64);
    await storeAt(ago(23 * HOUR_MS));
    assert.deepEqual(await findClosed(sql, tenancy, [{}]), []);
  }));

Deno.test("a thousand windows are found by the index, however many conversations there are", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await sql`
      insert into switchyard.conversations
        (tenant_id, sender_id, customer_phone, last_inbound_at)
      select ${tenancy.tenantId}, ${tenancy.senderId}, '+1555' || 1000000 + n,
        ${NOW}::timestamptz - n * interval '1 minute'
      from generate_series(1, 20000) n`;
    const items = Array.from({ length: 1_000 }, (_, n) => ({ to: `+1555${1_001_000 + n}` }));
    const scanned = async (transaction: Sql) => {
      const [row] = await transaction`
        select pg_stat_get_xact_tuples_returned('switchyard.conversations'::regclass) as rows`;
      return row!.rows;
    };
    await sql.begin(async (begun) => {
      const transaction = begun as unknown as Sql;
      const found = await findClosed(transaction, tenancy, items);
      assert.equal(found.length, 560);
      assert.equal(await scanned(transaction), 0);
    });
  }));
