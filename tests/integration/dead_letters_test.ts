import { strict as assert } from "node:assert";

import { createDatabase, withDatabase } from "../support/database.ts";
import {
  letDie,
  listLetters,
  plantDead,
  preview,
  readDead,
  redrive,
} from "../support/dead_letters.ts";
import { anEvent, apply, claimEvents, store } from "../support/inbound.ts";
import { later, NOW } from "../support/now.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

Deno.test("a filter lets through what it names and nothing else", async (t) => {
  await using database = await createDatabase();
  const { sql } = database;
  const [one, two] = [await createTenancy(sql), await createTenancy(sql)];
  const ours = await letDie(sql, one, ["a", "b", "a"], NOW);
  const theirs = await letDie(sql, two, ["a"], later(1_000));
  const recipient = "+15550210001";
  const cases: [
    filter: Record<string, unknown>,
    tenantId: string | null,
    found: (string | undefined)[],
  ][] = [
    [{}, null, [...ours, ...theirs]],
    [{}, one.tenantId, ours],
    [{}, two.tenantId, theirs],
    [{ cause: "a" }, null, [ours[0], ours[2], theirs[0]]],
    [{ cause: "b" }, one.tenantId, [ours[1]]],
    [{ cause: "b" }, two.tenantId, []],
    [{ from: one.phoneNumberId }, null, ours],
    [{ from: one.phoneNumberId }, two.tenantId, []],
    [{ to: recipient }, null, [ours[1]]],
    [{ since: later(1).toISOString() }, one.tenantId, [ours[1], ours[2]]],
    [{ until: later(1).toISOString() }, one.tenantId, [ours[0]]],
    [{ source: "message" }, null, [...ours, ...theirs]],
    [{ source: "event" }, null, []],
  ];
  for (const [filter, tenantId, found] of cases) {
    await t.step(`${JSON.stringify(filter)} of ${tenantId ? "a tenant" : "all"}`, async () => {
      const page = await listLetters(sql, tenantId, filter, { at: later(2_000) });
      assert.deepEqual(page.dead_letters.map(({ message_id }) => message_id).toReversed(), found);
      assert.equal(page.causes.reduce((sum, { count }) => sum + count, 0), found.length);
      const told = await preview(sql, tenantId, filter, { at: later(2_000) });
      assert.equal(told.messages, found.length);
    });
  }
  await t.step("a redrive takes what its filter lets through", async () => {
    const filter = { cause: "a", from: one.phoneNumberId };
    const answer = await redrive(sql, null, filter, { at: later(2_000) });
    assert.deepEqual(
      answer.causes.map(({ tenant_id, cause, count }) => [tenant_id, cause, count]),
      [
        [one.tenantId, "a", 2],
      ],
    );
    assert.deepEqual(await readDead(sql, one), [ours[1]]);
    assert.deepEqual(await readDead(sql, two), theirs);
  });
});

Deno.test("a preview tells by tenant and cause what a redrive then does, and changes nothing", () =>
  withDatabase(async ({ sql }) => {
    const [one, two] = [await createTenancy(sql), await createTenancy(sql)];
    await letDie(sql, one, ["a", "b", "a"], NOW);
    await letDie(sql, two, ["a"], later(1_000));
    const options = { rate: 1, at: later(5_000) };
    const told = await preview(sql, null, {}, options);
    assert.deepEqual(told.causes.map(({ tenant_id, cause, count }) => [tenant_id, cause, count]), [
      [one.tenantId, "a", 2],
      ...[[one.tenantId, "b", 1], [two.tenantId, "a", 1]].sort((x, y) =>
        String(x[1]) < String(y[1]) ? -1 : 1
      ),
    ]);
    assert.equal(Date.parse(told.oldest_at!), NOW.getTime());
    assert.equal(Date.parse(told.newest_at!), later(1_000).getTime());
    assert.equal(Date.parse(told.ends_at!), later(8_000).getTime());
    assert.deepEqual(await preview(sql, null, {}, options), told);
    const done = await redrive(sql, null, {}, options);
    assert.equal(done.messages, told.messages);
    assert.deepEqual(new Set(done.causes.map(String)), new Set(told.causes.map(String)));
  }));

Deno.test("a redrive is in the audit log of each tenant whose letters it took up", () =>
  withDatabase(async ({ sql }) => {
    const [one, two, three] = [
      await createTenancy(sql),
      await createTenancy(sql),
      await createTenancy(sql),
    ];
    await letDie(sql, one, ["a", "a"], NOW);
    await letDie(sql, two, ["a"], NOW);
    await letDie(sql, three, ["b"], NOW);
    const { redrive_id } = await redrive(sql, null, { cause: "a" }, { rate: 3, at: later(1_000) });
    await redrive(sql, null, { cause: "a" }, { rate: 3, at: later(2_000) });
    const lines = await sql`
      select tenant_id, target, detail from switchyard.audit_log
      where action = 'dead_letters.redriven' order by id`;
    const of = (tenancy: Tenancy, messages: number) => ({
      tenant_id: tenancy.tenantId,
      target: redrive_id,
      detail: { filter: { cause: "a" }, rate_per_second: 3, messages, events: 0 },
    });
    assert.deepEqual(
      new Set(lines.map((line) => JSON.stringify({ ...line, detail: sorted(line.detail) }))),
      new Set(
        [of(one, 2), of(two, 1)].map((line) =>
          JSON.stringify({ ...line, detail: sorted(line.detail) })
        ),
      ),
    );
  }));

function sorted(object: Record<string, unknown>) {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => a < b ? -1 : 1));
}

Deno.test("letters are counted by cause and read page by page, the newest first", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const ids = await letDie(sql, tenancy, ["a", "b", "a", "c", "a"], NOW);
    const at = later(1_000);
    const seen: unknown[] = [];
    let cursor: string | null = null;
    do {
      const page = await listLetters(sql, tenancy.tenantId, {}, { at, cursor, limit: 2 });
      assert.deepEqual(
        page.causes.map(({ cause, count, is_complete }) => [cause, count, is_complete]),
        [["a", 3, true], ["c", 1, true], ["b", 1, true]],
      );
      seen.push(...page.dead_letters.map(({ message_id }) => message_id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    assert.deepEqual(seen, ids.toReversed());
    const [letter] = (await listLetters(sql, tenancy.tenantId, { cause: "b" }, { at }))
      .dead_letters;
    assert.deepEqual({ ...letter, id: null, expires_at: null }, {
      id: null,
      tenant_id: tenancy.tenantId,
      source: "message",
      message_id: ids[1],
      from: tenancy.phoneNumberId,
      to: "+15550210001",
      type: "text",
      status: "dead",
      cause: "b",
      detail: { cause: "b", title: "Refused" },
      expires_at: null,
      created_at: "2026-11-22T12:00:00.001+00:00",
      held_back: null,
    });
  }));

Deno.test("a cause with more than 10,000 letters is counted that far and hides no other", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await letDie(sql, tenancy, ["a"], later(-60_000));
    await plantDead(sql, tenancy, 10_001, "flood");
    const { causes } = await listLetters(sql, null, {}, { at: NOW });
    assert.deepEqual(causes.map(({ cause, count, is_complete }) => [cause, count, is_complete]), [
      ["flood", 10_000, false],
      ["a", 1, true],
    ]);
  }));

Deno.test("dead events go back into their queue and are applied once", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [anEvent(tenancy), anEvent(tenancy)]);
    const dead = { action: "dead", reason: "status_not_understood" };
    await apply(sql, await claimEvents(sql, 10), () => dead);
    assert.deepEqual(await claimEvents(sql, 10), []);
    const filter = { cause: "status_not_understood" };
    const { causes, dead_letters } = await listLetters(sql, null, filter, { at: NOW });
    assert.deepEqual(causes.map(({ cause, count }) => [cause, count]), [[dead.reason, 2]]);
    assert.deepEqual(dead_letters.map(({ source, from }) => [source, from]), [
      ["event", tenancy.phoneNumberId],
      ["event", tenancy.phoneNumberId],
    ]);
    const answer = await redrive(sql, null, filter, { at: NOW });
    assert.deepEqual([answer.messages, answer.events, answer.left], [0, 2, 0]);
    assert.equal((await redrive(sql, null, {}, { at: NOW })).events, 0);
    const claims = await claimEvents(sql, 10);
    assert.deepEqual(await apply(sql, claims, () => ({ action: "keep" })), [true, true]);
    const states = await sql`select state, reason from switchyard.inbound_events`;
    assert.deepEqual(states.map(({ state, reason }) => [state, reason]), [
      ["applied", null],
      ["applied", null],
    ]);
  }));

Deno.test("events redriven on two connections at once are queued once", () =>
  withDatabase(async ({ sql, connect }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, Array.from({ length: 50 }, () => anEvent(tenancy)));
    await apply(sql, await claimEvents(sql, 100), () => ({ action: "dead", reason: "x" }));
    const answers = await Promise.all([
      redrive(connect(), tenancy.tenantId, { source: "event" }, { at: NOW }),
      redrive(connect(), null, {}, { at: NOW }),
      redrive(connect(), null, { cause: "x" }, { at: NOW }),
    ]);
    assert.equal(answers.reduce((sum, { events }) => sum + events, 0), 50);
    assert.equal((await claimEvents(sql, 100)).length, 50);
  }));
