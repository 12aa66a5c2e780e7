/** What a limit has put off is called back when the limit is raised, and so are newcomers. */
import { strict as assert } from "node:assert";

import { createDatabase, type Sql } from "../support/database.ts";
import { anItem, claim, enqueue, settle } from "../support/outbound.ts";
import { later, NOW } from "../support/now.ts";
import { ALL, BACKLOG, idsOf, putOff, withBacklog } from "../support/put_off.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

/** Gives the tenant, or its sender, another limit or rate at this moment. */
async function change(
  sql: Sql,
  whose: "tenant" | "sender",
  { tenantId, phoneNumberId }: Tenancy,
  changes: Record<string, unknown>,
  at = NOW,
): Promise<void> {
  const [what, actor] = [sql.json(changes as never), sql.json({ kind: "secret" })];
  if (whose === "tenant") {
    await sql`select switchyard_api.change_tenant(${tenantId}, ${what}, ${actor}, ${at})`;
  } else {
    await sql`
      select switchyard_api.change_sender(
        ${tenantId}, ${phoneNumberId}, ${what}, ${actor}, ${at})`;
  }
}

const raises: [whose: "tenant" | "sender", changes: Record<string, unknown>, put_off: string][] = [
  ["tenant", { limit: { messages: 81, window_seconds: 60 } }, "limit:tenant"],
  ["tenant", { limit: { messages: 80, window_seconds: 59 } }, "limit:tenant"],
  ["sender", { limit: { messages: 1, window_seconds: 60 } }, "limit:tenant"],
  ["sender", { throughput_per_second: 1000 }, "limit:sender"],
];

for (const [whose, changes, put_off] of raises) {
  Deno.test(`a ${whose} with ${JSON.stringify(changes)} waits for no moment of the limit before`, () =>
    withBacklog(async (sql, tenancy) => {
      await sql`update switchyard.senders set throughput_per_second = 80`;
      const item = anItem(tenancy, { lane: "urgent", to: "+15550300001" });
      const [urgent] = await enqueue(sql, tenancy, [item], later(-1000));
      const first = await claim(sql, 10, NOW);
      assert.ok(idsOf(first).includes(urgent!.id!));
      await putOff(sql, first, put_off);
      assert.deepEqual(await claim(sql, ALL, NOW), []);
      await change(sql, whose, tenancy, changes);
      const claims = await claim(sql, ALL, NOW);
      assert.deepEqual(new Set(idsOf(claims.slice(0, first.length))), new Set(idsOf(first)));
      assert.equal(claims.length, BACKLOG + 1);
    }));
}

Deno.test("a lower limit calls nobody back, nor does another name, nor somebody else's limit", () =>
  withBacklog(async (sql, tenancy) => {
    await putOff(sql, await claim(sql, 10, NOW), "limit:tenant");
    await change(sql, "tenant", tenancy, { name: "Acme" });
    await change(sql, "tenant", tenancy, { limit: { messages: 80, window_seconds: 61 } });
    await change(sql, "sender", tenancy, { throughput_per_second: 999 });
    const other = await createTenancy(sql);
    await change(sql, "tenant", other, { limit: { messages: 999, window_seconds: 60 } });
    assert.deepEqual(await claim(sql, ALL, NOW), []);
  }));

Deno.test("a tenant's raise leaves a sender alone that has a limit of its own", () =>
  withBacklog(async (sql, tenancy) => {
    await change(sql, "sender", tenancy, { limit: { messages: 9, window_seconds: 60 } });
    await putOff(sql, await claim(sql, 10, NOW), "limit:tenant");
    await change(sql, "tenant", tenancy, { limit: { messages: 999, window_seconds: 60 } });
    assert.deepEqual(await claim(sql, ALL, NOW), []);
  }));

Deno.test("what waits for the pace of its recipient waits on when the limit is raised", () =>
  withBacklog(async (sql, tenancy) => {
    const paced = await claim(sql, BACKLOG, NOW);
    await putOff(sql, paced, "limit:pair");
    await change(sql, "tenant", tenancy, { limit: { messages: 999, window_seconds: 60 } });
    assert.deepEqual(await claim(sql, ALL, NOW), []);
  }));

Deno.test("what a worker puts off by the limit before, since it had claimed with it, is called back within a minute, once", () =>
  withBacklog(async (sql, tenancy) => {
    const first = await claim(sql, 10, NOW);
    await change(sql, "tenant", tenancy, { limit: { messages: 999, window_seconds: 60 } });
    const due_at = later(3_600_000).toISOString();
    const outcome = { outcome: "deferred", waiting_for: "limit:tenant", due_at };
    await settle(sql, first, () => outcome, later(1_000));
    const claimAfterTick = async (ms: number) => {
      await sql`select switchyard.tick(${later(ms)})`;
      return await claim(sql, ALL, later(ms));
    };
    assert.deepEqual(await claimAfterTick(59_000), []);
    const claims = await claimAfterTick(60_000);
    assert.equal(claims.length, BACKLOG);
    await settle(sql, claims, () => outcome, later(61_000));
    assert.deepEqual(await claimAfterTick(200_000), []);
  }));

Deno.test("a raise calls back 5,000 messages at once, the rest follows with the ticks", () =>
  withBacklog(async (sql, tenancy) => {
    await sql`
      insert into switchyard.messages (
        tenant_id, sender_id, recipient, type, content, lane, planned_send_at, due_at, expires_at,
        waiting_for, deferral_count)
      select ${tenancy.tenantId}, ${tenancy.senderId}, '+1666' || (1000000 + nth), 'text', '{}',
        'normal', ${NOW}, ${later(3_600_000)}, ${later(7_200_000)}, 'limit:tenant', 1
      from generate_series(1, 10500) nth`;
    const waiting = async () =>
      (await sql`select count(*)::integer as left from switchyard.messages
        where waiting_for is not null`)[0]!.left;
    await change(sql, "tenant", tenancy, { limit: { messages: 999, window_seconds: 60 } });
    const left = [await waiting()];
    for (const ms of [60_000, 65_000, 70_000]) {
      await sql`select switchyard.tick(${later(ms)})`;
      left.push(await waiting());
    }
    assert.deepEqual(left, [5_500, 500, 0, 0]);
    assert.equal((await sql`select from switchyard.limit_raises`).length, 0);
  }));

Deno.test("raises at once with settlements that complain of the rate wait for each other in one order", async () => {
  await using database = await createDatabase();
  const { sql, connect } = database;
  const tenancy = await createTenancy(sql, { throughputPerSecond: 1000 });
  const items = Array.from(
    { length: 200 },
    (_, nth) => anItem(tenancy, { to: `+1555020${String(nth).padStart(4, "0")}` }),
  );
  await enqueue(sql, tenancy, items, later(-60_000));
  const claims = await claim(sql, 200, NOW);
  const due_at = later(5_000).toISOString();
  const settling = Array.from({ length: 40 }, (_, nth) => {
    const part = claims.slice(nth * 5, nth * 5 + 5);
    const outcomeOf = () => ({ outcome: "retry", due_at, throttled: true });
    return () => settle(sql, part, outcomeOf, later(nth * 6_000));
  });
  const operator = connect();
  const raising = Array.from({ length: 40 }, (_, nth) => () =>
    change(operator, "sender", tenancy, {
      throughput_per_second: 500 + nth,
      limit: { messages: nth + 1, window_seconds: 60 },
    }));
  await Promise.all([...settling, ...raising].map((run) => run()));
  const [row] = await sql`select throughput_per_second, limit_messages from switchyard.senders`;
  assert.deepEqual({ ...row! }, { throughput_per_second: 539, limit_messages: 40 });
});
