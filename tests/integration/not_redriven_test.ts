/** Dead letters that a redrive leaves where they are. */
import { strict as assert } from "node:assert";

import { createDatabase, type Sql, withDatabase } from "../support/database.ts";
import {
  letDie,
  listLetters,
  preview,
  readDead,
  redrive,
  report,
} from "../support/dead_letters.ts";
import { later, NOW } from "../support/now.ts";
import { anItem, claim, enqueue, settle } from "../support/outbound.ts";
import { createTenancy } from "../support/tenancy.ts";

const DAY_MS = 24 * 3_600_000;

Deno.test("an expired message is not redriven unless the filter says so, and then has another day", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const expires_at = later(5_000).toISOString();
    await letDie(sql, tenancy, ["a"], NOW, { expires_at });
    const at = later(5_000);
    const { held_back } = await preview(sql, tenancy.tenantId, {}, { at });
    assert.deepEqual(held_back, { expired: 1 });
    assert.equal((await redrive(sql, tenancy.tenantId, {}, { at })).messages, 0);
    assert.equal((await redrive(sql, tenancy.tenantId, { expired: true }, { at })).messages, 1);
    const [row] = await sql`select expires_at from switchyard.messages`;
    assert.deepEqual(row!.expires_at, later(5_000 + DAY_MS));
  }));

Deno.test("a message that would expire before its turn stays a dead letter, and calls come to an end", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const expires_at = later(12_000).toISOString();
    await letDie(sql, tenancy, ["a", "a", "a", "a"], NOW, { expires_at });
    const options = { rate: 1, at: later(10_000) };
    const told = await preview(sql, tenancy.tenantId, {}, options);
    assert.deepEqual([told.messages, told.held_back], [2, { expired: 2 }]);
    const answer = await redrive(sql, tenancy.tenantId, {}, options);
    assert.deepEqual([answer.messages, answer.left], [2, 0]);
    assert.equal((await readDead(sql, tenancy)).length, 2);
  }));

Deno.test("a message whose outcome was unknown is redriven only by a filter that names the cause", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy, { on_unknown: "dead_letter" })], NOW);
    const unknown_until = later(1_000).toISOString();
    await settle(sql, await claim(sql, 1, NOW), () => ({ outcome: "unknown", unknown_until }), NOW);
    await sql`select switchyard.resolve_unknown_messages(${later(1_000)}, 10)`;
    const at = later(2_000);
    for (const filter of [{}, { source: "message" }, { expired: true }]) {
      assert.equal((await redrive(sql, tenancy.tenantId, filter, { at })).messages, 0);
    }
    const told = await preview(sql, tenancy.tenantId, {}, { at });
    assert.deepEqual([told.messages, told.held_back], [0, { outcome_unknown: 1 }]);
    const named = await redrive(sql, tenancy.tenantId, { cause: "outcome_unknown" }, { at });
    assert.equal(named.messages, 1);
  }));

Deno.test("a message that Meta has reported on meanwhile is never redriven", async (t) => {
  await using database = await createDatabase();
  const { sql } = database;
  for (const status of ["sent", "delivered", "read", "failed"]) {
    await t.step(status, async () => {
      const tenancy = await createTenancy(sql);
      const [id] = await letDie(sql, tenancy, ["outcome_unknown"], NOW);
      await report(sql, tenancy, id!, status);
      const filter = { cause: "outcome_unknown", expired: true };
      assert.equal(
        (await redrive(sql, tenancy.tenantId, filter, { at: later(1_000) })).messages,
        0,
      );
      const { dead_letters } = await listLetters(sql, tenancy.tenantId, {}, { at: later(1_000) });
      const isMoved = status === "delivered" || status === "read";
      assert.equal(dead_letters[0]!.held_back, isMoved ? "no_longer_dead" : "reported_by_meta");
    });
  }
});

Deno.test("a report that is being written while a redrive runs wins", () =>
  withDatabase(async ({ sql, connect }) => {
    const tenancy = await createTenancy(sql);
    const [id] = await letDie(sql, tenancy, ["a"], NOW);
    const reporter = connect();
    await reporter.begin(async (transaction) => {
      await transaction`select from switchyard.messages where id = ${id!} for update`;
      const during = await redrive(sql, tenancy.tenantId, {}, { at: later(1_000) });
      assert.deepEqual([during.messages, during.left], [0, 1]);
      await report(transaction as unknown as Sql, tenancy, id!, "sent");
    });
    const after = await redrive(sql, tenancy.tenantId, {}, { at: later(2_000) });
    assert.deepEqual([after.messages, after.left], [0, 0]);
    assert.deepEqual(await readDead(sql, tenancy), [id]);
  }));

Deno.test("a report that came between finding a letter and locking its message wins", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const [id] = await letDie(sql, tenancy, ["a"], NOW);
    await report(sql, tenancy, id!, "sent");
    await sql`
      with redrive as (
        insert into switchyard.redrives (filter, rate_per_second, actor, next_due_at)
        values ('{}', 1, '{}', ${NOW})
        returning id
      )
      select switchyard.redrive_messages(
        array(select id from switchyard.dead_letters), id, ${NOW}, '1 second', ${NOW})
      from redrive`;
    assert.deepEqual(await readDead(sql, tenancy), [id]);
  }));

Deno.test("messages of a removed sender are not redriven", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await letDie(sql, tenancy, ["a"], NOW);
    await sql`update switchyard.senders set status = 'removed'`;
    const told = await preview(sql, tenancy.tenantId, {}, { at: later(1_000) });
    assert.deepEqual([told.messages, told.held_back], [0, { sender_removed: 1 }]);
    const answer = await redrive(sql, tenancy.tenantId, {}, { at: later(1_000) });
    assert.equal(answer.messages, 0);
  }));

Deno.test("a message that Meta refused as too much marketing is left alone for a day", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await letDie(sql, tenancy, ["marketing_cap"], NOW);
    const filter = { cause: "marketing_cap", expired: true };
    const early = await preview(sql, tenancy.tenantId, filter, { at: later(DAY_MS - 1) });
    assert.deepEqual([early.messages, early.held_back], [0, { too_soon: 1 }]);
    const answer = await redrive(sql, tenancy.tenantId, filter, { at: later(DAY_MS) });
    assert.equal(answer.messages, 1);
  }));
