import { strict as assert } from "node:assert";
import { createHmac } from "node:crypto";

import type { Sql } from "../support/database.ts";
import { type BreakablePlatform, withBreakablePlatform } from "../support/breakable_platform.ts";
import { eventually } from "../support/eventually.ts";
import type { Platform, Tenant } from "../support/platform.ts";
import { openPlatformDatabase } from "../support/platform_database.ts";

const WHILE_SOMETHING_RESTARTS = { timeoutMs: 90_000 };

/** A message of a new customer: what it is known by, and the body that brings it. */
function aMessage(tenant: Tenant) {
  const wamid = `wamid.${crypto.randomUUID()}`;
  const from = `1555${String(crypto.getRandomValues(new Uint32Array(1))[0]).padStart(10, "0")}`;
  const item = { id: wamid, from, timestamp: "1763812800", type: "text", text: { body: "hello" } };
  const metadata = { phone_number_id: tenant.phoneNumberId, display_phone_number: "1" };
  const value = { messaging_product: "whatsapp", metadata, messages: [item] };
  const entry = [{ id: tenant.businessAccountId, changes: [{ field: "messages", value }] }];
  return { wamid, body: JSON.stringify({ object: "whatsapp_business_account", entry }) };
}

/** The status, or null where the connection broke. */
async function post(platform: Platform, body: string): Promise<number | null> {
  const digest = createHmac("sha256", platform.env.WHATSAPP_APP_SECRET!).update(body).digest("hex");
  const headers = { "x-hub-signature-256": `sha256=${digest}` };
  return await platform.api("/wa-webhook", { caller: { kind: "nobody" }, body, headers })
    .then(({ status }) => status, () => null);
}

/** Posts as Meta does: again and again until it is answered 200. */
async function postUntilStored(platform: Platform, body: string): Promise<void> {
  await eventually(() => post(platform, body), (it) => it === 200, WHILE_SOMETHING_RESTARTS);
}

/** Keeps a table from being written until the function that it returns is called. */
async function holdTable({ platform }: BreakablePlatform, table: string) {
  const database = openPlatformDatabase(platform);
  const released = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const transaction = database.sql.begin(async (tx) => {
    await tx`lock table ${tx(table)} in exclusive mode`;
    held.resolve();
    await released.promise;
  }).catch(() => {}); // Its server may have been ended meanwhile.
  await held.promise;
  return async () => {
    released.resolve();
    await transaction;
    await database[Symbol.asyncDispose]();
  };
}

/** Waits until a call of this function stands before the table that is held. */
async function untilWaiting(sql: Sql, functionName: string): Promise<void> {
  await eventually(
    async () =>
      await sql`
      select from pg_stat_activity
      where wait_event_type = 'Lock' and query like ${`%${functionName}%`}`,
    (rows) => rows.length > 0,
  );
}

async function countApplied(sql: Sql, wamids: string[]) {
  const [row] = await sql`
    select
      (select count(*)::integer from switchyard.inbound_events
        where state = 'applied' and payload -> 'message' ->> 'id' = any (${wamids})) as applied,
      (select count(*)::integer from switchyard.conversation_events
        where wamid = any (${wamids})) as written`;
  return { ...row } as { applied: number; written: number };
}

async function allAppliedOnce(sql: Sql, wamids: string[]): Promise<void> {
  const seen = await eventually(
    () => countApplied(sql, wamids),
    ({ applied }) => applied >= wamids.length,
    WHILE_SOMETHING_RESTARTS,
  );
  assert.deepEqual(seen, { applied: wamids.length, written: wamids.length });
}

async function killPostgres(dir: string): Promise<void> {
  const text = await Deno.readTextFile(`${dir}/postgres/cluster/postmaster.pid`);
  Deno.kill(Number(text.split("\n")[0]), "SIGKILL");
}

Deno.test("whatever ends in the middle of receiving, what was acknowledged is applied once", (t) =>
  withBreakablePlatform(async (breakable) => {
    const { platform, dir, kill } = breakable;
    const tenant = await platform.createTenant();

    await t.step("wa-webhook is killed between storing and answering", async () => {
      await using database = openPlatformDatabase(platform);
      const release = await holdTable(breakable, "switchyard.inbound_events");
      const { wamid, body } = aMessage(tenant);
      const answer = post(platform, body);
      await untilWaiting(database.sql, "store_events");
      await kill("wa-webhook");
      await release();
      assert.notEqual(await answer, 200);
      await postUntilStored(platform, body);
      await allAppliedOnce(database.sql, [wamid]);
    });

    await t.step("wa-inbound is killed between applying and hearing of it", async () => {
      await using database = openPlatformDatabase(platform);
      const release = await holdTable(breakable, "switchyard.conversation_events");
      const messages = Array.from({ length: 20 }, () => aMessage(tenant));
      const answers = await Promise.all(messages.map(({ body }) => post(platform, body)));
      assert.deepEqual([...new Set(answers)], [200]);
      await untilWaiting(database.sql, "apply_events");
      await kill("wa-inbound");
      await release();
      await allAppliedOnce(database.sql, messages.map(({ wamid }) => wamid));
    });

    await t.step("Postgres is restarted while 500 webhooks are in flight", async () => {
      const messages = Array.from({ length: 500 }, () => aMessage(tenant));
      const answers = new Map<string, number | null>();
      const release = await holdTable(breakable, "switchyard.inbound_events");
      const posting = messages.map(async ({ wamid, body }) => {
        answers.set(wamid, await post(platform, body));
      });
      {
        await using database = openPlatformDatabase(platform);
        await untilWaiting(database.sql, "store_events");
      }
      assert.equal(answers.size, 0);
      await killPostgres(dir);
      await Promise.all(posting);
      await release();
      const refused = messages.filter(({ wamid }) => answers.get(wamid) !== 200);
      assert.ok(refused.length > 0);
      assert.ok(refused.every(({ wamid }) => answers.get(wamid) === 503), Deno.inspect(answers));

      await Promise.all(refused.map(({ body }) => postUntilStored(platform, body)));
      await using database = openPlatformDatabase(platform);
      await allAppliedOnce(database.sql, messages.map(({ wamid }) => wamid));
    });
  }));
