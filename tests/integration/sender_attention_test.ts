import { strict as assert } from "node:assert";

import { type Sql, withDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { later, NOW } from "../support/now.ts";
import { anItem, claim, enqueue, queueLength, readMessages } from "../support/outbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

async function raise(
  sql: Sql,
  senderIds: string[],
  cause: string,
  options: { at?: Date; versions?: number[] | null } = {},
): Promise<string[]> {
  const [row] = await sql`
    select switchyard.raise_attention(
      ${senderIds}::uuid[], ${cause}, '{"code": 190}', ${options.at ?? NOW},
      ${options.versions ?? null}::integer[]) as raised`;
  return row!.raised;
}

async function clear(sql: Sql, senderId: string, at: Date): Promise<number> {
  const [row] = await sql`select switchyard.clear_attention(${senderId}, ${at}) as cleared`;
  return row!.cleared;
}

async function statusOf(sql: Sql, tenancy: Tenancy): Promise<string> {
  const [row] = await sql`select status from switchyard.senders where id = ${tenancy.senderId}`;
  return row!.status;
}

async function listAttention(sql: Sql, tenantId: string | null) {
  const rows = await sql`select * from switchyard_api.list_attention(${tenantId})`;
  return rows.map((row) => ({ ...row }));
}

Deno.test("a sender that needs attention is paused, and its messages wait without being read", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    assert.deepEqual(await raise(sql, [tenancy.senderId], "token_expired"), [tenancy.senderId]);
    assert.equal(await statusOf(sql, tenancy), "paused");
    assert.deepEqual(await claim(sql, 10, later(60_000)), []);
    assert.equal(await queueLength(sql), 0);
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "queued");
    await clear(sql, tenancy.senderId, later(61_000));
    assert.equal(await statusOf(sql, tenancy), "active");
    assert.equal((await claim(sql, 10, later(61_000))).length, 1);
  }));

Deno.test("attention for one cause is raised once until it is cleared", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    assert.equal((await raise(sql, [tenancy.senderId], "token_expired")).length, 1);
    assert.equal((await raise(sql, [tenancy.senderId], "token_expired")).length, 0);
    assert.equal((await raise(sql, [tenancy.senderId], "permission_missing")).length, 1);
    assert.equal(await clear(sql, tenancy.senderId, later(1_000)), 2);
    assert.equal(await clear(sql, tenancy.senderId, later(1_000)), 0);
    assert.equal((await raise(sql, [tenancy.senderId], "token_expired")).length, 1);
    const rows = await sql`select cleared_at from switchyard.sender_attention order by id`;
    assert.deepEqual(rows.map(({ cleared_at }) => cleared_at), [later(1_000), later(1_000), null]);
  }));

Deno.test("workers that meet the same refusal at once raise attention once", () =>
  withDatabase(async ({ sql, connect }) => {
    const senders: string[] = [];
    for (let i = 0; i < 5; i++) senders.push((await createTenancy(sql)).senderId);
    const raised = await Promise.all(
      Array.from(
        { length: 8 },
        (_, i) => raise(connect(), i % 2 ? senders : senders.toReversed(), "token_expired"),
      ),
    );
    assert.deepEqual(raised.flat().sort(), senders.sort());
  }));

Deno.test("a refusal of a token that was rotated since raises nothing", () =>
  withDatabase(async ({ sql }) => {
    const [one, two] = [await createTenancy(sql), await createTenancy(sql)];
    await sql`
      select switchyard_api.rotate_credential(
        ${one.tenantId}, ${one.phoneNumberId}, 'fresh', '{"kind": "secret"}')`;
    const senders = [one.senderId, two.senderId];
    const raised = await raise(sql, senders, "token_expired", { versions: [1, 1] });
    assert.deepEqual(raised, [two.senderId]);
    assert.equal(await statusOf(sql, one), "active");
    assert.equal(await statusOf(sql, two), "paused");
    const again = await raise(sql, senders, "token_expired", { versions: [2, 1] });
    assert.deepEqual(again, [one.senderId]);
  }));

Deno.test("a refusal that waits for a rotation under way sees it", () =>
  withDatabase(async ({ sql, connect }) => {
    const tenancy = await createTenancy(sql);
    let raising: Promise<string[]> | undefined;
    await connect().begin(async (transaction) => {
      await transaction`
        select switchyard_api.rotate_credential(
          ${tenancy.tenantId}, ${tenancy.phoneNumberId}, 'fresh', '{"kind": "secret"}')`;
      raising = raise(connect(), [tenancy.senderId], "token_expired", { versions: [1] });
      await eventually(async () => {
        const waiting = await sql`select from pg_locks where not granted`;
        return waiting.length > 0;
      });
    });
    assert.deepEqual(await raising, []);
    assert.equal(await statusOf(sql, tenancy), "active");
  }));

Deno.test("a sender that was paused before stays paused when its attention is cleared", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await sql`update switchyard.senders set status = 'paused' where id = ${tenancy.senderId}`;
    assert.equal((await raise(sql, [tenancy.senderId], "token_expired")).length, 1);
    assert.equal(await clear(sql, tenancy.senderId, later(1_000)), 1);
    assert.equal(await statusOf(sql, tenancy), "paused");
  }));

Deno.test("a removed sender needs no attention and does not come back", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await raise(sql, [tenancy.senderId], "token_expired");
    await sql`update switchyard.senders set status = 'removed' where id = ${tenancy.senderId}`;
    assert.equal((await raise(sql, [tenancy.senderId], "permission_missing")).length, 0);
    await clear(sql, tenancy.senderId, later(1_000));
    assert.equal(await statusOf(sql, tenancy), "removed");
  }));

Deno.test("clearing attention rings for a worker", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await sql`select vault.create_secret('http://project.test', 'switchyard_project_url')`;
    await sql`select vault.create_secret('sb_secret_x', 'switchyard_secret_key')`;
    await raise(sql, [tenancy.senderId], "token_expired");
    await clear(sql, tenancy.senderId, later(1_000));
    await clear(sql, tenancy.senderId, later(2_000));
    const rings = await sql`select url from net.http_request_queue`;
    assert.deepEqual(rings.map(({ url }) => url), ["http://project.test/functions/v1/wa-sender"]);
  }));

Deno.test("list_attention() lists what is open, of one tenant or of all, the latest first", () =>
  withDatabase(async ({ sql }) => {
    const [one, two] = [await createTenancy(sql), await createTenancy(sql)];
    await raise(sql, [one.senderId], "token_expired", { at: NOW });
    await raise(sql, [two.senderId], "token_expired", { at: later(1_000) });
    await raise(sql, [one.senderId], "permission_missing", { at: later(2_000) });
    const of = ({ senderId, tenantId, phoneNumberId }: Tenancy, cause: string, ms: number) => ({
      sender_id: senderId,
      tenant_id: tenantId,
      phone_number_id: phoneNumberId,
      cause,
      detail: { code: 190 },
      raised_at: later(ms),
      stops: "all",
      until: null,
    });
    const [latest, middle, first] = [
      of(one, "permission_missing", 2_000),
      of(two, "token_expired", 1_000),
      of(one, "token_expired", 0),
    ];
    assert.deepEqual(await listAttention(sql, null), [latest, middle, first]);
    assert.deepEqual(await listAttention(sql, one.tenantId), [latest, first]);
    await clear(sql, one.senderId, later(3_000));
    assert.deepEqual(await listAttention(sql, null), [middle]);
  }));
