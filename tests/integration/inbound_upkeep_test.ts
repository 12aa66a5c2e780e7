import { strict as assert } from "node:assert";

import { type Sql, withDatabase } from "../support/database.ts";
import { anEvent, apply, claimEvents, store } from "../support/inbound.ts";
import { accepted, anItem, claim, enqueue, settle } from "../support/outbound.ts";
import { createTenancy } from "../support/tenancy.ts";

const keep = () => ({ action: "keep" });

async function count(sql: Sql, table: string): Promise<number> {
  const [row] = await sql`select count(*)::integer as found from ${sql(table)}`;
  return row!.found;
}

async function tick(sql: Sql, after = "0 seconds"): Promise<void> {
  await sql`select switchyard.inbound_tick(clock_timestamp() + ${after}::interval)`;
}

Deno.test("an event that was stored and lost its place in the queue is queued again, once", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [anEvent(tenancy), anEvent(tenancy), anEvent(tenancy)]);
    const [lost] = await sql`delete from pgmq.q_wa_inbound
      where msg_id = (select min(msg_id) from pgmq.q_wa_inbound) returning message`;
    await tick(sql);
    assert.equal(await count(sql, "pgmq.q_wa_inbound"), 2);
    await tick(sql, "6 minutes");
    await tick(sql, "6 minutes");
    assert.equal(await count(sql, "pgmq.q_wa_inbound"), 3);
    const claimed = await claimEvents(sql, 10);
    assert.ok(claimed.some(({ id }) => id === lost!.message.id));
  }));

Deno.test("an event that is claimed, or waits for its next try, is not queued a second time", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [anEvent(tenancy), anEvent(tenancy)]);
    const [first] = await claimEvents(sql, 2);
    await apply(sql, [first!], () => ({ action: "retry", delay_seconds: 60, reason: "x" }));
    await tick(sql, "6 minutes");
    assert.equal(await count(sql, "pgmq.q_wa_inbound"), 2);
  }));

Deno.test("looking for stranded events reads the indexes, however many have been applied", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await sql`
      insert into switchyard.inbound_events (
        event_key, kind, state, tenant_id, field, payload, received_at, processed_at)
      select sha256(n::text::bytea), 'status', 'applied', ${tenancy.tenantId},
        'messages', '{}', now() - interval '1 day', now()
      from generate_series(1, 20000) n`;
    await store(sql, [anEvent(tenancy)]);
    await sql`analyze switchyard.inbound_events`;
    const plan = await sql`
      explain select e.id from switchyard.inbound_events e
      where e.state = 'pending' and e.received_at <= now() - interval '5 minutes'
        and not exists (select from pgmq.q_wa_inbound q where (q.message ->> 'id')::bigint = e.id)
      order by e.received_at limit 1000`;
    const text = plan.map((row) => row["QUERY PLAN"]).join("\n");
    assert.match(text, /inbound_events_pending/);
    assert.doesNotMatch(text, /Seq Scan on inbound_events/);
  }));

Deno.test("old events go, what they told of messages and conversations stays", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const at = new Date();
    await enqueue(sql, tenancy, [anItem(tenancy)], at);
    const claims = await claim(sql, 1, at);
    await settle(sql, claims, accepted, at);
    await store(sql, [
      anEvent(tenancy),
      anEvent(tenancy, { kind: "message" }),
      anEvent(tenancy, { kind: "unknown", reason: "unknown_status" }),
      anEvent(tenancy),
    ]);
    const claimed = await claimEvents(sql, 10);
    await apply(sql, claimed.slice(0, 2), ({ kind }) => {
      const its = { at: at.toISOString(), wamid: `wamid.${claims[0]!.id}` };
      const status = { status: "read", message_id: null, recipient: null, errors: null };
      const customer = { phone: "+15550200001", user_id: null, name: "Ann" };
      return kind === "status"
        ? { action: "status", ...its, ...status, pricing: null }
        : { action: "message", ...its, ...customer, type: "text", content: {} };
    });
    await apply(sql, claimed.slice(2), () => ({ action: "dead", reason: "x" }));

    await tick(sql, "29 days");
    assert.equal(await count(sql, "switchyard.inbound_events"), 4);
    await tick(sql, "31 days");
    const left = await sql`select state from switchyard.inbound_events order by state`;
    assert.deepEqual(left.map(({ state }) => state), ["dead", "quarantined"]);
    await tick(sql, "91 days");
    assert.equal(await count(sql, "switchyard.inbound_events"), 1);
    assert.equal(await count(sql, "switchyard.message_statuses"), 1);
    assert.equal(await count(sql, "switchyard.conversation_events"), 1);
  }));

Deno.test("pruning takes a bounded number, the oldest first", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, Array.from({ length: 10 }, () => anEvent(tenancy)));
    await apply(sql, await claimEvents(sql, 10), keep);
    const prune = (most: number) =>
      sql`select switchyard.prune_inbound_events(now() + interval '31 days', ${most})`;
    await prune(4);
    assert.equal(await count(sql, "switchyard.inbound_events"), 6);
  }));

Deno.test("events may not be kept for a shorter time than Meta sends again", () =>
  withDatabase(async ({ sql }) => {
    await assert.rejects(
      () => sql`update switchyard.settings set events_kept_days = 7`.then(),
      /events_outlive_the_retries_of_meta/,
    );
  }));

Deno.test("an event that nobody settles in ten claims is dead", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await store(sql, [anEvent(tenancy)]);
    for (let nth = 0; nth < 10; nth++) {
      assert.equal((await claimEvents(sql, 10)).length, 1);
      await sql`update pgmq.q_wa_inbound set vt = clock_timestamp() - interval '1 second'`;
    }
    assert.deepEqual(await claimEvents(sql, 10), []);
    const letters = await sql`select cause, tenant_id from switchyard.dead_letters`;
    assert.deepEqual(letters.map((row) => ({ ...row })), [
      { cause: "abandoned", tenant_id: tenancy.tenantId },
    ]);
    assert.equal(await count(sql, "pgmq.q_wa_inbound"), 0);
  }));
