import { strict as assert } from "node:assert";

import { createDatabase } from "../support/database.ts";
import { later, NOW } from "../support/now.ts";
import { anItem, enqueue, readMessages } from "../support/outbound.ts";
import { createTenancy } from "../support/tenancy.ts";

const FINGERPRINT = "a".repeat(64);

Deno.test("accepting messages", async (t) => {
  await using database = await createDatabase();
  const { sql } = database;

  await t.step("an idle sender's message is planned for now", async () => {
    const tenancy = await createTenancy(sql);
    const [answer] = await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    assert.equal(answer!.outcome, "accepted");
    assert.deepEqual(answer!.planned_send_at, NOW);
  });

  await t.step(
    "slots of a batch never exceed the sender's rate after the first burst",
    async () => {
      const tenancy = await createTenancy(sql, { throughputPerSecond: 100 });
      const items = Array.from(
        { length: 90 },
        (_, i) => anItem(tenancy, { to: `+155502${1000 + i}` }),
      );
      const answers = await enqueue(sql, tenancy, items, NOW);
      const planned = answers.map((answer) => answer.planned_send_at!.getTime() - NOW.getTime());
      // 80 of the 100 a second are this lane's; an eighth of a second of them may go at once.
      assert.equal(planned.filter((ms) => ms === 0).length, 11);
      assert.equal(planned.at(-1), 987);
      assert.deepEqual(planned, planned.toSorted((a, b) => a - b));
    },
  );

  await t.step("two batches at once share the rate and no slot is given twice", async () => {
    const tenancy = await createTenancy(sql, { throughputPerSecond: 100 });
    const batch = (from: number) =>
      Array.from({ length: 50 }, (_, i) => anItem(tenancy, { to: `+155502${from + i}` }));
    const answers = await Promise.all([
      enqueue(database.connect(), tenancy, batch(2000), NOW),
      enqueue(database.connect(), tenancy, batch(3000), NOW),
    ]);
    const planned = answers.flat().map((answer) => answer.planned_send_at!.getTime());
    assert.equal(planned.filter((ms) => ms === NOW.getTime()).length, 11);
    assert.equal(new Set(planned).size, 100 - 10);
  });

  await t.step("an urgent message does not stand behind a campaign of its sender", async () => {
    const tenancy = await createTenancy(sql);
    const campaign = Array.from(
      { length: 500 },
      (_, i) => anItem(tenancy, { to: `+155503${1000 + i}`, lane: "bulk" }),
    );
    await enqueue(sql, tenancy, campaign, NOW);
    const [answer] = await enqueue(sql, tenancy, [anItem(tenancy, { lane: "urgent" })], NOW);
    assert.deepEqual(answer!.planned_send_at, NOW);
  });

  await t.step("a message asked for later is planned for then and takes no slot", async () => {
    const tenancy = await createTenancy(sql);
    const send_at = later(3_600_000).toISOString();
    const [scheduled] = await enqueue(sql, tenancy, [anItem(tenancy, { send_at })], NOW);
    const [now] = await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    assert.deepEqual(scheduled!.planned_send_at, later(3_600_000));
    assert.deepEqual(now!.planned_send_at, NOW);
  });

  await t.step(
    "a message expires a day after it was planned unless it says otherwise",
    async () => {
      const tenancy = await createTenancy(sql);
      await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
      const [row] = await sql`
      select expires_at from switchyard.messages where tenant_id = ${tenancy.tenantId}`;
      assert.deepEqual(row!.expires_at, later(24 * 3_600_000));
    },
  );

  await t.step("the same key and message answer with the first message", async () => {
    const tenancy = await createTenancy(sql);
    const item = anItem(tenancy, { idempotency_key: "order-1", fingerprint: FINGERPRINT });
    const [first] = await enqueue(sql, tenancy, [item], NOW);
    const [second] = await enqueue(sql, tenancy, [item], later(5_000));
    assert.equal(second!.outcome, "replayed");
    assert.equal(second!.id, first!.id);
    assert.deepEqual(second!.planned_send_at, first!.planned_send_at);
    assert.equal((await readMessages(sql, tenancy)).length, 1);
  });

  await t.step("the same key with another message is refused and names the fields", async () => {
    const tenancy = await createTenancy(sql);
    const digests = { to: "1", text: "1" };
    const item = anItem(tenancy, { idempotency_key: "order-1", fingerprint: FINGERPRINT });
    await enqueue(sql, tenancy, [{ ...item, field_digests: digests } as typeof item], NOW);
    const other = { ...item, fingerprint: "b".repeat(64), field_digests: { to: "2", lane: "1" } };
    const [answer] = await enqueue(sql, tenancy, [{ ...other, text: "1" } as typeof item], NOW);
    assert.equal(answer!.outcome, "key_reused");
    assert.deepEqual(answer!.detail?.fields, ["lane", "text", "to"]);
    assert.equal((await readMessages(sql, tenancy)).length, 1);
  });

  await t.step("a key used twice in one batch is one message", async () => {
    const tenancy = await createTenancy(sql);
    const item = anItem(tenancy, { idempotency_key: "order-1", fingerprint: FINGERPRINT });
    const answers = await enqueue(sql, tenancy, [item, item], NOW);
    assert.equal(new Set(answers.map(({ id }) => id)).size, 1);
    assert.equal((await readMessages(sql, tenancy)).length, 1);
  });

  await t.step("one key on ten connections at once is one message", async () => {
    const tenancy = await createTenancy(sql);
    const item = anItem(tenancy, { idempotency_key: "order-1", fingerprint: FINGERPRINT });
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => enqueue(database.connect(), tenancy, [item], NOW)),
    );
    assert.equal(new Set(answers.flat().map(({ id }) => id)).size, 1);
    assert.equal(answers.flat().filter(({ outcome }) => outcome === "accepted").length, 1);
    assert.equal((await readMessages(sql, tenancy)).length, 1);
  });

  await t.step("the same key of two tenants is two messages", async () => {
    const [one, two] = [await createTenancy(sql), await createTenancy(sql)];
    const keyed = { idempotency_key: "order-1", fingerprint: FINGERPRINT };
    const [first] = await enqueue(sql, one, [anItem(one, keyed)], NOW);
    const [second] = await enqueue(sql, two, [anItem(two, keyed)], NOW);
    assert.equal(second!.outcome, "accepted");
    assert.notEqual(second!.id, first!.id);
  });

  await t.step(
    "another tenant's sender is unknown, takes no key and harms no neighbour",
    async () => {
      const [one, two] = [await createTenancy(sql), await createTenancy(sql)];
      const keyed = { idempotency_key: "order-1", fingerprint: FINGERPRINT };
      const answers = await enqueue(sql, one, [
        anItem(one, { from: two.phoneNumberId, ...keyed }),
        anItem(one),
      ], NOW);
      assert.deepEqual(answers.map(({ outcome }) => outcome), ["unknown_sender", "accepted"]);
      assert.equal(answers[0]!.id, null);
      const [retried] = await enqueue(sql, one, [anItem(one, keyed)], NOW);
      assert.equal(retried!.outcome, "accepted");
    },
  );

  await t.step("send_message() in SQL goes with the caller's transaction", async () => {
    const tenancy = await createTenancy(sql);
    const message = {
      from: tenancy.phoneNumberId,
      to: "15550200001",
      type: "text",
      text: { body: "x" },
    };
    const rolledBack = sql.begin(async (transaction) => {
      await transaction`
        select switchyard.send_message(${tenancy.tenantId}, ${sql.json(message)}, 'key-1')`;
      throw new Error("the caller changed its mind");
    });
    await assert.rejects(rolledBack, /changed its mind/);
    assert.equal((await readMessages(sql, tenancy)).length, 0);
    await sql`select switchyard.send_message(${tenancy.tenantId}, ${sql.json(message)}, 'key-1')`;
    const [row] = await readMessages(sql, tenancy);
    assert.equal(row!.recipient, "+15550200001");
  });

  await t.step("send_message() says what is wrong with a message", async () => {
    const tenancy = await createTenancy(sql);
    const message = { from: tenancy.phoneNumberId, to: "15550200001", type: "text" };
    await assert.rejects(
      sql`select switchyard.send_message(${tenancy.tenantId}, ${sql.json(message)}, 'key-1')`,
      /the field named by "type" is missing/,
    );
  });

  await t.step("accepting rings for a worker once, after the commit", async () => {
    const tenancy = await createTenancy(sql);
    await sql`select vault.create_secret('http://project.test', 'switchyard_project_url')`;
    await sql`select vault.create_secret('sb_secret_x', 'switchyard_secret_key')`;
    await sql`delete from net.http_request_queue`;
    await sql.begin(async (transaction) => {
      const items = sql.json([anItem(tenancy)] as never);
      await transaction`
        select * from switchyard_api.enqueue_messages(${tenancy.tenantId}, ${items}, ${NOW})`;
      await transaction`
        select * from switchyard_api.enqueue_messages(${tenancy.tenantId}, ${items}, ${NOW})`;
    });
    const rings = await sql`select url, headers from net.http_request_queue`;
    assert.equal(rings.length, 1);
    assert.equal(rings[0]!.url, "http://project.test/functions/v1/wa-sender");
    assert.equal(rings[0]!.headers.apikey, "sb_secret_x");
  });
});

Deno.test("a free-form message to a closed customer window is refused, takes no key and harms no neighbour", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  const tenancy = await createTenancy(sql);
  const keyed = { idempotency_key: "order-1", fingerprint: FINGERPRINT };
  const write = (last_inbound_at: Date) =>
    sql`
    insert into switchyard.conversations (tenant_id, sender_id, customer_phone, last_inbound_at)
    values (${tenancy.tenantId}, ${tenancy.senderId}, '+15550200001', ${last_inbound_at})
    on conflict (sender_id, customer_phone) do update set last_inbound_at = excluded.last_inbound_at`;
  await write(later(-25 * 3_600_000));
  const answers = await enqueue(sql, tenancy, [
    anItem(tenancy, keyed),
    anItem(tenancy, { type: "template", content: { name: "x", language: { code: "en" } } }),
    anItem(tenancy, { to: "+15550200002" }),
  ], NOW);
  assert.deepEqual(answers.map(({ outcome }) => outcome), [
    "window_closed",
    "accepted",
    "accepted",
  ]);
  assert.equal(answers[0]!.id, null);
  await write(later(-60_000));
  const [again] = await enqueue(sql, tenancy, [anItem(tenancy, keyed)], NOW);
  assert.equal(again!.outcome, "accepted");
  await write(later(-25 * 3_600_000));
  const [replayed] = await enqueue(sql, tenancy, [anItem(tenancy, keyed)], NOW);
  assert.equal(replayed!.outcome, "replayed", "what was accepted stays accepted");
});
