import { strict as assert } from "node:assert";

import { createDatabase, type Sql } from "../support/database.ts";
import { letDie, listLetters, preview, redrive } from "../support/dead_letters.ts";
import { anEvent, apply, claimEvents, store } from "../support/inbound.ts";
import { accepted, anItem, claim, enqueue, readMessages, settle } from "../support/outbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const NOW = new Date("2026-11-22T12:00:00Z");
const DAY_MS = 24 * 3_600_000;

function later(ms: number): Date {
  return new Date(NOW.getTime() + ms);
}

async function inFreshDatabase(
  test: (sql: Sql, connect: () => Sql) => Promise<void>,
): Promise<void> {
  await using database = await createDatabase();
  await test(database.sql, database.connect);
}

/** Dead messages with their letters, without the way there; the nth died n microseconds after NOW. */
async function plantDead(sql: Sql, tenancy: Tenancy, count: number, cause = "api_unknown") {
  await sql`
    with message as (
      insert into switchyard.messages (
        tenant_id, sender_id, recipient, type, content, lane, status, planned_send_at, due_at,
        expires_at, ended_at)
      select ${tenancy.tenantId}, ${tenancy.senderId}, '+1555' || 1000000 + n, 'text', '{}',
        'normal', 'dead', ${NOW}, ${NOW}, ${later(DAY_MS)},
        ${NOW}::timestamptz + n * interval '1 microsecond'
      from generate_series(1, ${count}) n
      returning id, tenant_id, ended_at
    )
    insert into switchyard.dead_letters (tenant_id, message_id, cause, created_at)
    select tenant_id, id, ${cause}, ended_at from message`;
}

async function report(sql: Sql, tenancy: Tenancy, messageId: string, status: string) {
  const [event] = await sql`
    insert into switchyard.inbound_events (event_key, kind, tenant_id, sender_id, field, payload)
    values (sha256(uuid_send(${messageId}::uuid)), 'status', ${tenancy.tenantId},
      ${tenancy.senderId}, 'messages', '{}')
    returning id`;
  await sql`
    insert into switchyard.message_statuses
      (message_id, sender_id, wamid, status, at, inbound_event_id)
    values (${messageId}, ${tenancy.senderId}, 'wamid.x', ${status}, ${NOW}, ${event!.id})`;
  await sql`select switchyard.follow_statuses(array[${messageId}::uuid])`;
}

async function readDead(sql: Sql, tenancy: Tenancy): Promise<string[]> {
  const rows = await readMessages(sql, tenancy);
  return rows.filter(({ status }) => status === "dead").map(({ id }) => id);
}

Deno.test("a redrive puts dead messages back in the order of their death, at the chosen rate", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    const ids = await letDie(sql, tenancy, ["a", "b", "c"], NOW);
    const answer = await redrive(sql, tenancy.tenantId, {}, { rate: 2, at: later(60_000) });
    assert.equal(answer.messages, 3);
    assert.equal(answer.left, 0);
    const rows = await readMessages(sql, tenancy);
    assert.deepEqual(
      rows.map(({ id, status, due_at }) => [id, status, due_at.getTime()]),
      ids.map((id, nth) => [id, "queued", later(60_000 + nth * 500).getTime()]),
    );
    assert.deepEqual((await claim(sql, 10, later(60_999))).map(({ id }) => id), ids.slice(0, 2));
    assert.deepEqual((await claim(sql, 10, later(61_000))).map(({ id }) => id), ids.slice(2));
  }));

Deno.test("a letter is redriven once, however often it is asked for", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await letDie(sql, tenancy, ["a", "b"], NOW);
    const first = await redrive(sql, tenancy.tenantId, {}, { at: later(60_000) });
    assert.equal(first.messages, 2);
    const again = await redrive(sql, tenancy.tenantId, {}, { at: later(61_000) });
    assert.deepEqual([again.redrive_id, again.messages, again.left], [null, 0, 0]);
    const letters = await sql`select redrive_id, redriven_at from switchyard.dead_letters`;
    assert.deepEqual(
      letters.map((letter) => [letter.redrive_id, letter.redriven_at]),
      [[first.redrive_id, later(60_000)], [first.redrive_id, later(60_000)]],
    );
  }));

Deno.test("redrives on many connections at once move nothing twice", () =>
  inFreshDatabase(async (sql, connect) => {
    const tenancy = await createTenancy(sql);
    await plantDead(sql, tenancy, 300, "a");
    await plantDead(sql, tenancy, 300, "b");
    const filters = [{}, { cause: "a" }, { cause: "b" }, { source: "message" }, {}, { cause: "a" }];
    const answers = await Promise.all(
      filters.map((filter, nth) =>
        redrive(connect(), nth % 2 ? tenancy.tenantId : null, filter, { at: later(1_000) })
      ),
    );
    const moved = answers.reduce((sum, { messages }) => sum + messages, 0);
    const left = await redrive(sql, null, {}, { at: later(2_000) });
    assert.equal(moved + left.messages, 600);
    assert.deepEqual(await readDead(sql, tenancy), []);
    const [lane] = await sql`
      select appended from switchyard.sender_lanes
      where sender_id = ${tenancy.senderId} and share = 'other'`;
    assert.ok(lane!.appended <= 7, "each redrive tells the lane once");
  }));

Deno.test("a redriven message keeps its attempts on record and has all its tries again", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const error = { cause: "api_unknown" };
    const due_at = NOW.toISOString();
    const first = await claim(sql, 1, NOW);
    await settle(sql, first, () => ({ outcome: "retry", due_at, error }), NOW);
    await settle(sql, await claim(sql, 1, NOW), () => ({ outcome: "rejected", error }), NOW);
    await redrive(sql, tenancy.tenantId, {}, { at: later(1_000) });
    const [row] = await readMessages(sql, tenancy);
    assert.deepEqual([row!.attempt_count, row!.failure_count], [2, 0]);
    const [letter] = await sql`select failure_count from switchyard.dead_letters`;
    assert.equal(letter!.failure_count, 1);
    const [claimed] = await claim(sql, 1, later(1_000));
    assert.equal(claimed!.attempt, 3);
    assert.deepEqual(await settle(sql, first, accepted, later(1_000)), [false]);
    assert.deepEqual(await settle(sql, [claimed!], accepted, later(1_000)), [true]);
    const attempts = await sql`
      select outcome from switchyard.message_attempts order by attempt`;
    assert.deepEqual(attempts.map(({ outcome }) => outcome), ["retry", "rejected", "accepted"]);
  }));

Deno.test("a message that dies again has another letter, which can be redriven too", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    const [id] = await letDie(sql, tenancy, ["a"], NOW);
    await redrive(sql, tenancy.tenantId, {}, { at: later(1_000) });
    const error = { cause: "b" };
    const claims = await claim(sql, 1, later(1_000));
    await settle(sql, claims, () => ({ outcome: "rejected", error }), later(2_000));
    const answer = await redrive(sql, tenancy.tenantId, { cause: "b" }, { at: later(3_000) });
    assert.equal(answer.messages, 1);
    assert.equal((await claim(sql, 1, later(3_000)))[0]!.id, id);
  }));

Deno.test("redriven messages of one pair go one at a time, in their order", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    const ids = await letDie(sql, tenancy, ["a", "a", "a"], NOW, { to: "+15550200001" });
    await redrive(sql, tenancy.tenantId, {}, { rate: 1_000, at: later(1_000) });
    const sent = [];
    for (let nth = 0; nth < 3; nth++) {
      const claims = await claim(sql, 10, later(2_000));
      assert.equal(claims.length, 1);
      await settle(sql, claims, accepted, later(2_000));
      sent.push(claims[0]!.id);
    }
    assert.deepEqual(sent, ids);
  }));

Deno.test("a redrive moves 10,000 letters a call, says what is left and keeps its pace", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await plantDead(sql, tenancy, 10_020);
    const filter = { cause: "api_unknown" };
    const first = await redrive(sql, tenancy.tenantId, filter, { rate: 100, at: later(1_000) });
    assert.deepEqual([first.messages, first.left, first.left_is_complete], [10_000, 20, true]);
    assert.equal(Date.parse(first.ends_at), later(101_000).getTime());
    const second = await redrive(sql, tenancy.tenantId, filter, { rate: 100, at: later(2_000) });
    assert.equal(second.starts_at, first.ends_at);
    assert.deepEqual([second.messages, second.left], [20, 0]);
    const [spread] = await sql`
      select count(distinct due_at)::integer as moments, max(due_at) as last
      from switchyard.messages`;
    assert.equal(spread!.moments, 10_020);
    assert.deepEqual(spread!.last, later(1_000 + 10_019 * 10));
  }));

Deno.test("an expired message is not redriven unless the filter says so, and then has another day", () =>
  inFreshDatabase(async (sql) => {
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
  inFreshDatabase(async (sql) => {
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
  inFreshDatabase(async (sql) => {
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
  inFreshDatabase(async (sql, connect) => {
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
  inFreshDatabase(async (sql) => {
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
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await letDie(sql, tenancy, ["a"], NOW);
    await sql`update switchyard.senders set status = 'removed'`;
    const told = await preview(sql, tenancy.tenantId, {}, { at: later(1_000) });
    assert.deepEqual([told.messages, told.held_back], [0, { sender_removed: 1 }]);
    const answer = await redrive(sql, tenancy.tenantId, {}, { at: later(1_000) });
    assert.equal(answer.messages, 0);
  }));

Deno.test("a message that Meta refused as too much marketing is left alone for a day", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await letDie(sql, tenancy, ["marketing_cap"], NOW);
    const filter = { cause: "marketing_cap", expired: true };
    const early = await preview(sql, tenancy.tenantId, filter, { at: later(DAY_MS - 1) });
    assert.deepEqual([early.messages, early.held_back], [0, { too_soon: 1 }]);
    const answer = await redrive(sql, tenancy.tenantId, filter, { at: later(DAY_MS) });
    assert.equal(answer.messages, 1);
  }));

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
  inFreshDatabase(async (sql) => {
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
  inFreshDatabase(async (sql) => {
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

Deno.test("dead events go back into their queue and are applied once", () =>
  inFreshDatabase(async (sql) => {
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
  inFreshDatabase(async (sql, connect) => {
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

Deno.test("a redrive rings for the workers that it has work for", () =>
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await letDie(sql, tenancy, ["a"], NOW);
    await sql`select vault.create_secret('http://project.test', 'switchyard_project_url')`;
    await sql`select vault.create_secret('sb_secret_x', 'switchyard_secret_key')`;
    const rings = async () => {
      const rows = await sql`delete from net.http_request_queue returning url`;
      return rows.map(({ url }) => url);
    };
    await redrive(sql, tenancy.tenantId, { cause: "b" }, { at: later(1_000) });
    assert.deepEqual(await rings(), []);
    await redrive(sql, tenancy.tenantId, { cause: "a" }, { at: later(1_000) });
    assert.deepEqual(await rings(), ["http://project.test/functions/v1/wa-sender"]);
  }));

Deno.test("letters are counted by cause and read page by page, the newest first", () =>
  inFreshDatabase(async (sql) => {
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
  inFreshDatabase(async (sql) => {
    const tenancy = await createTenancy(sql);
    await letDie(sql, tenancy, ["a"], later(-60_000));
    await plantDead(sql, tenancy, 10_001, "flood");
    const { causes } = await listLetters(sql, null, {}, { at: NOW });
    assert.deepEqual(causes.map(({ cause, count, is_complete }) => [cause, count, is_complete]), [
      ["flood", 10_000, false],
      ["a", 1, true],
    ]);
  }));
