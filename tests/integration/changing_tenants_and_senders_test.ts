import { strict as assert } from "node:assert";

import { createDatabase, type Sql, withDatabase } from "../support/database.ts";
import { anItem, claim, enqueue } from "../support/outbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const NOW = new Date("2026-11-22T12:00:00Z");
const later = (ms: number) => new Date(NOW.getTime() + ms);
const OPERATOR = { kind: "secret", id: "ann" };

type Changes = Record<string, unknown>;
interface Changed {
  outcome: string;
  tenant?: Changes;
  sender?: Changes;
}

async function changeTenant(sql: Sql, { tenantId }: Tenancy, changes: Changes): Promise<Changed> {
  const [row] = await sql<{ changed: Changed }[]>`
    select switchyard_api.change_tenant(
      ${tenantId}, ${sql.json(changes as never)}, ${sql.json(OPERATOR)}) as changed`;
  return row!.changed;
}

async function changeSender(sql: Sql, tenancy: Tenancy, changes: Changes): Promise<Changed> {
  const [row] = await sql<{ changed: Changed }[]>`
    select switchyard_api.change_sender(${tenancy.tenantId}, ${tenancy.phoneNumberId},
      ${sql.json(changes as never)}, ${sql.json(OPERATOR)}) as changed`;
  return row!.changed;
}

async function audited(sql: Sql, action: string) {
  const rows = await sql`
    select actor, target, detail from switchyard.audit_log where action = ${action} order by id`;
  return rows.map((row) => ({ ...row }));
}

/** Messages to as many recipients, all at this moment. */
function enqueueSome(sql: Sql, tenancy: Tenancy, count: number, at = NOW) {
  const items = Array.from(
    { length: count },
    (_, nth) => anItem(tenancy, { to: `+1555020${1_000 + nth}` }),
  );
  return enqueue(sql, tenancy, items, at);
}

/** The limits that the next claim comes with. */
async function claimedLimits(sql: Sql, at: Date) {
  const [row] = await sql`
    select limit_messages as messages, limit_window_seconds as window_seconds,
      limit_is_of_sender as is_of_sender, per_second
    from switchyard_api.claim_messages(1, 60, 'worker', ${at})`;
  return { ...row!, per_second: Number(row!.per_second) };
}

Deno.test("a claim comes with the limits that hold for it at that moment", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueueSome(sql, tenancy, 5);
    const next = () => claimedLimits(sql, later(1_000));
    const ofTenant = { messages: 80, window_seconds: 60, is_of_sender: false, per_second: 80 };
    assert.deepEqual(await next(), ofTenant);
    await changeTenant(sql, tenancy, { limit: { messages: 200, window_seconds: 30 } });
    const raised = { ...ofTenant, messages: 200, window_seconds: 30 };
    assert.deepEqual(await next(), raised);
    const own = { messages: 9, window_seconds: 10 };
    await changeSender(sql, tenancy, { limit: own, throughput_per_second: 40 });
    assert.deepEqual(await next(), { ...own, is_of_sender: true, per_second: 40 });
    await changeSender(sql, tenancy, { limit: null });
    assert.deepEqual(await next(), { ...raised, per_second: 40 });
  }));

Deno.test("new messages take their slots at the new rate", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql, { throughputPerSecond: 10 });
    const lastSlot = async (at: Date) =>
      (await enqueueSome(sql, tenancy, 80, at)).at(-1)!.planned_send_at!.getTime() - at.getTime();
    assert.equal(await lastSlot(NOW), 79 * 125 - 125);
    await changeSender(sql, tenancy, { throughput_per_second: 100 });
    assert.equal(await lastSlot(later(60_000)), Math.floor(79 * 12.5) - 125);
  }));

Deno.test("a rate that Meta's complaints lowered stays, unless the new one is lower still", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await sql`update switchyard.senders set slowed_per_second = 20, slowed_at = ${NOW}`;
    const slowed = async () =>
      (await sql`select slowed_per_second::float as rate from switchyard.senders`)[0]!.rate;
    await changeSender(sql, tenancy, { throughput_per_second: 100 });
    assert.equal(await slowed(), 20);
    await changeSender(sql, tenancy, { throughput_per_second: 10 });
    assert.equal(await slowed(), null);
  }));

Deno.test("a change says what the tenant is now, and the audit log who changed what from what", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const limit = { messages: 90, window_seconds: 60 };
    const { outcome, tenant } = await changeTenant(sql, tenancy, { name: "Acme", limit });
    const { id, name, status, limit: now, senders } = tenant!;
    assert.deepEqual({ outcome, id, name, status, now, senders }, {
      outcome: "changed",
      id: tenancy.tenantId,
      name: "Acme",
      status: "active",
      now: limit,
      senders: 1,
    });
    assert.deepEqual(await audited(sql, "tenant.changed"), [{
      actor: OPERATOR,
      target: tenancy.tenantId,
      detail: {
        name: { from: "A tenant", to: "Acme" },
        limit: { from: { messages: 80, window_seconds: 60 }, to: limit },
      },
    }]);
  }));

Deno.test("what is so already is not changed and not audited", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const changes = { status: "suspended", limit: { window_seconds: 5, messages: 7 } };
    const first = await changeTenant(sql, tenancy, changes);
    const [before] = await sql`select updated_at from switchyard.tenants`;
    assert.deepEqual(await changeTenant(sql, tenancy, changes), { ...first, outcome: "unchanged" });
    assert.deepEqual((await sql`select updated_at from switchyard.tenants`)[0], before);
    const own = { limit: { messages: 7, window_seconds: 5 }, display_phone_number: "+1 555" };
    const sender = await changeSender(sql, tenancy, own);
    assert.deepEqual(await changeSender(sql, tenancy, own), { ...sender, outcome: "unchanged" });
    assert.equal((await changeSender(sql, tenancy, { limit: null })).outcome, "changed");
    assert.equal((await changeSender(sql, tenancy, { limit: null })).outcome, "unchanged");
    assert.equal((await audited(sql, "tenant.changed")).length, 1);
    assert.deepEqual((await audited(sql, "sender.changed")).map(({ detail }) => detail), [
      {
        limit: { from: null, to: own.limit },
        display_phone_number: { from: "+1 555 010 0001", to: "+1 555" },
      },
      { limit: { from: own.limit, to: null } },
    ]);
  }));

Deno.test("what is nobody's is not changed", () =>
  withDatabase(async ({ sql }) => {
    const [ours, theirs] = [await createTenancy(sql), await createTenancy(sql)];
    const nobody = { ...ours, tenantId: crypto.randomUUID() };
    assert.deepEqual(await changeTenant(sql, nobody, { name: "X" }), {
      outcome: "tenant_not_found",
    });
    const mixed = { ...ours, phoneNumberId: theirs.phoneNumberId };
    assert.deepEqual(await changeSender(sql, mixed, { limit: null }), {
      outcome: "sender_not_found",
    });
  }));

Deno.test("operators who change different things at once change all of them, the same thing once", async () => {
  await using database = await createDatabase();
  const { sql, connect } = database;
  const tenancy = await createTenancy(sql);
  const limit = { messages: 5, window_seconds: 60 };
  const wanted = [{ name: "Acme" }, { limit }, { status: "suspended" }];
  const outcomes = await Promise.all(
    [...wanted, ...wanted].map((changes) => changeTenant(connect(), tenancy, changes)),
  );
  assert.equal(outcomes.filter(({ outcome }) => outcome === "changed").length, 3);
  const { tenant } = await changeTenant(sql, tenancy, { name: "Acme" });
  const { name, limit: held, status } = tenant!;
  assert.deepEqual({ name, held, status }, { name: "Acme", held: limit, status: "suspended" });
  assert.equal((await audited(sql, "tenant.changed")).length, 3);
});

Deno.test("a suspended tenant's backlog waits unread, and all of it goes once it is active", () =>
  withDatabase(async ({ sql }) => {
    const [tenancy, other] = [await createTenancy(sql), await createTenancy(sql)];
    await enqueueSome(sql, tenancy, 20);
    const first = await claim(sql, 5, later(1_000));
    await changeTenant(sql, tenancy, { status: "suspended" });
    assert.deepEqual(await claim(sql, 100, later(1_000)), []);
    await enqueueSome(sql, other, 1);
    assert.equal((await claim(sql, 100, later(1_000))).length, 1);
    await changeTenant(sql, tenancy, { status: "active" });
    const rest = await claim(sql, 100, later(1_000));
    assert.equal(new Set([...first, ...rest].map(({ id }) => id)).size, 20);
  }));

Deno.test("a paused sender's messages are accepted and wait until somebody makes it active", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const { sender } = await changeSender(sql, tenancy, { status: "paused" });
    assert.equal(sender!.status, "paused");
    await enqueueSome(sql, tenancy, 3);
    assert.deepEqual(await claim(sql, 10, later(1_000)), []);
    await changeSender(sql, tenancy, { status: "active" });
    assert.equal((await claim(sql, 10, later(1_000))).length, 3);
  }));

Deno.test("a sender that an operator pauses is not resumed when what had paused it is over", () =>
  withDatabase(async ({ sql }) => {
    const [kept, other] = [await createTenancy(sql), await createTenancy(sql)];
    const senders = sql`array[${kept.senderId}, ${other.senderId}]::uuid[]`;
    await sql`select switchyard.raise_attention(${senders}, 'account_disabled', '{}', ${NOW})`;
    assert.equal((await changeSender(sql, kept, { status: "paused" })).outcome, "changed");
    assert.equal((await changeSender(sql, kept, { status: "paused" })).outcome, "unchanged");
    await sql`select switchyard.end_attention(${senders}, array['account_disabled'], ${NOW})`;
    const statuses = await sql`select id, status from switchyard.senders order by created_at`;
    assert.deepEqual(statuses.map(({ status }) => status), ["paused", "active"]);
  }));
