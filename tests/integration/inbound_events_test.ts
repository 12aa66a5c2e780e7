import { strict as assert } from "node:assert";

import { createDatabase, withDatabase } from "../support/database.ts";
import { anEvent, apply, claimEvents, store } from "../support/inbound.ts";
import { NOW } from "../support/now.ts";
import { accepted, anItem, claim, enqueue, readMessages, settle } from "../support/outbound.ts";
import { createTenancy } from "../support/tenancy.ts";

function aStatus(status: string, overrides: Record<string, unknown> = {}) {
  const none = { message_id: null, recipient: null, pricing: null, errors: null };
  return {
    action: "status",
    wamid: "wamid.1",
    status,
    at: NOW.toISOString(),
    ...none,
    ...overrides,
  };
}

function aText(overrides: Record<string, unknown> = {}) {
  const customer = { phone: "+15550200001", user_id: null, name: "Ann" };
  const content = { text: { body: "hello" } };
  return {
    action: "message",
    wamid: "wamid.in",
    type: "text",
    content,
    at: NOW.toISOString(),
    ...customer,
    ...overrides,
  };
}

Deno.test("store_events() keeps an event once, however often it comes", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const event = anEvent(tenancy);
    assert.deepEqual(await store(sql, [event]), { stored: 1, duplicates: 0, quarantined: 0 });
    assert.deepEqual(await store(sql, [event, event]), {
      stored: 0,
      duplicates: 2,
      quarantined: 0,
    });
    assert.equal((await claimEvents(sql, 10)).length, 1);
  }));

Deno.test("the same body on many connections at once is stored once", () =>
  withDatabase(async ({ sql, connect }) => {
    const tenancy = await createTenancy(sql);
    const events = Array.from({ length: 100 }, () => anEvent(tenancy));
    const counts = await Promise.all(
      Array.from({ length: 8 }, (_, i) => store(connect(), i % 2 ? events : events.toReversed())),
    );
    assert.equal(counts.reduce((sum, { stored }) => sum + stored, 0), 100);
    assert.equal((await claimEvents(sql, 200)).length, 100);
  }));

Deno.test("events of one body go each to the owner of its number, never to a neighbour", () =>
  withDatabase(async ({ sql }) => {
    const [one, two] = [await createTenancy(sql), await createTenancy(sql)];
    const counts = await store(sql, [
      anEvent(one),
      anEvent(two),
      anEvent(one, { phone_number_id: "999" }),
    ]);
    assert.deepEqual(counts, { stored: 3, duplicates: 0, quarantined: 1 });
    const rows = await sql`
      select phone_number_id, tenant_id, state, reason from switchyard.inbound_events order by id`;
    assert.deepEqual(
      new Map(rows.map((row) => [row.phone_number_id, row.tenant_id])),
      new Map([
        [one.phoneNumberId, one.tenantId],
        [two.phoneNumberId, two.tenantId],
        ["999", null],
      ]),
    );
    const quarantined = rows.find((row) => row.phone_number_id === "999")!;
    assert.deepEqual([quarantined.state, quarantined.reason], ["quarantined", "unknown_owner"]);
  }));

Deno.test("an event without a number belongs to the only tenant of its business account", () =>
  withDatabase(async ({ sql }) => {
    const alone = await createTenancy(sql);
    const [one, two] = [
      await createTenancy(sql, { businessAccountId: "4242" }),
      await createTenancy(sql, { businessAccountId: "4242" }),
    ];
    await store(sql, [
      anEvent(alone, { phone_number_id: null, kind: "account" }),
      anEvent(one, { phone_number_id: null, kind: "account" }),
    ]);
    const rows = await sql`
      select business_account_id, tenant_id, state from switchyard.inbound_events order by state desc`;
    assert.equal(two.businessAccountId, one.businessAccountId);
    assert.deepEqual(rows.map((row) => [row.business_account_id, row.tenant_id, row.state]), [
      ["4242", null, "quarantined"],
      [alone.businessAccountId, alone.tenantId, "pending"],
    ]);
  }));

Deno.test("what was not understood is quarantined with its reason and never claimed", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [anEvent(tenancy, { kind: "unknown", reason: "unknown_status" })]);
    const [row] = await sql`select state, reason from switchyard.inbound_events`;
    assert.deepEqual({ ...row }, { state: "quarantined", reason: "unknown_status" });
    assert.deepEqual(await claimEvents(sql, 10), []);
  }));

Deno.test("apply_events() applies an event once: a second worker changes nothing", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [anEvent(tenancy, { kind: "message" })]);
    const first = await claimEvents(sql, 10);
    await sql`update pgmq.q_wa_inbound set vt = clock_timestamp() - interval '1 second'`;
    const second = await claimEvents(sql, 10);
    assert.deepEqual(await apply(sql, first, () => aText()), [false]);
    assert.deepEqual(await apply(sql, second, () => aText()), [true]);
    assert.deepEqual(await apply(sql, second, () => aText()), [false]);
    const [row] = await sql`select count(*)::integer as events from switchyard.conversation_events`;
    assert.equal(row!.events, 1);
    assert.deepEqual(await claimEvents(sql, 10), []);
  }));

Deno.test("statuses in any order leave the highest, and all of them in the timeline", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const claims = await claim(sql, 10, NOW);
    await settle(sql, claims, (it) => ({ ...accepted(it), wamid: "wamid.1" }), NOW);
    for (const status of ["read", "delivered", "sent"]) {
      await store(sql, [anEvent(tenancy)]);
      await apply(sql, await claimEvents(sql, 10), () => aStatus(status));
      assert.equal((await readMessages(sql, tenancy))[0]!.status, "read");
    }
    const [told] = await sql`
      select switchyard_api.get_message(${tenancy.tenantId}, ${claims[0]!.id}) as message`;
    const timeline = told!.message.timeline.map((step: { status: string }) => step.status);
    assert.deepEqual(timeline, ["queued", "sending", "sent", "delivered", "read"]);
  }));

Deno.test("a delivery that is reported after a failure is the truth, the reverse is not", async (t) => {
  await using database = await createDatabase();
  const { sql } = database;
  const cases = [
    { order: ["failed", "delivered"], end: "delivered" },
    { order: ["delivered", "failed"], end: "delivered" },
    { order: ["sent", "failed"], end: "failed" },
    { order: ["played"], end: "read" },
  ];
  for (const { order, end } of cases) {
    await t.step(`${order.join(", ")} → ${end}`, async () => {
      const tenancy = await createTenancy(sql);
      await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
      const [message] = await claim(sql, 10, NOW);
      await settle(sql, [message!], accepted, NOW);
      for (const status of order) {
        await store(sql, [anEvent(tenancy)]);
        await apply(
          sql,
          await claimEvents(sql, 10),
          () => aStatus(status, { message_id: message!.id }),
        );
      }
      assert.equal((await readMessages(sql, tenancy))[0]!.status, end);
    });
  }
});

Deno.test("a status that comes before the answer of the call finds its message by our id", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const [message] = await claim(sql, 10, NOW);
    await store(sql, [anEvent(tenancy)]);
    await apply(
      sql,
      await claimEvents(sql, 10),
      () => aStatus("delivered", { message_id: message!.id }),
    );
    await settle(sql, [message!], () => ({ outcome: "accepted", wamid: "wamid.1" }), NOW);
    const [row] = await readMessages(sql, tenancy);
    assert.deepEqual([row!.status, row!.wamid], ["delivered", "wamid.1"]);
  }));

Deno.test("a status without our id waits for the wamid of its message", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const claims = await claim(sql, 10, NOW);
    await store(sql, [anEvent(tenancy)]);
    await apply(sql, await claimEvents(sql, 10), () => aStatus("delivered"));
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "sending");
    await settle(sql, claims, () => ({ outcome: "accepted", wamid: "wamid.1" }), NOW);
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "delivered");
  }));

Deno.test("a status settles a message whose outcome was unknown and lets the next of its pair go", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const [, next] = await enqueue(sql, tenancy, [anItem(tenancy), anItem(tenancy)], NOW);
    const [message] = await claim(sql, 10, NOW);
    const unknown_until = new Date(NOW.getTime() + 60_000).toISOString();
    await settle(sql, [message!], () => ({ outcome: "unknown", unknown_until }), NOW);
    const later = new Date(NOW.getTime() + 5_000);
    assert.deepEqual(await claim(sql, 10, later), []);
    await store(sql, [anEvent(tenancy)]);
    await apply(
      sql,
      await claimEvents(sql, 10),
      () => aStatus("sent", { message_id: message!.id }),
    );
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "sent");
    assert.deepEqual((await claim(sql, 10, later)).map(({ id }) => id), [next!.id]);
  }));

Deno.test("each participant of a group has statuses of its own, and one failure is not that of all", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const claims = await claim(sql, 10, NOW);
    await settle(sql, claims, () => ({ outcome: "accepted", wamid: "wamid.1" }), NOW);
    const reports = [["delivered", "ann"], ["failed", "bob"], ["delivered", "cem"], [
      "read",
      "cem",
    ]];
    await store(sql, reports.map(() => anEvent(tenancy)));
    const events = await claimEvents(sql, 10);
    const statuses = new Map(events.map(({ id }, nth) => [id, reports[nth]!]));
    await apply(sql, events, ({ id }) => {
      const [status, recipient] = statuses.get(id)!;
      return aStatus(status!, { recipient });
    });
    const kept = await sql`
      select status, recipient from switchyard.message_statuses order by inbound_event_id`;
    assert.deepEqual(kept.map(({ status, recipient }) => [status, recipient]), reports);
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "read");
  }));

Deno.test("a status never touches the message of another sender", () =>
  withDatabase(async ({ sql }) => {
    const [one, two] = [await createTenancy(sql), await createTenancy(sql)];
    await enqueue(sql, one, [anItem(one)], NOW);
    const [message] = await claim(sql, 10, NOW);
    await settle(sql, [message!], () => ({ outcome: "accepted", wamid: "wamid.1" }), NOW);
    await store(sql, [anEvent(two)]);
    await apply(
      sql,
      await claimEvents(sql, 10),
      () => aStatus("read", { message_id: message!.id }),
    );
    assert.equal((await readMessages(sql, one))[0]!.status, "sent");
  }));

Deno.test("an album from a new customer on several workers is one conversation", () =>
  withDatabase(async ({ sql, connect }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, Array.from({ length: 10 }, () => anEvent(tenancy, { kind: "message" })));
    await Promise.all(Array.from({ length: 5 }, async () => {
      const own = connect();
      const claimed = await claimEvents(own, 2);
      await apply(own, claimed, ({ id }) => aText({ wamid: `wamid.${id}` }));
    }));
    const conversations = await sql`
      select tenant_id, customer_phone, customer_name, last_inbound_at from switchyard.conversations`;
    assert.deepEqual(conversations.map((row) => ({ ...row })), [{
      tenant_id: tenancy.tenantId,
      customer_phone: "+15550200001",
      customer_name: "Ann",
      last_inbound_at: NOW,
    }]);
    const [row] = await sql`select count(*)::integer as events from switchyard.conversation_events`;
    assert.equal(row!.events, 10);
  }));

Deno.test("a customer without a phone number has a conversation under the user id", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [anEvent(tenancy, { kind: "message" })]);
    await apply(sql, await claimEvents(sql, 10), () => aText({ phone: null, user_id: "US.abc" }));
    const [row] = await sql`select customer_phone, customer_user_id from switchyard.conversations`;
    assert.deepEqual({ ...row }, { customer_phone: null, customer_user_id: "US.abc" });
  }));

Deno.test("an event that is to be tried again stays, one that is dead leaves a letter", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [anEvent(tenancy)]);
    const retry = { action: "retry", delay_seconds: 60, reason: "not_applicable" };
    await apply(sql, await claimEvents(sql, 10), () => retry);
    assert.deepEqual(await claimEvents(sql, 10), []);
    await sql`update pgmq.q_wa_inbound set vt = clock_timestamp() - interval '1 second'`;
    const again = await claimEvents(sql, 10);
    assert.equal(again[0]!.attempt, 2);
    await apply(sql, again, () => ({ action: "dead", reason: "status_not_understood" }));
    const [letter] = await sql`select cause, tenant_id from switchyard.dead_letters`;
    assert.deepEqual({ ...letter }, {
      cause: "status_not_understood",
      tenant_id: tenancy.tenantId,
    });
    const [row] = await sql`select count(*)::integer as entries from pgmq.q_wa_inbound`;
    assert.equal(row!.entries, 0);
  }));
