import { strict as assert } from "node:assert";

import { createDatabase, type Sql } from "../support/database.ts";
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

const NOW = new Date("2026-11-22T12:00:00Z");

function later(ms: number): Date {
  return new Date(NOW.getTime() + ms);
}

async function inFreshDatabase(
  test: (sql: Sql, connect: () => Sql) => Promise<void>,
): Promise<void> {
  await using database = await createDatabase();
  await test(database.sql, database.connect);
}

async function countQueued(sql: Sql): Promise<number> {
  const [row] = await sql`
    select count(*)::integer as queued from switchyard.messages where status = 'queued'`;
  return row!.queued;
}

Deno.test("claim_messages() never hands one message to two workers", () =>
  inFreshDatabase(async (sql, connect) => {
    const tenancy = await createTenancy(sql, { throughputPerSecond: 1000 });
    const items = Array.from(
      { length: 200 },
      (_, i) => anItem(tenancy, { to: `+155502${1000 + i}` }),
    );
    await enqueue(sql, tenancy, items, NOW);
    const claims = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const own = connect();
        const taken = [];
        while (await countQueued(own) > 0) taken.push(...await claim(own, 20, later(10_000)));
        return taken;
      }),
    );
    const ids = claims.flat().map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(ids.length, 200);
  }));

Deno.test("claim_messages() leaves what is not due yet in the backlog", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy, { send_at: later(1000).toISOString() })], NOW);
    assert.deepEqual(await claim(sql, 10, later(999)), []);
    assert.equal(await queueLength(sql), 0);
    assert.equal((await claim(sql, 10, later(1000))).length, 1);
  }));

Deno.test("claim_messages() records the attempt before the call is made", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const [claimed] = await claim(sql, 10, NOW);
    const [attempt] = await sql`
      select attempt, worker, outcome from switchyard.message_attempts
      where message_id = ${claimed!.id}`;
    assert.deepEqual({ ...attempt }, { attempt: 1, worker: "worker", outcome: null });
  }));

Deno.test("messages of one pair go one at a time, in order of acceptance", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    const answers = await enqueue(
      sql,
      tenancy,
      [anItem(tenancy), anItem(tenancy), anItem(tenancy)],
      NOW,
    );
    const sent = [];
    for (let i = 0; i < 3; i++) {
      const claims = await claim(sql, 10, later(i * 1000));
      assert.equal(claims.length, 1);
      assert.deepEqual(await claim(sql, 10, later(i * 1000)), []);
      await settle(sql, claims, accepted, later(i * 1000));
      sent.push(claims[0]!.id);
    }
    assert.deepEqual(sent, answers.map(({ id }) => id));
  }));

Deno.test("a message that is tried again keeps its place before the later ones of its pair", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    const [first] = await enqueue(sql, tenancy, [anItem(tenancy), anItem(tenancy)], NOW);
    const due_at = later(30_000).toISOString();
    await settle(sql, await claim(sql, 10, NOW), () => ({ outcome: "retry", due_at }), NOW);
    assert.deepEqual(await claim(sql, 10, later(29_000)), []);
    assert.equal((await claim(sql, 10, later(30_000)))[0]!.id, first!.id);
  }));

Deno.test("different recipients of one sender go in parallel", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [
      anItem(tenancy, { to: "+15550200001" }),
      anItem(tenancy, { to: "+15550200002" }),
    ], NOW);
    assert.equal((await claim(sql, 10, later(1000))).length, 2);
  }));

Deno.test("a turn is never lost when claiming races settling", () =>
  inFreshDatabase(async (sql, connect) => {
    const tenancy = await createTenancy(sql, { throughputPerSecond: 1000 });
    const items = Array.from(
      { length: 60 },
      (_, i) => anItem(tenancy, { to: `+1555020000${i % 3}` }),
    );
    await enqueue(sql, tenancy, items, NOW);
    const worker = async () => {
      const own = connect();
      while (await countQueued(own) > 0) {
        const claims = await claim(own, 2, later(10_000));
        if (claims.length > 0) await settle(own, claims, accepted, later(10_000));
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    const rows = await readMessages(sql, tenancy);
    assert.deepEqual(new Set(rows.map(({ status }) => status)), new Set(["sent"]));
    assert.ok(rows.every((row) => !row.holds_pair && !row.waits_turn));
    assert.equal(await queueLength(sql), 0);
  }));

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
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const error = { cause: "recipient_unreachable", code: 131026 };
    await settle(sql, await claim(sql, 10, NOW), () => ({ outcome: "rejected", error }), NOW);
    const [letter] = await sql`select cause, detail from switchyard.dead_letters`;
    assert.deepEqual({ ...letter }, { cause: "recipient_unreachable", detail: error });
  }));

Deno.test("settle_messages() of an attempt that was superseded changes nothing", () =>
  inFreshDatabase(async (sql) => {
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
  inFreshDatabase(async (sql) => {
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

Deno.test("a worker that died in the call leaves an unknown outcome, not a second send", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    await claim(sql, 10, NOW);
    await sql`select switchyard.end_lost_leases(${later(59_999)}, 100)`;
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "sending");
    await sql`select switchyard.end_lost_leases(${later(60_000)}, 100)`;
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "outcome_unknown");
    assert.equal(await queueLength(sql), 0);
    assert.deepEqual(await claim(sql, 10, later(61_000)), []);
  }));

Deno.test("an entry of the queue that is no message's lease is cleared away and harms no neighbour", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    await claim(sql, 10, NOW);
    const strangers = [{ id: "no id" }, { id: crypto.randomUUID() }, { other: 1 }, "text"];
    await sql`select pgmq.send('wa_outbound', value) from jsonb_array_elements(${
      sql.json(strangers)
    })`;
    await sql`select switchyard.end_lost_leases(${NOW}, 100)`;
    assert.equal(await queueLength(sql), 1);
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "sending");
  }));

Deno.test("a worker taken for dead may still say what became of its attempt", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const claims = await claim(sql, 10, NOW);
    await sql`select switchyard.end_lost_leases(${later(61_000)}, 100)`;
    assert.deepEqual(await settle(sql, claims, accepted, later(62_000)), [true]);
    const [row] = await readMessages(sql, tenancy);
    assert.equal(row!.status, "sent");
    assert.equal(row!.holds_pair, false);
  }));

Deno.test("an outcome that stays unknown follows the lane, or the choice made for the message", async (t) => {
  const cases: [overrides: Record<string, unknown>, status: string][] = [
    [{ lane: "urgent" }, "dead"],
    [{ lane: "normal" }, "queued"],
    [{ lane: "bulk" }, "dead"],
    [{ lane: "urgent", on_unknown: "resend" }, "queued"],
    [{ lane: "normal", on_unknown: "dead_letter" }, "dead"],
  ];
  await using database = await createDatabase();
  const { sql } = database;
  for (const [overrides, status] of cases) {
    await t.step(`${JSON.stringify(overrides)} → ${status}`, async () => {
      const tenancy = await createTenancy(sql);
      await enqueue(sql, tenancy, [anItem(tenancy, overrides)], NOW);
      const unknown_until = later(60_000).toISOString();
      const claims = (await claim(sql, 10, NOW)).slice(-1);
      await settle(sql, claims, () => ({ outcome: "unknown", unknown_until }), NOW);
      await sql`select switchyard.resolve_unknown_messages(${later(59_000)}, 100)`;
      assert.equal((await readMessages(sql, tenancy))[0]!.status, "outcome_unknown");
      await sql`select switchyard.resolve_unknown_messages(${later(60_000)}, 100)`;
      assert.equal((await readMessages(sql, tenancy))[0]!.status, status);
      await sql`update switchyard.messages set due_at = 'infinity' where status = 'queued'`;
    });
  }
});

Deno.test("a message that expired while it waited is never sent", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    const expires_at = later(5_000).toISOString();
    const [first, second] = await enqueue(
      sql,
      tenancy,
      [anItem(tenancy, { expires_at }), anItem(tenancy)],
      NOW,
    );
    const claims = await claim(sql, 10, later(5_000));
    assert.deepEqual(claims.map(({ id }) => id), [second!.id], "the next of its pair goes on");
    const ended = (await readMessages(sql, tenancy)).find(({ id }) => id === first!.id);
    assert.equal(ended!.status, "expired");
  }));

Deno.test("a message whose slot lies beyond its expiry is accepted, harms no neighbour and expires", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql, { throughputPerSecond: 1 });
    const expires_at = later(1_000).toISOString();
    const answers = await enqueue(sql, tenancy, [
      anItem(tenancy),
      anItem(tenancy, { to: "+15550200002", expires_at }),
    ], NOW);
    assert.deepEqual(answers.map(({ outcome }) => outcome), ["accepted", "accepted"]);
    const claims = await claim(sql, 10, later(60_000));
    assert.deepEqual(claims.map(({ id }) => id), [answers[0]!.id]);
    assert.equal((await readMessages(sql, tenancy))[1]!.status, "expired");
  }));

Deno.test("messages of a suspended tenant wait, and go when it is active again", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    await sql`update switchyard.tenants set status = 'suspended' where id = ${tenancy.tenantId}`;
    assert.deepEqual(await claim(sql, 10, NOW), []);
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "queued");
    await sql`update switchyard.tenants set status = 'active' where id = ${tenancy.tenantId}`;
    assert.equal((await claim(sql, 10, NOW)).length, 1);
  }));

Deno.test("cancel_message() withdraws a queued message and lets the next of its pair go", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    const [first, second] = await enqueue(sql, tenancy, [anItem(tenancy), anItem(tenancy)], NOW);
    const cancel = (id: string) =>
      sql`select switchyard_api.cancel_message(${tenancy.tenantId}, ${id}) ->> 'outcome' as outcome`;
    assert.equal((await cancel(first!.id!))[0]!.outcome, "cancelled");
    const claims = await claim(sql, 10, later(1000));
    assert.deepEqual(claims.map(({ id }) => id), [second!.id]);
    assert.equal((await cancel(second!.id!))[0]!.outcome, "not_queued");
    const other = await createTenancy(sql);
    const [foreign] = await sql`
      select switchyard_api.cancel_message(${other.tenantId}, ${first!
      .id!}) ->> 'outcome' as outcome`;
    assert.equal(foreign!.outcome, "not_found");
  }));

Deno.test("a status that Meta reported before the answer was settled is not moved back", () =>
  inFreshDatabase(async (sql) => {
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

Deno.test("a backlog of one sender does not stand before the message of another", () =>
  inFreshDatabase(async (sql) => {
    const [big, small] = [await createTenancy(sql), await createTenancy(sql)];
    await enqueue(sql, big, aBatch(big, 500), NOW);
    const [answer] = await enqueue(sql, small, [anItem(small)], later(30_000));
    const claims = await claim(sql, 10, later(30_000));
    assert.ok(claims.some(({ id }) => id === answer!.id));
  }));

Deno.test("an urgent message is claimed before all others that are due", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, aBatch(tenancy, 100, { lane: "bulk" }), NOW);
    const [urgent] = await enqueue(
      sql,
      tenancy,
      [anItem(tenancy, { lane: "urgent" })],
      later(5_000),
    );
    assert.equal((await claim(sql, 10, later(5_000)))[0]!.id, urgent!.id);
  }));

Deno.test("an urgent message does not wait for one of its pair whose outcome is unknown", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy), anItem(tenancy)], NOW);
    const unknown_until = later(60_000).toISOString();
    await settle(
      sql,
      await claim(sql, 10, NOW),
      () => ({ outcome: "unknown", unknown_until }),
      NOW,
    );
    assert.deepEqual(await claim(sql, 10, later(1_000)), [], "the normal one waits");
    const [urgent] = await enqueue(
      sql,
      tenancy,
      [anItem(tenancy, { lane: "urgent" })],
      later(2_000),
    );
    assert.deepEqual((await claim(sql, 10, later(2_000))).map(({ id }) => id), [urgent!.id]);
  }));

Deno.test("of a sender that is held back nothing is read until the hold ends", () =>
  inFreshDatabase(async (sql) => {
    const [held, free] = [await createTenancy(sql), await createTenancy(sql)];
    await enqueue(sql, held, aBatch(held, 20), NOW);
    await sql`select switchyard_api.hold_senders(${sql.json([held.senderId])}, 60000, ${NOW})`;
    assert.deepEqual(await claim(sql, 10, later(30_000)), []);
    assert.equal(await queueLength(sql), 0);
    const [due] = await sql`select switchyard_api.next_due_at() as at`;
    assert.deepEqual(due!.at, later(60_000));
    await enqueue(sql, free, [anItem(free)], later(30_000));
    assert.equal((await claim(sql, 10, later(30_000))).length, 1);
    assert.ok((await claim(sql, 20, later(60_000))).length > 0);
  }));

Deno.test("of a sender whose hold is over few are read until Meta has accepted one", () =>
  inFreshDatabase(async (sql) => {
    const held = await createTenancy(sql, { throughputPerSecond: 1000 });
    await enqueue(sql, held, aBatch(held, 30), NOW);
    await sql`select switchyard_api.hold_senders(${sql.json([held.senderId])}, 1000, ${NOW})`;
    const few = await claim(sql, 20, later(1000));
    assert.equal(few.length, 5);
    const due_at = later(2000).toISOString();
    await settle(sql, few.slice(1), () => ({ outcome: "retry", due_at }), later(1000));
    assert.equal((await claim(sql, 20, later(1000))).length, 5);
    await settle(sql, few.slice(0, 1), accepted, later(1000));
    assert.equal((await claim(sql, 20, later(1000))).length, 20);
  }));

Deno.test("an answer that comes before the end of a hold does not end it", () =>
  inFreshDatabase(async (sql) => {
    const held = await createTenancy(sql, { throughputPerSecond: 1000 });
    await enqueue(sql, held, aBatch(held, 2), NOW);
    const claims = await claim(sql, 1, later(1));
    await sql`select switchyard_api.hold_senders(${sql.json([held.senderId])}, 1000, ${NOW})`;
    await settle(sql, claims, accepted, later(10));
    assert.deepEqual(await claim(sql, 1, later(999)), []);
    assert.equal((await claim(sql, 1, later(1000))).length, 1);
  }));

Deno.test("a sender that Meta calls too fast is slowed once for many answers, and gently raised", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql, { throughputPerSecond: 80 });
    const rate = async () => {
      const [row] = await sql`
        select coalesce(slowed_per_second, throughput_per_second)::float as rate
        from switchyard.senders where id = ${tenancy.senderId}`;
      return row!.rate;
    };
    await enqueue(sql, tenancy, aBatch(tenancy, 10), NOW);
    const throttled = { outcome: "retry", due_at: later(10_000).toISOString(), throttled: true };
    for (let i = 0; i < 2; i++) {
      await settle(sql, await claim(sql, 5, NOW), () => throttled, later(i * 1_000));
    }
    assert.equal(await rate(), 40);
    await sql`select switchyard.speed_up_senders(${later(5_000)})`;
    assert.equal(await rate(), 40);
    await sql`select switchyard.speed_up_senders(${later(10_000)})`;
    assert.equal(await rate(), 44);
    for (let i = 2; i < 12; i++) {
      await sql`select switchyard.speed_up_senders(${later(i * 10_000)})`;
    }
    assert.equal(await rate(), 80);
  }));

Deno.test("the head of a lane is never later than its first message, whatever happens at once", () =>
  inFreshDatabase(async (sql, connect) => {
    const tenancy = await createTenancy(sql, { throughputPerSecond: 1000 });
    const accepting = async (nth: number) => {
      const own = connect();
      for (let i = 0; i < 20; i++) {
        await enqueue(own, tenancy, [anItem(tenancy, { to: `+15550${nth}${1000 + i % 5}` })], NOW);
      }
    };
    const draining = async () => {
      const own = connect();
      for (let i = 0; i < 30; i++) {
        const claims = await claim(own, 5, later(1_000));
        const due_at = later(2_000).toISOString();
        const outcome = (nth: number) => nth % 3 === 0 ? { outcome: "deferred", due_at } : null;
        await settle(
          own,
          claims,
          (it) => outcome(claims.indexOf(it)) ?? accepted(it),
          later(1_000),
        );
      }
    };
    await Promise.all([accepting(1), accepting(2), accepting(3), draining(), draining()]);
    const late = await sql`
      select l.head_due_at, first.due_at
      from switchyard.sender_lanes l
      cross join lateral (
        select min(m.due_at) as due_at from switchyard.messages m
        where m.sender_id = l.sender_id and m.share = l.share and m.status = 'queued'
          and m.queue_entry_id is null and not m.waits_turn) first
      where first.due_at < l.head_due_at`;
    assert.deepEqual(late.map((row) => ({ ...row })), []);
  }));

Deno.test("a refused credential pauses its sender, whose messages wait unread and go with the next one", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, aBatch(tenancy, 5), NOW);
    const claims = await claim(sql, 2, NOW);
    const refused = {
      outcome: "retry",
      due_at: NOW.toISOString(),
      error: { cause: "token_invalid" },
      refused_version: 1,
    };
    await settle(sql, claims, () => refused, NOW);
    assert.deepEqual(await claim(sql, 10, later(60_000)), []);
    assert.equal(await queueLength(sql), 0);
    const attention = await sql`select cause from switchyard_api.list_attention(null)`;
    assert.deepEqual(attention.map(({ cause }) => cause), ["token_invalid"]);

    await sql`
      select switchyard_api.rotate_credential(
        ${tenancy.tenantId}, ${tenancy.phoneNumberId}, 'another token', '{}')`;
    assert.equal((await claim(sql, 10, later(60_000))).length, 5);
    const open = await sql`select from switchyard_api.list_attention(null)`;
    assert.equal(open.length, 0);
  }));

Deno.test("a refusal of a credential that was rotated meanwhile pauses nobody", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const claims = await claim(sql, 2, NOW);
    await sql`
      select switchyard_api.rotate_credential(
        ${tenancy.tenantId}, ${tenancy.phoneNumberId}, 'another token', '{}')`;
    const refused = { outcome: "retry", due_at: NOW.toISOString(), refused_version: 1 };
    await settle(sql, claims, () => refused, NOW);
    assert.equal((await claim(sql, 2, later(1_000))).length, 1);
  }));

for (const skewMs of [3_600_000, -3_600_000]) {
  Deno.test(`what a worker whose clock is ${skewMs / 3_600_000} h wrong puts back is due after the time that it meant`, () =>
    inFreshDatabase(async (sql) => {
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
  inFreshDatabase(async (sql) => {
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
