import { strict as assert } from "node:assert";

import { type Sql, withDatabase } from "../support/database.ts";
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

async function countQueued(sql: Sql): Promise<number> {
  const [row] = await sql`
    select count(*)::integer as queued from switchyard.messages where status = 'queued'`;
  return row!.queued;
}

Deno.test("claim_messages() never hands one message to two workers", () =>
  withDatabase(async ({ sql, connect }) => {
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
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy, { send_at: later(1000).toISOString() })], NOW);
    assert.deepEqual(await claim(sql, 10, later(999)), []);
    assert.equal(await queueLength(sql), 0);
    assert.equal((await claim(sql, 10, later(1000))).length, 1);
  }));

Deno.test("claim_messages() records the attempt before the call is made", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const [claimed] = await claim(sql, 10, NOW);
    const [attempt] = await sql`
      select attempt, worker, outcome from switchyard.message_attempts
      where message_id = ${claimed!.id}`;
    assert.deepEqual({ ...attempt }, { attempt: 1, worker: "worker", outcome: null });
  }));

Deno.test("messages of one pair go one at a time, in order of acceptance", () =>
  withDatabase(async ({ sql }) => {
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
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const [first] = await enqueue(sql, tenancy, [anItem(tenancy), anItem(tenancy)], NOW);
    const due_at = later(30_000).toISOString();
    await settle(sql, await claim(sql, 10, NOW), () => ({ outcome: "retry", due_at }), NOW);
    assert.deepEqual(await claim(sql, 10, later(29_000)), []);
    assert.equal((await claim(sql, 10, later(30_000)))[0]!.id, first!.id);
  }));

Deno.test("different recipients of one sender go in parallel", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [
      anItem(tenancy, { to: "+15550200001" }),
      anItem(tenancy, { to: "+15550200002" }),
    ], NOW);
    assert.equal((await claim(sql, 10, later(1000))).length, 2);
  }));

Deno.test("a turn is never lost when claiming races settling", () =>
  withDatabase(async ({ sql, connect }) => {
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

Deno.test("an entry of the queue that is no message's lease is cleared away and harms no neighbour", () =>
  withDatabase(async ({ sql }) => {
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

Deno.test("a message that expired while it waited is never sent", () =>
  withDatabase(async ({ sql }) => {
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
  withDatabase(async ({ sql }) => {
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
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    await sql`update switchyard.tenants set status = 'suspended' where id = ${tenancy.tenantId}`;
    assert.deepEqual(await claim(sql, 10, NOW), []);
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "queued");
    await sql`update switchyard.tenants set status = 'active' where id = ${tenancy.tenantId}`;
    assert.equal((await claim(sql, 10, NOW)).length, 1);
  }));

Deno.test("cancel_message() withdraws a queued message and lets the next of its pair go", () =>
  withDatabase(async ({ sql }) => {
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

function aBatch(tenancy: Parameters<typeof anItem>[0], count: number, overrides = {}) {
  return Array.from(
    { length: count },
    (_, i) => anItem(tenancy, { to: `+155504${10_000 + i}`, ...overrides }),
  );
}

Deno.test("a backlog of one sender does not stand before the message of another", () =>
  withDatabase(async ({ sql }) => {
    const [big, small] = [await createTenancy(sql), await createTenancy(sql)];
    await enqueue(sql, big, aBatch(big, 500), NOW);
    const [answer] = await enqueue(sql, small, [anItem(small)], later(30_000));
    const claims = await claim(sql, 10, later(30_000));
    assert.ok(claims.some(({ id }) => id === answer!.id));
  }));

Deno.test("an urgent message is claimed before all others that are due", () =>
  withDatabase(async ({ sql }) => {
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
  withDatabase(async ({ sql }) => {
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

Deno.test("the head of a lane is never later than its first message, whatever happens at once", () =>
  withDatabase(async ({ sql, connect }) => {
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
