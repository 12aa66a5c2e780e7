import { strict as assert } from "node:assert";

import { createDatabase, withDatabase } from "../support/database.ts";
import { later, NOW } from "../support/now.ts";
import {
  accepted,
  anItem,
  claim,
  enqueue,
  queueLength,
  readMessages,
  settle,
} from "../support/outbound.ts";
import { createTenancy } from "../support/tenancy.ts";

Deno.test("settle_messages() moves each message to where its outcome leads", async (t) => {
  const due_at = later(30_000).toISOString();
  const cases: [outcome: Record<string, unknown>, status: string, failures: number][] = [
    [{ outcome: "accepted", wamid: "wamid.1" }, "sent", 0],
    [{ outcome: "retry", due_at, error: { cause: "overloaded" } }, "queued", 1],
    [{ outcome: "deferred", due_at }, "queued", 0],
    [{ outcome: "rejected", error: { cause: "not_on_whatsapp" } }, "dead", 0],
    [
      { outcome: "unknown", unknown_until: due_at, error: { cause: "timeout" } },
      "outcome_unknown",
      0,
    ],
  ];
  await using database = await createDatabase();
  for (const [outcome, status, failures] of cases) {
    await t.step(`${outcome.outcome} → ${status}`, async () => {
      const tenancy = await createTenancy(database.sql);
      await enqueue(database.sql, tenancy, [anItem(tenancy)], NOW);
      await settle(database.sql, await claim(database.sql, 10, NOW), () => outcome, NOW);
      const [row] = await readMessages(database.sql, tenancy);
      assert.equal(row!.status, status);
      assert.equal(row!.failure_count, failures);
      assert.equal(await queueLength(database.sql), 0);
    });
  }
});

Deno.test("a rejected message leaves a dead letter with its cause", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const error = { cause: "recipient_unreachable", code: 131026 };
    await settle(sql, await claim(sql, 10, NOW), () => ({ outcome: "rejected", error }), NOW);
    const [letter] = await sql`select cause, detail from switchyard.dead_letters`;
    assert.deepEqual({ ...letter }, { cause: "recipient_unreachable", detail: error });
  }));

Deno.test("settle_messages() of an attempt that was superseded changes nothing", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const stale = await claim(sql, 10, NOW);
    await settle(sql, stale, () => ({ outcome: "deferred", due_at: NOW.toISOString() }), NOW);
    const fresh = await claim(sql, 10, later(1000));
    assert.deepEqual(await settle(sql, stale, accepted, later(1000)), [false]);
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "sending");
    assert.deepEqual(await settle(sql, fresh, accepted, later(1000)), [true]);
  }));

Deno.test("settling twice changes nothing the second time", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const claims = await claim(sql, 10, NOW);
    assert.deepEqual(await settle(sql, claims, accepted, NOW), [true]);
    const again = await settle(
      sql,
      claims,
      () => ({ outcome: "rejected", error: { cause: "x" } }),
      NOW,
    );
    assert.deepEqual(again, [false]);
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "sent");
  }));

Deno.test("a status that Meta reported before the answer was settled is not moved back", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const claims = await claim(sql, 10, NOW);
    await sql`
      insert into switchyard.inbound_events
        (event_key, kind, tenant_id, sender_id, field, payload)
      values (sha256('c'), 'status', ${tenancy.tenantId}, ${tenancy.senderId}, 'messages', '{}')`;
    await sql`
      insert into switchyard.message_statuses
        (message_id, sender_id, wamid, status, at, inbound_event_id)
      select ${claims[0]!.id}, ${tenancy.senderId}, 'wamid.x', 'delivered', ${NOW}, id
      from switchyard.inbound_events`;
    await sql`select switchyard.follow_statuses(array[${claims[0]!.id}::uuid])`;
    await settle(
      sql,
      claims,
      () => ({ outcome: "unknown", unknown_until: NOW.toISOString() }),
      NOW,
    );
    const [row] = await readMessages(sql, tenancy);
    assert.equal(row!.status, "delivered");
    assert.equal(row!.wamid, "wamid.x");
    assert.equal(row!.holds_pair, false);
  }));

function aBatch(tenancy: Parameters<typeof anItem>[0], count: number, overrides = {}) {
  return Array.from(
    { length: count },
    (_, i) => anItem(tenancy, { to: `+155504${10_000 + i}`, ...overrides }),
  );
}

for (const skewMs of [3_600_000, -3_600_000]) {
  Deno.test(`what a worker whose clock is ${skewMs / 3_600_000} h wrong puts back is due after the time that it meant`, () =>
    withDatabase(async ({ sql }) => {
      const tenancy = await createTenancy(sql);
      await enqueue(sql, tenancy, aBatch(tenancy, 3), NOW);
      const claims = await claim(sql, 3, later(1_000));
      const byWorker = (ms: number) => later(1_000 + skewMs + ms).toISOString();
      const finished_at = byWorker(0);
      const outcomes = [
        { outcome: "retry", due_at: byWorker(4_000), finished_at },
        { outcome: "deferred", due_at: byWorker(5_000), waiting_for: "limit:tenant", finished_at },
        { outcome: "unknown", unknown_until: byWorker(6_000), finished_at },
      ];
      await settle(
        sql,
        claims,
        ({ id }) => outcomes[claims.findIndex((it) => it.id === id)]!,
        later(1_000),
      );
      const rows = await sql<{ at: Date }[]>`
        select coalesce(unknown_until, due_at) as at from switchyard.messages order by accepted_no`;
      assert.deepEqual(rows.map(({ at }) => at), [5_000, 6_000, 7_000].map(later));
    }));
}

Deno.test("a message tells what it waits for until it goes", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const tell = async () => {
      const [row] = await sql`
        select switchyard_api.get_message(${tenancy.tenantId}, id) as message from switchyard.messages`;
      return row!.message;
    };
    const deferred = {
      outcome: "deferred",
      due_at: later(1_000).toISOString(),
      waiting_for: "limit:tenant",
    };
    await settle(sql, await claim(sql, 1, NOW), () => deferred, NOW);
    const waiting = await tell();
    assert.deepEqual([waiting.waiting_for, waiting.attempts], ["limit:tenant", []]);
    await settle(sql, await claim(sql, 1, later(1_000)), accepted, later(1_000));
    assert.equal((await tell()).waiting_for, undefined);
  }));
