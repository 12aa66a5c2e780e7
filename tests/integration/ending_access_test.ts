import { strict as assert } from "node:assert";

import { createDatabase, type Sql, withDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { createTenancy } from "../support/tenancy.ts";

const OPERATOR = { kind: "secret" };
const HASH = "a".repeat(64);

async function createKey(sql: Sql, tenantId: string, keyHash = HASH): Promise<string> {
  const [row] = await sql`
    select switchyard_api.create_api_key(${tenantId}, 'crm', 'operator', ${keyHash}, 'swy_abcdef',
      ${sql.json(OPERATOR)}) ->> 'id' as id`;
  return row!.id;
}

async function resolve(sql: Sql, keyHash = HASH): Promise<string[]> {
  const rows = await sql`select key_id from switchyard_api.resolve_api_key(${keyHash})`;
  return rows.map(({ key_id }) => key_id);
}

async function revoke(sql: Sql, tenantId: string, keyId: string): Promise<string> {
  const [row] = await sql`
    select switchyard_api.revoke_api_key(${tenantId}, ${keyId}, ${sql.json(OPERATOR)})
      ->> 'outcome' as outcome`;
  return row!.outcome;
}

async function listKeys(sql: Sql, tenantId: string) {
  return await sql`select * from switchyard_api.list_api_keys(${tenantId})`;
}

async function countAudited(sql: Sql, action: string): Promise<number> {
  return (await sql`select from switchyard.audit_log where action = ${action}`).length;
}

/** A tenant with people of these roles, and their ids. */
async function withPeople(sql: Sql, roles: string[]) {
  const { tenantId } = await createTenancy(sql);
  const people = [];
  for (const role of roles) {
    const id = crypto.randomUUID();
    await sql`insert into auth.users (id) values (${id})`;
    await setRole(sql, tenantId, id, role);
    people.push(id);
  }
  return { tenantId, people };
}

async function setRole(sql: Sql, tenantId: string, userId: string, role: string) {
  const [row] = await sql`
    select switchyard_api.set_member(${tenantId}, ${userId}, ${role}, ${sql.json(OPERATOR)})
      ->> 'outcome' as outcome`;
  return row!.outcome as string;
}

async function remove(sql: Sql, tenantId: string, userId: string): Promise<string> {
  const [row] = await sql`
    select switchyard_api.remove_member(${tenantId}, ${userId}, ${sql.json(OPERATOR)})
      ->> 'outcome' as outcome`;
  return row!.outcome;
}

async function rolesOf(sql: Sql, tenantId: string): Promise<string[]> {
  const members = await sql`select role from switchyard_api.list_members(${tenantId})`;
  return members.map(({ role }) => role);
}

function untilSomebodyWaits(sql: Sql) {
  return eventually(
    () =>
      sql`
        select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`,
    ({ length }) => length === 1,
  );
}

Deno.test("a revoked key is nobody's at once, stays listed, and is revoked once", () =>
  withDatabase(async ({ sql }) => {
    const [{ tenantId }, other] = [await createTenancy(sql), await createTenancy(sql)];
    const id = await createKey(sql, tenantId);
    const theirs = await createKey(sql, other.tenantId, "b".repeat(64));
    assert.deepEqual(await resolve(sql), [id]);
    assert.equal(await revoke(sql, other.tenantId, id), "not_found");
    assert.deepEqual(await resolve(sql), [id]);

    assert.equal(await revoke(sql, tenantId, id), "revoked");
    assert.deepEqual(await resolve(sql), []);
    assert.deepEqual(await resolve(sql, "b".repeat(64)), [theirs]);
    assert.equal(await revoke(sql, tenantId, id), "not_found");
    assert.equal(await countAudited(sql, "api_key.revoked"), 1);
    const [key, ...more] = await listKeys(sql, tenantId);
    assert.deepEqual([key!.id, key!.prefix, more], [id, "swy_abcdef", []]);
    assert.ok(key!.revoked_at instanceof Date);
    assert.ok(!JSON.stringify(key).includes(HASH));
  }));

Deno.test("operators who revoke a key at once revoke it once", async () => {
  await using database = await createDatabase();
  const { sql, connect } = database;
  const { tenantId } = await createTenancy(sql);
  const id = await createKey(sql, tenantId);
  const outcomes = await Promise.all(
    Array.from({ length: 6 }, () => revoke(connect(), tenantId, id)),
  );
  assert.equal(outcomes.filter((outcome) => outcome === "revoked").length, 1);
  assert.equal(await countAudited(sql, "api_key.revoked"), 1);
});

Deno.test("a key's last use is noted every five minutes, and not with every call", () =>
  withDatabase(async ({ sql }) => {
    const { tenantId } = await createTenancy(sql);
    await createKey(sql, tenantId);
    const lastUse = async () => (await listKeys(sql, tenantId))[0]!.last_used_at as Date | null;
    assert.equal(await lastUse(), null);
    await resolve(sql);
    const first = await lastUse();
    await resolve(sql);
    assert.deepEqual(await lastUse(), first);
    await sql`update switchyard.api_keys set last_used_at = last_used_at - interval '6 minutes'`;
    await resolve(sql);
    assert.ok((await lastUse())! >= first!);
  }));

Deno.test("a key is known while somebody notes its use, and while nothing can be written", async () => {
  await using database = await createDatabase();
  const { sql, connect } = database;
  const { tenantId } = await createTenancy(sql);
  const id = await createKey(sql, tenantId);
  await sql.begin(async (transaction) => {
    await resolve(transaction as unknown as Sql);
    const other = connect();
    await other`set lock_timeout = '5s'`;
    assert.deepEqual(await resolve(other), [id]);
    // Nothing is kept of it, so that the next one would write again.
    throw new Error("rolled back");
  }).catch(({ message }) => assert.equal(message, "rolled back"));
  await sql.begin("read only", async (transaction) => {
    assert.deepEqual(await resolve(transaction as unknown as Sql), [id]);
  });
});

Deno.test("a removed member is of the tenant no more, once", () =>
  withDatabase(async ({ sql }) => {
    const { tenantId, people: [, viewer] } = await withPeople(sql, ["owner", "viewer"]);
    const other = await createTenancy(sql);
    assert.equal(await remove(sql, other.tenantId, viewer!), "not_found");
    assert.equal(await remove(sql, tenantId, viewer!), "removed");
    assert.equal(await remove(sql, tenantId, viewer!), "not_found");
    const found = await sql`select from switchyard_api.resolve_member(${tenantId}, ${viewer!})`;
    assert.equal(found.length, 0);
    assert.equal(await countAudited(sql, "member.removed"), 1);
    assert.deepEqual(await rolesOf(sql, tenantId), ["owner"]);
  }));

Deno.test("the last owner is neither removed nor made something else until there is another", () =>
  withDatabase(async ({ sql }) => {
    const { tenantId, people: [first, second] } = await withPeople(sql, ["owner", "admin"]);
    assert.equal(await remove(sql, tenantId, first!), "last_owner");
    assert.equal(await setRole(sql, tenantId, first!, "viewer"), "last_owner");
    assert.equal(await setRole(sql, tenantId, first!, "owner"), "set");
    assert.equal(await setRole(sql, tenantId, second!, "owner"), "set");
    assert.equal(await setRole(sql, tenantId, first!, "viewer"), "set");
    assert.equal(await remove(sql, tenantId, second!), "last_owner");
    assert.deepEqual((await rolesOf(sql, tenantId)).sort(), ["owner", "viewer"]);
  }));

for (
  const [what, end] of [
    ["removed", remove],
    ["made viewers", (sql: Sql, tenant: string, id: string) => setRole(sql, tenant, id, "viewer")],
  ] as const
) {
  Deno.test(`of two owners who are ${what} at once one stays`, async () => {
    await using database = await createDatabase();
    const { sql, connect } = database;
    const { tenantId, people: [first, second] } = await withPeople(sql, ["owner", "owner"]);
    let later: Promise<string> = Promise.resolve("");
    await sql.begin(async (transaction) => {
      const ended = await end(transaction as unknown as Sql, tenantId, first!);
      assert.notEqual(ended, "last_owner");
      later = end(connect(), tenantId, second!);
      await Promise.race([later, untilSomebodyWaits(sql)]);
    });
    assert.equal(await later, "last_owner");
    assert.equal((await rolesOf(sql, tenantId)).filter((role) => role === "owner").length, 1);
  });
}
