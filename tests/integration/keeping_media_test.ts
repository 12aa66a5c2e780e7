import { strict as assert } from "node:assert";

import { startTestDataApi } from "../support/data_api.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { startReceiving } from "../support/receiving.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const MIGRATION = new URL(
  "../../supabase/migrations/20261122000063_media.sql",
  import.meta.url,
);
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** After the files were written down, which happens at the database's own time. */
const START = Date.now() + MINUTE_MS;

const later = (ms: number) => new Date(START + ms);
const IMAGE = { id: "77", mime_type: "image/jpeg", sha256: "x" };
const picture = { type: "image", text: undefined, image: IMAGE };
const STORED = { outcome: "stored", size_bytes: 9, sha256: "ab", mime_type: "image/jpeg" };

interface Claim {
  id: number;
  attempt: number;
  action: string;
  path: string;
}

async function setUp() {
  const database = await createDatabase();
  const api = await startTestDataApi(database);
  const { sql } = database;
  const tenancy = await createTenancy(sql);
  const { receiveMessage, project } = startReceiving(api);
  return {
    ...{ api, sql, tenancy, receiveMessage, project, connect: database.connect },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

async function setMedia(sql: Sql, { tenantId }: Tenancy, keep: string, days: number | null = null) {
  const [row] = await sql`
    select switchyard_api.set_media(
      ${tenantId}, ${keep}, ${days}, ${sql.json({ kind: "secret" })}) ->> 'outcome' as outcome`;
  return row!.outcome;
}

async function claim(sql: Sql, at: Date, batch = 10): Promise<Claim[]> {
  const rows = await sql<Claim[]>`
    select id, attempt, action, path from switchyard_api.claim_media(${batch}, 300, ${at})`;
  return [...rows];
}

async function settle(sql: Sql, claims: Claim[], outcome: Record<string, unknown>, at: Date) {
  const outcomes = claims.map(({ id, attempt }) => ({ id, attempt, ...outcome }));
  const rows = await sql`
    select settled from switchyard_api.settle_media(${sql.json(outcomes as never)}, ${at})`;
  return rows.map(({ settled }) => settled);
}

async function countFailed(sql: Sql): Promise<number> {
  const [row] = await sql`
    select (switchyard_api.health_snapshot() ->> 'media_failed')::integer as failed`;
  return row!.failed;
}

const tick = (sql: Sql, at: Date) => sql`select switchyard.media_tick(${at})`;

function files(sql: Sql) {
  return sql`
    select tenant_id, conversation_event_id, media_id, state, reason, path, size_bytes, sha256
    from switchyard.media_files order by id`;
}

Deno.test("a file is noted with its message, once, and only where its tenant keeps files", async () => {
  await using stage = await setUp();
  const { sql, tenancy, receiveMessage } = stage;
  const other = await createTenancy(sql);
  await receiveMessage(tenancy, picture);
  assert.deepEqual([...await files(sql)], []);

  assert.equal(await setMedia(sql, tenancy, "all", 30), "set");
  await receiveMessage(tenancy, { ...picture, id: "wamid.kept" });
  await receiveMessage(tenancy, { ...picture, id: "wamid.kept" });
  await receiveMessage(tenancy);
  await receiveMessage(tenancy, { ...picture, image: { mime_type: "image/jpeg" } });
  await receiveMessage(other, picture);
  const rows = await files(sql);
  assert.equal(rows.length, 1);
  const [event] = await sql`
    select id, conversation_id from switchyard.conversation_events where wamid = 'wamid.kept'`;
  assert.deepEqual({ ...rows[0]! }, {
    tenant_id: tenancy.tenantId,
    conversation_event_id: event!.id,
    media_id: "77",
    state: "pending",
    reason: null,
    path: `${tenancy.tenantId}/${event!.conversation_id}/${event!.id}`,
    size_bytes: null,
    sha256: "x",
  });

  await setMedia(sql, tenancy, "none");
  await receiveMessage(tenancy, picture);
  assert.equal((await files(sql)).length, 1);
  const audit = await sql`
    select detail from switchyard.audit_log where action = 'media.set' order by id`;
  assert.deepEqual(audit.map(({ detail }) => detail), [
    { keep: "all", days: 30 },
    { keep: "none", days: null },
  ]);
  const nobody = { ...tenancy, tenantId: crypto.randomUUID() };
  assert.equal(await setMedia(sql, nobody, "all"), "tenant_not_found");
});

Deno.test("workers that claim at once share files, and none twice before its lease ends", async () => {
  await using stage = await setUp();
  const { sql, tenancy, receiveMessage, connect } = stage;
  await setMedia(sql, tenancy, "all");
  for (let n = 0; n < 20; n++) await receiveMessage(tenancy, picture);
  const workers = Array.from({ length: 4 }, () => connect());
  const claims = await Promise.all(workers.map((worker) => claim(worker, later(0), 8)));
  const ids = claims.flat().map(({ id }) => id);
  ids.push(...(await claim(sql, later(0), 20)).map(({ id }) => id));
  assert.equal(ids.length, 20);
  assert.equal(new Set(ids).size, 20);
  assert.deepEqual(await claim(sql, later(299_000), 20), []);
  assert.equal((await claim(sql, later(300_000), 20)).length, 20);
});

Deno.test("only the last attempt says what came of a file, and only once", async () => {
  await using stage = await setUp();
  const { sql, tenancy, receiveMessage } = stage;
  await setMedia(sql, tenancy, "all");
  await receiveMessage(tenancy, picture);
  const died = await claim(sql, later(0));
  const second = await claim(sql, later(300_000));
  assert.deepEqual([died[0]!.attempt, second[0]!.attempt], [1, 2]);
  assert.deepEqual(await settle(sql, died, { outcome: "gone", reason: "gone" }, later(300_000)), [
    false,
  ]);
  const retry = { outcome: "retry", delay_seconds: 60, reason: "unanswered" };
  assert.deepEqual(await settle(sql, second, retry, later(300_000)), [true]);
  assert.deepEqual(await claim(sql, later(359_000)), []);
  const third = await claim(sql, later(360_000));
  assert.deepEqual(await settle(sql, third, { outcome: "deleted" }, later(360_000)), [false]);
  assert.deepEqual(await settle(sql, third, STORED, later(360_000)), [true]);
  assert.deepEqual(await settle(sql, third, retry, later(360_000)), [false]);
  const [row] = await files(sql);
  assert.deepEqual([row!.state, row!.reason, Number(row!.size_bytes), row!.sha256], [
    "stored",
    null,
    9,
    "ab",
  ]);
  assert.deepEqual(await claim(sql, later(DAY_MS)), []);
});

Deno.test("a file that ends whoever takes it is given up after twenty attempts, and health counts it", async () => {
  await using stage = await setUp();
  const { sql, tenancy, receiveMessage } = stage;
  await setMedia(sql, tenancy, "all");
  await receiveMessage(tenancy, picture);
  for (let n = 0; n < 20; n++) {
    assert.equal((await claim(sql, later(n * 300_000))).length, 1);
  }
  assert.equal(await countFailed(sql), 0);
  assert.deepEqual(await claim(sql, later(20 * 300_000)), []);
  const [row] = await files(sql);
  assert.deepEqual([row!.state, row!.reason], ["failed", "abandoned"]);
  assert.equal(await countFailed(sql), 1);
});

Deno.test("health counts files that Meta has no longer, and none that is stored or waits", async () => {
  await using stage = await setUp();
  const { sql, tenancy, receiveMessage } = stage;
  await setMedia(sql, tenancy, "all");
  for (let n = 0; n < 3; n++) await receiveMessage(tenancy, picture);
  const [gone, stored] = await claim(sql, later(0), 2);
  await settle(sql, [gone!], { outcome: "gone", reason: "not_found" }, later(0));
  await settle(sql, [stored!], STORED, later(0));
  assert.equal(await countFailed(sql), 1);
});

Deno.test("a stored file is found by its tenant alone", async () => {
  await using stage = await setUp();
  const { sql, tenancy, receiveMessage, project } = stage;
  const other = await createTenancy(sql);
  await setMedia(sql, tenancy, "all");
  await receiveMessage(tenancy, picture);
  const [file] = await files(sql);
  const { conversation_event_id: event_id, path } = file!;
  const find = async ({ tenantId: tenant_id }: Tenancy) =>
    await project.call("find_media", { tenant_id, event_id }) as { kept: unknown } | null;
  assert.equal((await find(tenancy))!.kept, null);
  await settle(sql, await claim(sql, later(0)), STORED, later(0));
  assert.deepEqual((await find(tenancy))!.kept, { path, mime_type: "image/jpeg" });
  assert.equal(await find(other), null);
});

Deno.test("files go after their tenant's days: from Storage first, then the row", async () => {
  await using stage = await setUp();
  const { sql, tenancy, receiveMessage } = stage;
  const patient = await createTenancy(sql);
  await setMedia(sql, tenancy, "all", 7);
  await setMedia(sql, patient, "all");
  await receiveMessage(tenancy, picture);
  await receiveMessage(patient, picture);
  await settle(sql, await claim(sql, later(0)), STORED, later(0));

  await tick(sql, later(6 * DAY_MS));
  assert.deepEqual(await claim(sql, later(6 * DAY_MS)), []);
  const end = later(7 * DAY_MS);
  await tick(sql, end);
  await tick(sql, end);
  const [deletion] = await claim(sql, end);
  assert.equal(deletion!.action, "delete");
  assert.deepEqual(await settle(sql, [deletion!], STORED, end), [false]);
  const retry = { outcome: "retry", delay_seconds: 60, reason: "transfer" };
  assert.deepEqual(await settle(sql, [deletion!], retry, end), [true]);
  const again = await claim(sql, later(7 * DAY_MS + MINUTE_MS));
  assert.deepEqual(await settle(sql, again, { outcome: "deleted" }, end), [true]);
  assert.deepEqual(await settle(sql, again, { outcome: "deleted" }, end), [false]);
  assert.deepEqual((await files(sql)).map(({ tenant_id }) => tenant_id), [patient.tenantId]);
});

Deno.test("a file that is being fetched when its days end is deleted after the lease", async () => {
  await using stage = await setUp();
  const { sql, tenancy, receiveMessage } = stage;
  await setMedia(sql, tenancy, "all", 1);
  await receiveMessage(tenancy, picture);
  const fetching = await claim(sql, later(DAY_MS));
  await tick(sql, later(DAY_MS));
  assert.deepEqual(await settle(sql, fetching, STORED, later(DAY_MS)), [false]);
  assert.deepEqual(await claim(sql, later(DAY_MS + 299_000)), []);
  const [deletion] = await claim(sql, later(DAY_MS + 300_000));
  assert.equal(deletion!.action, "delete");
});

Deno.test("a file goes with its message", async () => {
  await using stage = await setUp();
  const { sql, tenancy, receiveMessage } = stage;
  await setMedia(sql, tenancy, "all");
  await receiveMessage(tenancy, picture);
  await settle(sql, await claim(sql, later(0)), STORED, later(0));
  await sql`delete from switchyard.conversations`;
  await tick(sql, later(0));
  assert.deepEqual((await claim(sql, later(0))).map(({ action }) => action), ["delete"]);
});

Deno.test("the tick marks no more files than it may", async () => {
  await using stage = await setUp();
  const { sql, tenancy, receiveMessage } = stage;
  await setMedia(sql, tenancy, "all", 1);
  for (let n = 0; n < 3; n++) await receiveMessage(tenancy, picture);
  const [row] = await sql`select switchyard.expire_media(${later(DAY_MS)}, 2) as count`;
  assert.equal(row!.count, 2);
});

Deno.test("the bucket is made where there is Storage, private, and once", async () => {
  await using stage = await setUp();
  const { sql } = stage;
  await sql`create schema storage`;
  await sql`create table storage.buckets (id text primary key, name text, public boolean)`;
  const migration = await Deno.readTextFile(MIGRATION);
  await sql.unsafe(migration);
  await sql.unsafe(migration);
  assert.deepEqual([...await sql`select * from storage.buckets`], [
    { id: "wa-media", name: "wa-media", public: false },
  ]);
});
