import { strict as assert } from "node:assert";

import { createDatabase, withDatabase } from "../support/database.ts";
import { anEvent } from "../support/inbound.ts";
import { later, NOW } from "../support/now.ts";
import {
  accepted,
  anItem,
  claim,
  enqueue,
  queueLength,
  readMessages,
  settle,
} from "../support/outbound.ts";
import { createTenancy } from "../support/tenancy.ts";

Deno.test("a worker that died in the call leaves an unknown outcome, not a second send", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    await claim(sql, 10, NOW);
    await sql`select switchyard.end_lost_leases(${later(59_999)}, 100)`;
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "sending");
    await sql`select switchyard.end_lost_leases(${later(60_000)}, 100)`;
    assert.equal((await readMessages(sql, tenancy))[0]!.status, "outcome_unknown");
    assert.equal(await queueLength(sql), 0);
    assert.deepEqual(await claim(sql, 10, later(61_000)), []);
  }));

Deno.test("a worker taken for dead may still say what became of its attempt", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const claims = await claim(sql, 10, NOW);
    await sql`select switchyard.end_lost_leases(${later(61_000)}, 100)`;
    assert.deepEqual(await settle(sql, claims, accepted, later(62_000)), [true]);
    const [row] = await readMessages(sql, tenancy);
    assert.equal(row!.status, "sent");
    assert.equal(row!.holds_pair, false);
  }));

Deno.test("an outcome that stays unknown follows the lane, or the choice made for the message", async (t) => {
  const cases: [overrides: Record<string, unknown>, status: string][] = [
    [{ lane: "urgent" }, "dead"],
    [{ lane: "normal" }, "queued"],
    [{ lane: "bulk" }, "dead"],
    [{ lane: "urgent", on_unknown: "resend" }, "queued"],
    [{ lane: "normal", on_unknown: "dead_letter" }, "dead"],
  ];
  await using database = await createDatabase();
  const { sql } = database;
  for (const [overrides, status] of cases) {
    await t.step(`${JSON.stringify(overrides)} → ${status}`, async () => {
      const tenancy = await createTenancy(sql);
      await enqueue(sql, tenancy, [anItem(tenancy, overrides)], NOW);
      const unknown_until = later(60_000).toISOString();
      const claims = (await claim(sql, 10, NOW)).slice(-1);
      await settle(sql, claims, () => ({ outcome: "unknown", unknown_until }), NOW);
      await sql`select switchyard.resolve_unknown_messages(${later(59_000)}, 100)`;
      assert.equal((await readMessages(sql, tenancy))[0]!.status, "outcome_unknown");
      await sql`select switchyard.resolve_unknown_messages(${later(60_000)}, 100)`;
      assert.equal((await readMessages(sql, tenancy))[0]!.status, status);
      await sql`update switchyard.messages set due_at = 'infinity' where status = 'queued'`;
    });
  }
});

Deno.test("an unknown outcome of a sender whose statuses come all the time is decided none the less", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    const [message] = await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const unknown_until = later(60_000).toISOString();
    await settle(
      sql,
      await claim(sql, 10, NOW),
      () => ({ outcome: "unknown", unknown_until }),
      NOW,
    );
    const another = anEvent(tenancy, {
      payload: { status: { id: "wamid.2", status: "sent", timestamp: "1763812800" } },
    });
    await sql`
    select * from switchyard_api.store_events(${sql.json([another] as never)}, ${later(64_900)})`;
    await sql`select switchyard.tick(${later(65_000)})`;
    const [claimed] = await claim(sql, 10, later(66_000));
    assert.equal(claimed?.id, message!.id);
  }));
