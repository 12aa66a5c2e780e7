import { strict as assert } from "node:assert";

import { addEndpoint } from "../support/callbacks.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { anEvent, apply, claimEvents, store } from "../support/inbound.ts";
import { accepted, anItem, type Claim, claim, enqueue, settle } from "../support/outbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const NOW = new Date();
const EVENTS = ["message.status", "message.received", "sender.attention"];

function later(ms: number): Date {
  return new Date(NOW.getTime() + ms);
}

/** A tenant that wants to hear of everything. */
async function withTenant(
  test: (sql: Sql, tenancy: Tenancy) => Promise<void>,
  events = EVENTS,
): Promise<void> {
  await using database = await createDatabase();
  const tenancy = await createTenancy(database.sql);
  await addEndpoint(database.sql, tenancy, { events });
  await test(database.sql, tenancy);
}

async function told(sql: Sql) {
  const rows = await sql<{ type: string; order_key: string; payload: Record<string, unknown> }[]>`
    select type, order_key, payload from switchyard.callback_events order by told_no`;
  return rows.map((row) => ({ ...row }));
}

async function toldStatuses(sql: Sql): Promise<unknown[]> {
  return (await told(sql)).map(({ payload }) => payload.status);
}

async function sendOne(
  sql: Sql,
  tenancy: Tenancy,
  overrides: Record<string, unknown> = {},
): Promise<Claim> {
  await enqueue(sql, tenancy, [anItem(tenancy, overrides)], NOW);
  const [claimed] = await claim(sql, 10, NOW);
  return claimed!;
}

/** Meta reports these statuses of a message, all in one batch. */
async function report(
  sql: Sql,
  tenancy: Tenancy,
  { id }: Claim,
  ...statuses: { status: string; at?: string; errors?: unknown }[]
): Promise<void> {
  await store(sql, statuses.map(() => anEvent(tenancy)));
  const events = await claimEvents(sql, 10);
  assert.equal(events.length, statuses.length);
  await apply(sql, events, (event) => {
    const nth = events.indexOf(event);
    return {
      action: "status",
      wamid: `wamid.${id}`,
      message_id: id,
      recipient: "+15550200001",
      at: "2026-11-22T12:00:05Z",
      pricing: null,
      errors: null,
      ...statuses[nth]!,
    };
  });
}

Deno.test("a tenant is told of each status that a message reaches, in order, with what it is", () =>
  withTenant(async (sql, tenancy) => {
    const message = await sendOne(sql, tenancy, { client_ref: "order 7" });
    assert.deepEqual(await told(sql), [], "that it is queued or being sent is not told");
    await settle(sql, [message], accepted, NOW);
    await report(sql, tenancy, message, { status: "delivered" });
    await report(sql, tenancy, message, { status: "read" });

    const events = await told(sql);
    assert.deepEqual(events.map(({ payload }) => payload.status), ["sent", "delivered", "read"]);
    assert.deepEqual(new Set(events.map(({ type }) => type)), new Set(["message.status"]));
    assert.deepEqual(
      new Set(events.map(({ order_key }) => order_key)),
      new Set([`${tenancy.senderId}:+15550200001`]),
    );
    const { at: _, ...first } = events[0]!.payload;
    assert.deepEqual(first, {
      message_id: message.id,
      status: "sent",
      from: tenancy.phoneNumberId,
      to: "+15550200001",
      type: "text",
      lane: "normal",
      client_ref: "order 7",
      wamid: `wamid.${message.id}`,
    });
    assert.equal(
      new Date(events[1]!.payload.at as string).toISOString(),
      "2026-11-22T12:00:05.000Z",
    );
  }));

Deno.test("statuses that come in one batch are told one after the other", () =>
  withTenant(async (sql, tenancy) => {
    const message = await sendOne(sql, tenancy);
    await report(
      sql,
      tenancy,
      message,
      { status: "read" },
      { status: "sent" },
      { status: "delivered" },
    );
    await settle(sql, [message], accepted, NOW);
    assert.deepEqual(await toldStatuses(sql), ["sent", "delivered", "read"]);
  }));

Deno.test("a status that comes again or too late is not told, nor is the answer that a webhook overtook", () =>
  withTenant(async (sql, tenancy) => {
    const message = await sendOne(sql, tenancy);
    await report(sql, tenancy, message, { status: "read" });
    await settle(sql, [message], accepted, NOW);
    await report(sql, tenancy, message, { status: "delivered" }, { status: "read" });
    assert.deepEqual(await toldStatuses(sql), ["read"]);
  }));

Deno.test("a delivery that follows a failure is told after it", () =>
  withTenant(async (sql, tenancy) => {
    const message = await sendOne(sql, tenancy);
    await settle(sql, [message], accepted, NOW);
    const errors = [{ code: 131026, title: "Message undeliverable" }];
    await report(sql, tenancy, message, { status: "failed", errors });
    await report(sql, tenancy, message, { status: "delivered" });
    const events = await told(sql);
    assert.deepEqual(events.map(({ payload }) => [payload.status, payload.error]), [
      ["sent", undefined],
      ["failed", errors[0]],
      ["delivered", undefined],
    ]);
  }));

Deno.test("a message that Meta refuses is told as dead, with the reason", () =>
  withTenant(async (sql, tenancy) => {
    const error = { cause: "recipient_cannot_be_reached", title: "Not a WhatsApp number" };
    await settle(sql, [await sendOne(sql, tenancy)], () => ({ outcome: "rejected", error }), NOW);
    const [event] = await told(sql);
    assert.deepEqual([event!.payload.status, event!.payload.error], ["dead", error]);
  }));

Deno.test("an unknown outcome is told, and what became of it", () =>
  withTenant(async (sql, tenancy) => {
    const message = await sendOne(sql, tenancy, { on_unknown: "dead_letter" });
    const unknown = () => ({ outcome: "unknown", unknown_until: NOW, error: { cause: "timeout" } });
    await settle(sql, [message], unknown, NOW);
    assert.deepEqual(await toldStatuses(sql), ["outcome_unknown"]);
    await sql`select switchyard.resolve_unknown_messages(${later(1)}, 10)`;
    assert.deepEqual(await toldStatuses(sql), ["outcome_unknown", "dead"]);
    await report(sql, tenancy, message, { status: "delivered" });
    assert.deepEqual(await toldStatuses(sql), ["outcome_unknown", "dead", "delivered"]);
  }));

Deno.test("a message whose worker died is told as unknown", () =>
  withTenant(async (sql, tenancy) => {
    await sendOne(sql, tenancy);
    await sql`select switchyard.end_lost_leases(${later(120_000)}, 10)`;
    assert.deepEqual(await toldStatuses(sql), ["outcome_unknown"]);
  }));

Deno.test("messages that expire or are withdrawn are told", () =>
  withTenant(async (sql, tenancy) => {
    const items = [
      anItem(tenancy, { to: "+15550200001", expires_at: later(1_000) }),
      anItem(tenancy, { to: "+15550200002" }),
    ];
    const [, withdrawn] = await enqueue(sql, tenancy, items, NOW);
    await sql`
      select switchyard_api.cancel_message(${tenancy.tenantId}, ${withdrawn!.id}, ${NOW})`;
    await claim(sql, 10, later(5_000));
    assert.deepEqual(new Set(await toldStatuses(sql)), new Set(["cancelled", "expired"]));
  }));

Deno.test("a message that dies again after a redrive is not told twice", () =>
  withTenant(async (sql, tenancy) => {
    const rejected = () => ({ outcome: "rejected", error: { cause: "refused" } });
    await settle(sql, [await sendOne(sql, tenancy)], rejected, NOW);
    await sql`
      select switchyard_api.redrive_dead_letters(${tenancy.tenantId}, '{}', 10, '{}', ${NOW})`;
    const again = await claim(sql, 10, later(1_000));
    assert.equal(again.length, 1);
    await settle(sql, again, rejected, later(1_000));
    assert.deepEqual(await toldStatuses(sql), ["dead"]);
  }));

Deno.test("what a customer wrote is told once, in the line of its conversation", () =>
  withTenant(async (sql, tenancy) => {
    await store(sql, [anEvent(tenancy, { kind: "message" })]);
    const events = await claimEvents(sql, 10);
    const message = () => ({
      action: "message",
      wamid: "wamid.in",
      phone: "+15550200001",
      user_id: null,
      name: "Ada",
      type: "text",
      content: { text: { body: "hello" }, nothing: null },
      at: "2026-11-22T12:00:00Z",
    });
    await apply(sql, events, message);
    await apply(sql, events, message);
    const [event, ...others] = await told(sql);
    assert.equal(others.length, 0);
    assert.equal(event!.type, "message.received");
    assert.equal(event!.order_key, `${tenancy.senderId}:+15550200001`);
    const { conversation_id, message: told_message, ...data } = event!.payload;
    assert.match(String(conversation_id), /^[0-9a-f-]{36}$/);
    assert.deepEqual(data, {
      sender: tenancy.phoneNumberId,
      customer: { phone: "+15550200001", user_id: null, name: "Ada" },
    });
    const { id, at, ...content } = told_message as Record<string, unknown>;
    assert.match(String(id), /^[0-9]+$/);
    assert.equal(new Date(at as string).toISOString(), "2026-11-22T12:00:00.000Z");
    assert.deepEqual(content, {
      direction: "inbound",
      type: "text",
      wamid: "wamid.in",
      text: { body: "hello" },
      nothing: null,
    });
  }));

Deno.test("a sender that needs attention is told once, with its cause and no more of Meta's answer", () =>
  withTenant(async (sql, tenancy) => {
    for (let n = 0; n < 2; n++) {
      await sql`
        select switchyard.raise_attention(array[${tenancy.senderId}::uuid], 'token_expired',
          '{"code": 190, "title": "Access token expired", "fbtrace_id": "A1"}', ${NOW})`;
    }
    const events = await told(sql);
    assert.equal(events.length, 1);
    const { raised_at: _, ...data } = events[0]!.payload;
    assert.deepEqual(data, {
      phone_number_id: tenancy.phoneNumberId,
      display_phone_number: "+1 555 010 0001",
      cause: "token_expired",
      paused: true,
      code: 190,
      title: "Access token expired",
    });
  }));

Deno.test("a tenant is told of what it asked for and of nothing else, and never of a neighbour's", () =>
  withTenant(async (sql, tenancy) => {
    const neighbour = await createTenancy(sql);
    await settle(sql, [await sendOne(sql, neighbour)], accepted, NOW);
    await settle(sql, [await sendOne(sql, tenancy)], accepted, NOW);
    assert.deepEqual(await told(sql), []);
  }, ["message.received"]));

Deno.test("statuses of one message on several connections at once are told once each, in order", () =>
  withTenant(async (sql, tenancy) => {
    const message = await sendOne(sql, tenancy);
    const statuses = ["sent", "delivered", "read", "delivered", "read", "sent"];
    await store(sql, statuses.map(() => anEvent(tenancy)));
    const events = await claimEvents(sql, 10);
    const applied = events.map((event, nth) =>
      apply(sql, [event], () => ({
        action: "status",
        wamid: `wamid.${message.id}`,
        message_id: message.id,
        status: statuses[nth],
        recipient: null,
        at: "2026-11-22T12:00:05Z",
        pricing: null,
        errors: null,
      }))
    );
    await Promise.all([...applied, settle(sql, [message], accepted, NOW)]);
    const reached = await toldStatuses(sql);
    assert.deepEqual(reached, ["sent", "delivered", "read"].filter((it) => reached.includes(it)));
    assert.equal(reached.at(-1), "read");
  }));
