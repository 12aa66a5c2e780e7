/** Of one recipient's messages an urgent one waits for nothing but a call that is under way. */
import { strict as assert } from "node:assert";

import fc from "fast-check";

import { createDatabase, type Sql } from "../support/database.ts";
import { accepted, anItem, type Claim, claim, enqueue, settle } from "../support/outbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const NOW = new Date("2026-11-22T12:00:00Z");
const later = (ms: number) => new Date(NOW.getTime() + ms);
const idsOf = (claims: { id: string | null }[]) => claims.map(({ id }) => id);

async function inTenancy(test: (sql: Sql, tenancy: Tenancy) => Promise<void>): Promise<void> {
  await using database = await createDatabase();
  await test(database.sql, await createTenancy(database.sql, { throughputPerSecond: 1000 }));
}

const anUrgent = (tenancy: Tenancy) => anItem(tenancy, { lane: "urgent" });

const putOff = {
  "a limit put off": { outcome: "deferred", waiting_for: "limit:tenant" },
  "a breaker held back": { outcome: "deferred", waiting_for: "breaker:app" },
  "Meta was too busy for": { outcome: "retry", error: { cause: "overloaded" } },
};

for (const [what, outcome] of Object.entries(putOff)) {
  const settled = () => ({ ...outcome, due_at: later(60_000).toISOString() });

  Deno.test(`an urgent message does not wait for one of its pair that ${what}, nor loses that one its place`, () =>
    inTenancy(async (sql, tenancy) => {
      const [first, second] = await enqueue(sql, tenancy, [anItem(tenancy), anItem(tenancy)], NOW);
      await settle(sql, await claim(sql, 10, later(1000)), settled, later(1000));
      const [urgent] = await enqueue(sql, tenancy, [anUrgent(tenancy)], later(2000));
      const claimed = await claim(sql, 10, later(2000));
      assert.deepEqual(idsOf(claimed), [urgent!.id]);
      await settle(sql, claimed, accepted, later(3000));
      assert.deepEqual(await claim(sql, 10, later(59_999)), []);
      const returned = await claim(sql, 10, later(60_000));
      assert.deepEqual(idsOf(returned), [first!.id]);
      await settle(sql, returned, accepted, later(60_000));
      assert.deepEqual(idsOf(await claim(sql, 10, later(60_001))), [second!.id]);
    }));

  Deno.test(`an urgent message that waited for a call goes when ${what} is what came of it`, () =>
    inTenancy(async (sql, tenancy) => {
      await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
      const claimed = await claim(sql, 10, NOW);
      const [urgent] = await enqueue(sql, tenancy, [anUrgent(tenancy)], later(1000));
      assert.deepEqual(await claim(sql, 10, later(1000)), [], "one of a pair at a time");
      await settle(sql, claimed, settled, later(2000));
      assert.deepEqual(idsOf(await claim(sql, 10, later(2000))), [urgent!.id]);
    }));
}

Deno.test("of two messages of a pair that are due the urgent one goes first", () =>
  inTenancy(async (sql, tenancy) => {
    const [, urgent] = await enqueue(sql, tenancy, [anItem(tenancy), anUrgent(tenancy)], NOW);
    assert.deepEqual(idsOf(await claim(sql, 10, later(1000))), [urgent!.id]);
  }));

Deno.test("an urgent message waits for an urgent one of its pair that was put off", () =>
  inTenancy(async (sql, tenancy) => {
    await enqueue(sql, tenancy, [anUrgent(tenancy)], NOW);
    const due_at = later(60_000).toISOString();
    await settle(sql, await claim(sql, 1, NOW), () => ({ outcome: "retry", due_at }), NOW);
    await enqueue(sql, tenancy, [anUrgent(tenancy)], NOW);
    assert.deepEqual(await claim(sql, 10, later(1000)), []);
  }));

Deno.test("a message that gave way and turns out to be sent comes forward no more", () =>
  inTenancy(async (sql, tenancy) => {
    const [first] = await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const due_at = later(60_000).toISOString();
    await settle(sql, await claim(sql, 10, NOW), () => ({ outcome: "retry", due_at }), NOW);
    await enqueue(sql, tenancy, [anUrgent(tenancy)], later(1000));
    const urgent = await claim(sql, 10, later(1000));
    const { senderId } = tenancy;
    await sql`
      insert into switchyard.message_statuses
        (sender_id, message_id, wamid, status, at, inbound_event_id)
      values (${senderId}, ${first!.id}, 'wamid.1', 'delivered', ${NOW}, 1)`;
    await sql`select switchyard.follow_statuses(array[${first!.id}::uuid])`;
    await settle(sql, urgent, accepted, later(2000));
    assert.deepEqual(await claim(sql, 10, later(3_600_000)), []);
  }));

const LANES = ["normal", "urgent", "bulk"] as const;
const OUTCOMES = [
  { outcome: "accepted", wamid: null },
  { outcome: "deferred", waiting_for: "limit:tenant" },
  { outcome: "deferred", waiting_for: "limit:pair" },
  { outcome: "retry", error: { cause: "overloaded" } },
] as const;

Deno.test("whatever is put off, all go, one of a pair at a time and of a share in their order", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ lane: fc.constantFrom(...LANES), pair: fc.nat(1) }), {
        minLength: 1,
        maxLength: 12,
      }),
      fc.array(fc.nat(OUTCOMES.length - 1), { minLength: 1, maxLength: 30 }),
      fc.nat(12),
      async (messages, given, early) => {
        const outcomes = [...given];
        const tenancy = await createTenancy(sql, { throughputPerSecond: 1000 });
        const items = messages.map(({ lane, pair }) =>
          anItem(tenancy, { lane, to: `+1555020000${pair}` })
        );
        const ids = idsOf([
          ...await enqueue(sql, tenancy, items.slice(0, early), NOW),
          ...await sendUntilIdle(sql, 2, outcomes),
          ...await enqueue(sql, tenancy, items.slice(early), later(5_000)),
        ]);
        await sendUntilIdle(sql, 1_000, outcomes);
        const sent = await sql<{ id: string; share: string; recipient: string }[]>`
          select id, (lane = 'urgent')::text as share, recipient from switchyard.messages
          where tenant_id = ${tenancy.tenantId} and status = 'sent'
          order by (select max(finished_at) from switchyard.message_attempts where message_id = id)`;
        assert.equal(sent.length, items.length);
        for (const rows of Map.groupBy(sent, (it) => `${it.share} ${it.recipient}`).values()) {
          const places = rows.map(({ id }) => ids.indexOf(id));
          assert.deepEqual(places, places.toSorted((one, other) => one - other));
        }
      },
    ),
    { numRuns: 25 },
  );
});

let elapsedMs = 10_000;

/** Claims and settles so often at the most, each time with the next outcomes; in the end all is accepted. */
async function sendUntilIdle(sql: Sql, most: number, outcomes: number[]): Promise<[]> {
  for (let nth = 0; nth < most; nth++) {
    elapsedMs += 1_000;
    const claims: Claim[] = await claim(sql, 3, later(elapsedMs));
    assert.equal(new Set(claims.map(({ recipient }) => recipient)).size, claims.length);
    const outcomeOf = () => ({
      ...OUTCOMES[outcomes.shift() ?? 0]!,
      due_at: later(elapsedMs + 2_000).toISOString(),
    });
    if (claims.length > 0) await settle(sql, claims, outcomeOf, later(elapsedMs));
    else if ((await sql`select switchyard_api.next_due_at() as at`)[0]!.at === null) break;
  }
  return [];
}
