import { strict as assert } from "node:assert";

import { createDatabase, type Sql } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { anEvent, apply, claimEvents, store } from "../support/inbound.ts";
import { accepted, anItem, claim, enqueue, readMessages, settle } from "../support/outbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const NOW = new Date("2026-11-22T12:00:00Z");
const later = (ms: number) => new Date(NOW.getTime() + ms);

async function untilBlocked(sql: Sql, count: number): Promise<void> {
  await eventually(
    async () => {
      const [row] = await sql`
        select count(*)::integer as blocked from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return row!.blocked;
    },
    (blocked) => blocked === count,
  );
}

Deno.test("a message that falls due while one of its pair is settled does not overtake the next", async () => {
  await using database = await createDatabase();
  const { sql, connect } = database;
  const tenancy = await createTenancy(sql, { throughputPerSecond: 1000 });
  const [first, second] = await enqueue(sql, tenancy, [anItem(tenancy), anItem(tenancy)], NOW);
  const [claimed] = await claim(sql, 10, later(1_000));
  assert.equal(claimed!.id, first!.id);
  await claim(sql, 10, later(1_000)); // the second one waits its turn
  await enqueue(sql, tenancy, [anItem(tenancy)], later(2_000));

  const [settling, claiming] = [connect(), connect()];
  let claims: Promise<{ id: string }[]> = Promise.resolve([]);
  await settling.begin(async (transaction) => {
    await settle(transaction as unknown as Sql, [claimed!], accepted, later(3_000));
    claims = claim(claiming, 10, later(3_000));
    await untilBlocked(sql, 1).catch(() => {}); // or it does not wait at all
  });
  const got = [...await claims, ...await claim(sql, 10, later(3_000))];
  assert.deepEqual(got.map(({ id }) => id), [second!.id]);
});

function aStatus(tenancy: Tenancy, status: string, messageId: string) {
  return anEvent(tenancy, {
    payload: {
      status: {
        id: "wamid.1",
        status,
        timestamp: "1763812800",
        biz_opaque_callback_data: messageId,
      },
    },
  });
}

Deno.test("two workers that apply statuses of one message wait for each other's end only", async () => {
  await using database = await createDatabase();
  const { sql, connect } = database;
  const tenancy = await createTenancy(sql);
  await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
  const [message] = await readMessages(sql, tenancy);
  await store(sql, [aStatus(tenancy, "sent", message!.id), aStatus(tenancy, "read", message!.id)]);
  const [sent] = await claimEvents(sql, 1);
  const [read] = await claimEvents(sql, 1);
  const [holder, one, two] = [connect(), connect(), connect()];
  const effect = (status: string) => () => ({
    action: "status",
    message_id: message!.id,
    wamid: "wamid.1",
    status,
    at: NOW.toISOString(),
  });
  let applied: Promise<boolean[][]> = Promise.resolve([]);
  await holder.begin(async (transaction) => {
    await transaction`
      select from switchyard.messages where id = ${message!.id} for no key update`;
    applied = Promise.all([
      apply(one, [sent!], effect("sent")),
      apply(two, [read!], effect("read")),
    ]);
    applied.catch(() => {});
    await untilBlocked(sql, 2);
  });
  assert.deepEqual(await applied, [[true], [true]]);
});

Deno.test("a message whose status has come but is not applied yet is not sent again", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  const tenancy = await createTenancy(sql);
  await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
  const claims = await claim(sql, 10, NOW);
  const unknown_until = later(60_000).toISOString();
  await settle(sql, claims, () => ({ outcome: "unknown", unknown_until }), later(100));
  await store(sql, [aStatus(tenancy, "sent", claims[0]!.id)]);
  await sql`update switchyard.inbound_events set received_at = ${later(59_000)}`;
  await claimEvents(sql, 10); // by a worker that dies; the event is free again after its lease
  await sql`select switchyard.tick(${later(61_000)})`;
  assert.deepEqual(await claim(sql, 10, later(62_000)), []);
});

Deno.test("urgent messages that wait behind one whose outcome becomes unknown go on, the first one first", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  const tenancy = await createTenancy(sql, { throughputPerSecond: 1000 });
  const urgent = () => anItem(tenancy, { lane: "urgent" });
  const [, second] = await enqueue(sql, tenancy, [urgent(), urgent(), urgent()], NOW);
  const claims = await claim(sql, 10, later(1_000)); // the others wait their turn
  const unknown_until = later(61_000).toISOString();
  await settle(sql, claims, () => ({ outcome: "unknown", unknown_until }), later(1_100));
  assert.deepEqual((await claim(sql, 10, later(1_200))).map(({ id }) => id), [second!.id]);
});

Deno.test("an urgent message that is posted later does not overtake those that waited", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  const tenancy = await createTenancy(sql, { throughputPerSecond: 1000 });
  const urgent = () => anItem(tenancy, { lane: "urgent" });
  const [, second] = await enqueue(sql, tenancy, [urgent(), urgent()], NOW);
  const claims = await claim(sql, 10, later(1_000));
  const unknown_until = later(61_000).toISOString();
  await settle(sql, claims, () => ({ outcome: "unknown", unknown_until }), later(1_100));
  await enqueue(sql, tenancy, [urgent()], later(1_200));
  assert.deepEqual((await claim(sql, 10, later(2_000))).map(({ id }) => id), [second!.id]);
});

Deno.test("a message that was read shows no error of the call whose answer never came", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  const tenancy = await createTenancy(sql);
  await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
  const claims = await claim(sql, 10, NOW);
  await store(sql, [aStatus(tenancy, "read", claims[0]!.id)]);
  await apply(sql, await claimEvents(sql, 10), () => ({
    action: "status",
    message_id: claims[0]!.id,
    wamid: "wamid.1",
    status: "read",
    at: NOW.toISOString(),
  }));
  const unknown = {
    outcome: "unknown",
    unknown_until: later(60_000).toISOString(),
    error: { cause: "timeout", title: "No answer came" },
  };
  await settle(sql, claims, () => unknown, later(10_000));
  const [row] = await sql`
    select status, failure, unknown_until from switchyard.messages`;
  assert.deepEqual({ ...row }, { status: "read", failure: null, unknown_until: null });
});

Deno.test("a claim waits for no lane that somebody else is changing", async () => {
  await using database = await createDatabase();
  const { sql, connect } = database;
  const tenancy = await createTenancy(sql);
  const [first] = await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
  const claiming = connect();
  await claiming`set lock_timeout = '1s'`;
  await connect().begin(async (settling) => {
    await settling`
      select from switchyard.sender_lanes where sender_id = ${tenancy.senderId} for update`;
    const [claimed] = await claim(claiming, 10, NOW);
    assert.equal(claimed!.id, first!.id);
  });
  // The head was left early, and is put right by the next one.
  assert.deepEqual(await claim(sql, 10, later(1_000)), []);
  const heads = await sql`select from switchyard.sender_lanes where head_due_at < 'infinity'`;
  assert.equal(heads.length, 0);
});

Deno.test("a settle locks all its lanes in one order, so that two of them never wait for each other", async () => {
  await using database = await createDatabase();
  const { sql, connect } = database;
  const tenancies = [await createTenancy(sql), await createTenancy(sql)];
  const [low, high] = tenancies.toSorted((a, b) => a.senderId < b.senderId ? -1 : 1);
  // Of the low sender one ends and the next of its pair comes forward; that of the high one goes back.
  await enqueue(sql, low!, [anItem(low!), anItem(low!)], NOW);
  const [back] = await enqueue(sql, high!, [anItem(high!)], NOW);
  const claims = await claim(sql, 10, later(1_000));
  assert.equal(claims.length, 2);
  const retry = { outcome: "retry", due_at: later(2_000).toISOString(), error: {} };
  let settling: Promise<boolean[]> = Promise.resolve([]);
  await connect().begin(async (holding) => {
    await holding`
      select from switchyard.sender_lanes where sender_id = ${low!.senderId} for update`;
    const outcomeOf = (it: (typeof claims)[number]) => it.id === back!.id ? retry : accepted(it);
    settling = settle(connect(), claims, outcomeOf, later(1_000));
    await untilBlocked(sql, 1);
    await sql`
      select from switchyard.sender_lanes where sender_id = ${high!.senderId} for update nowait`;
  });
  assert.deepEqual(await settling, [true, true]);
});
