import { strict as assert } from "node:assert";

import { type Sql, withDatabase } from "../support/database.ts";
import { anEvent, apply, type ClaimedRow, claimEvents, store } from "../support/inbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const START = Date.parse("2026-11-22T12:00:00Z");

/** The nth message of a customer, in the order of Meta's time. */
function aMessage(tenancy: Tenancy, from: string, nth: number, overrides = {}) {
  return anEvent(tenancy, {
    kind: "message",
    event_at: new Date(START + nth * 1_000).toISOString(),
    payload: { nth, message: { from } },
    ...overrides,
  });
}

async function nthOf(sql: Sql, claimed: ClaimedRow[]): Promise<number[]> {
  const rows = await sql`
    select id, payload ->> 'nth' as nth from switchyard.inbound_events
    where id = any (${claimed.map(({ id }) => id)})`;
  const byId = new Map(rows.map(({ id, nth }) => [id, Number(nth)]));
  return claimed.map(({ id }) => byId.get(id)!);
}

function write(sql: Sql, claimed: ClaimedRow[], phone: string): Promise<boolean[]> {
  return apply(sql, claimed, ({ id }) => ({
    action: "message",
    wamid: `wamid.${id}`,
    phone,
    user_id: null,
    name: null,
    type: "text",
    content: {},
    at: new Date(START).toISOString(),
  }));
}

Deno.test("a conversation is with one worker at a time, others go on with other conversations", () =>
  withDatabase(async ({ sql, connect }) => {
    const tenancy = await createTenancy(sql);
    const [ann, bob] = ["15550200001", "15550200002"];
    await store(sql, [aMessage(tenancy, ann, 1), aMessage(tenancy, ann, 2)]);
    const first = await claimEvents(connect(), 1);
    assert.deepEqual(await nthOf(sql, first), [1]);
    await store(sql, [aMessage(tenancy, bob, 3)]);
    const other = connect();
    assert.deepEqual(await nthOf(sql, await claimEvents(other, 10)), [3]);
    assert.deepEqual(await claimEvents(other, 10), []);
    await write(sql, first, `+${ann}`);
    assert.deepEqual(await nthOf(sql, await claimEvents(other, 10)), [2]);
  }));

Deno.test("a claim begins with what is earliest in the conversation, not in the queue", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    for (const nth of [5, 2, 9, 1]) await store(sql, [aMessage(tenancy, "15550200001", nth)]);
    assert.deepEqual(await nthOf(sql, await claimEvents(sql, 1)), [1]);
    assert.deepEqual(await nthOf(sql, await claimEvents(sql, 9)), []);
  }));

Deno.test("messages of one second are applied in the order in which they came", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const event_at = new Date(START).toISOString();
    const album = Array.from({ length: 10 }, (_, nth) => {
      const key = (99 - nth).toString().padStart(64, "f");
      return aMessage(tenancy, "15550200001", nth, { event_at, key });
    });
    await store(sql, album.slice(0, 6));
    await store(sql, album);
    const inOrder = album.map((_, nth) => nth);
    assert.deepEqual(await nthOf(sql, await claimEvents(sql, 10)), inOrder);
  }));

Deno.test("the same customer of two senders has two conversations that do not wait", () =>
  withDatabase(async ({ sql }) => {
    const [one, two] = [await createTenancy(sql), await createTenancy(sql)];
    await store(sql, [aMessage(one, "15550200001", 1), aMessage(two, "15550200001", 2)]);
    await claimEvents(sql, 1);
    assert.equal((await claimEvents(sql, 10)).length, 1);
  }));

Deno.test("a worker that died keeps its conversation until its lease ends", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [aMessage(tenancy, "15550200001", 1), aMessage(tenancy, "15550200001", 2)]);
    await claimEvents(sql, 1);
    assert.deepEqual(await claimEvents(sql, 10), []);
    await sql`update switchyard.inbound_events set lease_expires_at = now() - interval '1 s'`;
    await sql`update pgmq.q_wa_inbound set vt = now() - interval '1 s'`;
    assert.deepEqual(await nthOf(sql, await claimEvents(sql, 10)), [1, 2]);
  }));

Deno.test("an event that is to be tried again lets those behind it go", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [aMessage(tenancy, "15550200001", 1), aMessage(tenancy, "15550200001", 2)]);
    const first = await claimEvents(sql, 1);
    await apply(sql, first, () => ({ action: "retry", delay_seconds: 60, reason: "x" }));
    assert.deepEqual(await nthOf(sql, await claimEvents(sql, 10)), [2]);
  }));

Deno.test("messages of one conversation are applied in their order by many workers", () =>
  withDatabase(async ({ sql, connect }) => {
    const tenancy = await createTenancy(sql);
    const customers = ["15550200001", "15550200002", "15550200003"];
    const events = customers.flatMap((from) =>
      Array.from({ length: 40 }, (_, nth) => aMessage(tenancy, from, nth))
    );
    // The worst order: every batch of the queue has the latest of what is left.
    await store(sql, events.toReversed());
    let left = events.length;
    await Promise.all(Array.from({ length: 4 }, async () => {
      const own = connect();
      while (left > 0) {
        const claimed = await claimEvents(own, 7);
        const nths = await nthOf(own, claimed);
        const applied = await apply(own, claimed, ({ id }) => ({
          action: "message",
          wamid: `wamid.${id}`,
          phone: null,
          user_id: "all",
          name: null,
          type: "text",
          content: {},
          at: new Date(START + nths[claimed.findIndex((one) => one.id === id)]! * 1_000)
            .toISOString(),
        }));
        left -= applied.filter(Boolean).length;
      }
    }));
    for (const from of customers) {
      const rows = await sql`
        select (e.payload ->> 'nth')::integer as nth
        from switchyard.conversation_events c
        join switchyard.inbound_events e on e.id = c.inbound_event_id
        where e.payload -> 'message' ->> 'from' = ${from}
        order by c.id`;
      assert.deepEqual(rows.map(({ nth }) => nth), Array.from({ length: 40 }, (_, nth) => nth));
    }
  }));

Deno.test("a claim reads its own conversations, however many others wait and whatever statistics say", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await sql`
      insert into switchyard.inbound_events
        (event_key, kind, state, tenant_id, field, payload, processed_at)
      select sha256(n::text::bytea), 'status', 'applied', ${tenancy.tenantId}, 'messages', '{}', now()
      from generate_series(1, 20000) n`;
    await sql`vacuum analyze switchyard.inbound_events`;
    for (let customer = 0; customer < 3_000; customer += 1_000) {
      await store(
        sql,
        Array.from(
          { length: 1_000 },
          (_, nth) => aMessage(tenancy, `1555${1_000_000 + customer + nth}`, nth),
        ),
      );
    }
    const read = async (transaction: Sql) => {
      const [row] = await transaction`
        select pg_stat_get_xact_tuples_returned('switchyard.inbound_events_turns'::regclass)
          + pg_stat_get_xact_tuples_returned('switchyard.inbound_events'::regclass) as rows`;
      return Number(row!.rows);
    };
    await sql.begin(async (begun) => {
      const transaction = begun as unknown as Sql;
      assert.equal((await claimEvents(transaction, 100)).length, 100);
      assert.ok(await read(transaction) < 1_000, `${await read(transaction)} rows`);
    });
  }));

Deno.test("what came while Meta's own agent held the thread is kept and marked", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [
      aMessage(tenancy, "15550200001", 1),
      aMessage(tenancy, "15550200001", 2, { field: "standby" }),
    ]);
    await write(sql, await claimEvents(sql, 10), "+15550200001");
    const rows = await sql`select is_standby from switchyard.conversation_events order by id`;
    assert.deepEqual(rows.map(({ is_standby }) => is_standby), [false, true]);
  }));
