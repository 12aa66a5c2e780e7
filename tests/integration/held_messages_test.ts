import { strict as assert } from "node:assert";

import { type Sql, withDatabase } from "../support/database.ts";
import { later, NOW } from "../support/now.ts";
import { accepted, anItem, claim, enqueue, readMessages, settle } from "../support/outbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const OPERATOR = { kind: "secret" };

/** Messages to as many recipients, claimed and put back for an hour: they wait for this. */
async function holdBack(sql: Sql, tenancy: Tenancy, count: number, waiting_for: string) {
  const items = Array.from(
    { length: count },
    (_, nth) => anItem(tenancy, { to: `+1555020${String(1_000 + nth)}` }),
  );
  const answers = await enqueue(sql, tenancy, items, NOW);
  const due_at = later(3_600_000).toISOString();
  const claims = await claim(sql, count, later(60_000));
  assert.equal(claims.length, count);
  await settle(sql, claims, () => ({ outcome: "deferred", due_at, waiting_for }), later(60_000));
  assert.deepEqual(await claim(sql, count, later(61_000)), []);
  return answers.map(({ id }) => id!);
}

async function release(sql: Sql, scope: string, at: Date): Promise<number> {
  const [row] = await sql`select switchyard_api.release_held_messages(${scope}, ${at}) as released`;
  return row!.released;
}

async function setStatus(sql: Sql, table: string, id: string, status: string): Promise<void> {
  await sql`update ${sql(`switchyard.${table}`)} set status = ${status} where id = ${id}`;
}

async function letRing(sql: Sql): Promise<() => Promise<number>> {
  await sql`select vault.create_secret('http://project.test', 'switchyard_project_url')`;
  await sql`select vault.create_secret('sb_secret_x', 'switchyard_secret_key')`;
  return async () =>
    (await sql`
      select from net.http_request_queue
      where url = 'http://project.test/functions/v1/wa-sender'`).length;
}

Deno.test("what a breaker held back is due at once after its reset, in the order of acceptance", () =>
  withDatabase(async ({ sql }) => {
    const [ours, theirs] = [await createTenancy(sql), await createTenancy(sql)];
    const scope = `tenant:${ours.tenantId}`;
    const ids = await holdBack(sql, ours, 3, `breaker:${scope}`);
    await holdBack(sql, theirs, 1, `breaker:tenant:${theirs.tenantId}`);
    const at = later(62_000);
    assert.equal(await release(sql, scope, at), 3);
    assert.equal(await release(sql, scope, at), 0);
    assert.deepEqual((await claim(sql, 10, at)).map(({ id }) => id), ids);
  }));

Deno.test("what a worker holds back after the reset, since it had asked before, goes with the next tick", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const scope = `tenant:${tenancy.tenantId}`;
    await sql`
      select switchyard_api.note_breaker_change(${scope}, 'reset', ${sql.json(OPERATOR)})`;
    await holdBack(sql, tenancy, 2, `breaker:${scope}`);
    const hold = async () => {
      await sql`
        select switchyard_api.hold_senders(
          ${sql.json([tenancy.senderId])}, 3600000, ${later(61_000)})`;
    };
    await hold();
    const [{ reset_at }] = await sql<[{ reset_at: Date }]>`
      select reset_at from switchyard.breaker_resets`;
    const dueAfterTick = async (ms: number) => {
      await sql`select switchyard.tick(${new Date(reset_at.getTime() + ms)})`;
      const [row] = await sql<[{ due: number; held: number }]>`
        select
          (select count(*) from switchyard.messages where waiting_for is null) as due,
          (select count(*) from switchyard.senders where held_until is not null) as held`;
      return { ...row };
    };
    assert.deepEqual(await dueAfterTick(5_000), { due: 2, held: 0 });
    await hold();
    assert.deepEqual(await dueAfterTick(61_000), { due: 2, held: 1 });
  }));

Deno.test("a reset lets nothing go that waits for a limit or for its own time", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await holdBack(sql, tenancy, 1, "limit:tenant");
    const send_at = later(3_600_000).toISOString();
    await enqueue(sql, tenancy, [anItem(tenancy, { to: "+15550300001", send_at })], NOW);
    assert.equal(await release(sql, `tenant:${tenancy.tenantId}`, later(62_000)), 0);
    assert.equal(await release(sql, "limit:tenant", later(62_000)), 0);
    assert.deepEqual(await claim(sql, 10, later(62_000)), []);
  }));

Deno.test("a reset lets at most 5,000 messages go in one transaction, the first accepted first", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const [first] = await holdBack(sql, tenancy, 1, "breaker:app");
    await sql`
      insert into switchyard.messages (
        tenant_id, sender_id, recipient, type, content, lane, planned_send_at, due_at, expires_at,
        waiting_for)
      select ${tenancy.tenantId}, ${tenancy.senderId}, '+1666' || (1000000 + nth), 'text', '{}',
        'normal', ${NOW}, ${later(3_600_000)}, ${later(7_200_000)}, 'breaker:app'
      from generate_series(1, 6000) nth`;
    const at = later(62_000);
    assert.deepEqual([await release(sql, "app", at), await release(sql, "app", at)], [
      5_000,
      1_001,
    ]);
    assert.equal((await claim(sql, 1, at))[0]!.id, first);
  }));

Deno.test("a rotated token makes due at once what waited for one, of its sender alone", () =>
  withDatabase(async ({ sql }) => {
    const [ours, theirs] = [await createTenancy(sql), await createTenancy(sql)];
    for (const tenancy of [ours, theirs]) await holdBack(sql, tenancy, 2, "credential:not_found");
    await sql`
      select switchyard_api.rotate_credential(
        ${ours.tenantId}, ${ours.phoneNumberId}, 'another token', ${sql.json(OPERATOR)})`;
    // The release is dated by the database's own clock.
    const due = await sql<{ tenant_id: string }[]>`
      select tenant_id from switchyard.messages where waiting_for is null and status = 'queued'`;
    assert.deepEqual(due.map(({ tenant_id }) => tenant_id), [ours.tenantId, ours.tenantId]);
    const unseen = await sql`
      select from switchyard.messages m
      join switchyard.sender_lanes l on l.sender_id = m.sender_id and l.share = m.share
      where l.head_due_at > m.due_at`;
    assert.equal(unseen.length, 0);
  }));

for (const [table, stopped] of [["tenants", "suspended"], ["senders", "paused"]] as const) {
  Deno.test(`what was due while the ${table} were ${stopped} goes as soon as they are active again`, () =>
    withDatabase(async ({ sql }) => {
      const tenancy = await createTenancy(sql);
      const id = table === "tenants" ? tenancy.tenantId : tenancy.senderId;
      await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
      await setStatus(sql, table, id, stopped);
      assert.deepEqual(await claim(sql, 10, NOW), []);
      const ringsSoFar = await letRing(sql);
      await setStatus(sql, table, id, "active");
      assert.equal(await ringsSoFar(), 1);
      assert.equal((await claim(sql, 10, NOW)).length, 1);
    }));
}

Deno.test("what found its tenant suspended under way is due when it is active again", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await holdBack(sql, tenancy, 1, "credential:suspended");
    await setStatus(sql, "tenants", tenancy.tenantId, "suspended");
    await setStatus(sql, "tenants", tenancy.tenantId, "active");
    const [message] = await sql`select waiting_for from switchyard.messages`;
    assert.equal(message!.waiting_for, null);
  }));

Deno.test("the backlog of a suspended tenant is no load for the others", () =>
  withDatabase(async ({ sql }) => {
    const [stopped, other] = [await createTenancy(sql), await createTenancy(sql)];
    const many = Array.from(
      { length: 50 },
      (_, i) => anItem(stopped, { to: `+1555020${1_000 + i}` }),
    );
    await enqueue(sql, stopped, many, NOW);
    await setStatus(sql, "tenants", stopped.tenantId, "suspended");
    await enqueue(sql, other, [anItem(other)], NOW);
    const claims = await sql<{ tenant_id: string; depth: number }[]>`
      select tenant_id, depth
      from switchyard_api.claim_messages(10, 60, 'worker', ${later(60_000)})`;
    assert.deepEqual(claims.map((row) => ({ ...row })), [{ tenant_id: other.tenantId, depth: 0 }]);
  }));

Deno.test("what is queued of a removed sender is dead, each with a letter that says so", () =>
  withDatabase(async ({ sql }) => {
    const [gone, other] = [await createTenancy(sql), await createTenancy(sql)];
    const send_at = later(3_600_000).toISOString();
    const items = ["+15550200001", "+15550200001", "+15550200002"].map((to) =>
      anItem(gone, { to })
    );
    await enqueue(sql, gone, [...items, anItem(gone, { to: "+15550200003", send_at })], NOW);
    const [underWay] = await claim(sql, 2, later(1_000));
    await enqueue(sql, other, [anItem(other)], later(1_000));
    await setStatus(sql, "senders", gone.senderId, "removed");
    for (let i = 1; i <= 3; i++) await sql`select switchyard.tick(${later(i * 5_000)})`;
    const statuses = async () => (await readMessages(sql, gone)).map(({ status }) => status);
    assert.deepEqual(await statuses(), ["sending", "queued", "dead", "dead"]);

    await settle(sql, [underWay!], accepted, later(16_000));
    await sql`select switchyard.tick(${later(20_000)})`;
    assert.deepEqual(await statuses(), ["sent", "dead", "dead", "dead"]);
    const letters = await sql`select cause from switchyard.dead_letters`;
    assert.deepEqual(letters.map(({ cause }) => cause), Array(3).fill("sender_removed"));
    assert.deepEqual((await readMessages(sql, other)).map(({ status }) => status), ["queued"]);
    const [{ heads }] = await sql<[{ heads: number }]>`
      select count(*) as heads from switchyard.sender_lanes
      where sender_id = ${gone.senderId} and head_due_at < 'infinity'`;
    assert.equal(heads, 0);
  }));

Deno.test("a removed sender's backlog ends in parts, a tick each", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const items = Array.from(
      { length: 30 },
      (_, i) => anItem(tenancy, { to: `+1555020${1_000 + i}` }),
    );
    await enqueue(sql, tenancy, items, NOW);
    await setStatus(sql, "senders", tenancy.senderId, "removed");
    const bury = async () => {
      const [row] = await sql`
        select switchyard.bury_messages_of_removed(${later(60_000)}, 20) as buried`;
      return row!.buried;
    };
    assert.deepEqual([await bury(), await bury(), await bury()], [20, 10, 0]);
  }));
