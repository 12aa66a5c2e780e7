/** Senders of which nothing is read for a while, and why. */
import { strict as assert } from "node:assert";

import { withDatabase } from "../support/database.ts";
import { later, NOW } from "../support/now.ts";
import { accepted, anItem, claim, enqueue, queueLength, settle } from "../support/outbound.ts";
import { createTenancy } from "../support/tenancy.ts";

function aBatch(tenancy: Parameters<typeof anItem>[0], count: number, overrides = {}) {
  return Array.from(
    { length: count },
    (_, i) => anItem(tenancy, { to: `+155504${10_000 + i}`, ...overrides }),
  );
}

Deno.test("of a sender that is held back nothing is read until the hold ends", () =>
  withDatabase(async ({ sql }) => {
    const [held, free] = [await createTenancy(sql), await createTenancy(sql)];
    await enqueue(sql, held, aBatch(held, 20), NOW);
    await sql`select switchyard_api.hold_senders(${sql.json([held.senderId])}, 60000, ${NOW})`;
    assert.deepEqual(await claim(sql, 10, later(30_000)), []);
    assert.equal(await queueLength(sql), 0);
    const [due] = await sql`select switchyard_api.next_due_at() as at`;
    assert.deepEqual(due!.at, later(60_000));
    await enqueue(sql, free, [anItem(free)], later(30_000));
    assert.equal((await claim(sql, 10, later(30_000))).length, 1);
    assert.ok((await claim(sql, 20, later(60_000))).length > 0);
  }));

Deno.test("of a sender whose hold is over few are read until Meta has accepted one", () =>
  withDatabase(async ({ sql }) => {
    const held = await createTenancy(sql, { throughputPerSecond: 1000 });
    await enqueue(sql, held, aBatch(held, 30), NOW);
    await sql`select switchyard_api.hold_senders(${sql.json([held.senderId])}, 1000, ${NOW})`;
    const few = await claim(sql, 20, later(1000));
    assert.equal(few.length, 5);
    const due_at = later(2000).toISOString();
    await settle(sql, few.slice(1), () => ({ outcome: "retry", due_at }), later(1000));
    assert.equal((await claim(sql, 20, later(1000))).length, 5);
    await settle(sql, few.slice(0, 1), accepted, later(1000));
    assert.equal((await claim(sql, 20, later(1000))).length, 20);
  }));

Deno.test("an answer that comes before the end of a hold does not end it", () =>
  withDatabase(async ({ sql }) => {
    const held = await createTenancy(sql, { throughputPerSecond: 1000 });
    await enqueue(sql, held, aBatch(held, 2), NOW);
    const claims = await claim(sql, 1, later(1));
    await sql`select switchyard_api.hold_senders(${sql.json([held.senderId])}, 1000, ${NOW})`;
    await settle(sql, claims, accepted, later(10));
    assert.deepEqual(await claim(sql, 1, later(999)), []);
    assert.equal((await claim(sql, 1, later(1000))).length, 1);
  }));

Deno.test("a sender that Meta calls too fast is slowed once for many answers, and gently raised", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql, { throughputPerSecond: 80 });
    const rate = async () => {
      const [row] = await sql`
        select coalesce(slowed_per_second, throughput_per_second)::float as rate
        from switchyard.senders where id = ${tenancy.senderId}`;
      return row!.rate;
    };
    await enqueue(sql, tenancy, aBatch(tenancy, 10), NOW);
    const throttled = { outcome: "retry", due_at: later(10_000).toISOString(), throttled: true };
    for (let i = 0; i < 2; i++) {
      await settle(sql, await claim(sql, 5, NOW), () => throttled, later(i * 1_000));
    }
    assert.equal(await rate(), 40);
    await sql`select switchyard.speed_up_senders(${later(5_000)})`;
    assert.equal(await rate(), 40);
    await sql`select switchyard.speed_up_senders(${later(10_000)})`;
    assert.equal(await rate(), 44);
    for (let i = 2; i < 12; i++) {
      await sql`select switchyard.speed_up_senders(${later(i * 10_000)})`;
    }
    assert.equal(await rate(), 80);
  }));

Deno.test("a refused credential pauses its sender, whose messages wait unread and go with the next one", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, aBatch(tenancy, 5), NOW);
    const claims = await claim(sql, 2, NOW);
    const refused = {
      outcome: "retry",
      due_at: NOW.toISOString(),
      error: { cause: "token_invalid" },
      refused_version: 1,
    };
    await settle(sql, claims, () => refused, NOW);
    assert.deepEqual(await claim(sql, 10, later(60_000)), []);
    assert.equal(await queueLength(sql), 0);
    const attention = await sql`select cause from switchyard_api.list_attention(null)`;
    assert.deepEqual(attention.map(({ cause }) => cause), ["token_invalid"]);

    await sql`
      select switchyard_api.rotate_credential(
        ${tenancy.tenantId}, ${tenancy.phoneNumberId}, 'another token', '{}')`;
    assert.equal((await claim(sql, 10, later(60_000))).length, 5);
    const open = await sql`select from switchyard_api.list_attention(null)`;
    assert.equal(open.length, 0);
  }));

Deno.test("a refusal of a credential that was rotated meanwhile pauses nobody", () =>
  withDatabase(async ({ sql }) => {
    const tenancy = await createTenancy(sql);
    await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
    const claims = await claim(sql, 2, NOW);
    await sql`
      select switchyard_api.rotate_credential(
        ${tenancy.tenantId}, ${tenancy.phoneNumberId}, 'another token', '{}')`;
    const refused = { outcome: "retry", due_at: NOW.toISOString(), refused_version: 1 };
    await settle(sql, claims, () => refused, NOW);
    assert.equal((await claim(sql, 2, later(1_000))).length, 1);
  }));
