/** What a limit at send time puts off returns at its moment, and keeps newcomers from being read for nothing. */
import { strict as assert } from "node:assert";

import { anItem, claim, enqueue, settle } from "../support/outbound.ts";
import { later, NOW } from "../support/now.ts";
import { ALL, BACKLOG, idsOf, putOff, withBacklog } from "../support/put_off.ts";

for (const limit of ["limit:tenant", "limit:sender"]) {
  Deno.test(`what ${limit} put off is claimed at its moment, newcomers after the last of it`, () =>
    withBacklog(async (sql) => {
      const first = await claim(sql, 10, NOW);
      await putOff(sql, first, limit);
      assert.deepEqual(await claim(sql, ALL, later(999)), []);
      for (let nth = 0; nth < 9; nth++) {
        const returned = await claim(sql, ALL, later(1000 * (1 + nth)));
        assert.deepEqual(idsOf(returned), [first[nth]!.id]);
      }
      const rest = await claim(sql, ALL, later(10_000));
      assert.equal(rest.length, BACKLOG - 9);
      assert.equal(new Set(idsOf([...first, ...rest])).size, BACKLOG);
    }));
}

Deno.test("what the pace of one recipient put off closes the way of nobody else", () =>
  withBacklog(async (sql) => {
    const first = await claim(sql, 10, NOW);
    await putOff(sql, first, "limit:pair");
    assert.equal((await claim(sql, ALL, NOW)).length, BACKLOG - 10);
  }));

Deno.test("an urgent message goes while a limit keeps its sender's others waiting", () =>
  withBacklog(async (sql, tenancy) => {
    await putOff(sql, await claim(sql, 10, NOW), "limit:tenant");
    const item = anItem(tenancy, { lane: "urgent", to: "+15550300001" });
    const [urgent] = await enqueue(sql, tenancy, [item], NOW);
    assert.deepEqual(idsOf(await claim(sql, ALL, later(1))), [urgent!.id]);
  }));

Deno.test("urgent messages that a limit put off close no lane", () =>
  withBacklog(async (sql, tenancy) => {
    const urgent = [1, 2].map((nth) => anItem(tenancy, { lane: "urgent", to: `+155503000${nth}` }));
    await enqueue(sql, tenancy, urgent, later(-1000));
    const [first] = await claim(sql, 1, NOW);
    await putOff(sql, [first!], "limit:tenant");
    assert.equal((await claim(sql, ALL, NOW)).length, BACKLOG + 1);
  }));

Deno.test("a worker is told of the next moment at which something may go", () =>
  withBacklog(async (sql) => {
    const nextDueAt = async () => (await sql`select switchyard_api.next_due_at() as at`)[0]!.at;
    const first = await claim(sql, 3, NOW);
    await putOff(sql, first, "limit:tenant");
    assert.deepEqual(await nextDueAt(), later(1000));
    for (let nth = 1; nth <= 3; nth++) await claim(sql, 1, later(1000 * nth));
    assert.deepEqual(await nextDueAt(), later(3000));
  }));

Deno.test("a message that returned and that Meta was too busy for is a newcomer again", () =>
  withBacklog(async (sql) => {
    const [first] = await claim(sql, 1, NOW);
    await putOff(sql, [first!], "limit:tenant");
    const [returned] = await claim(sql, 1, later(1000));
    const due_at = later(2000).toISOString();
    await settle(sql, [returned!], () => ({ outcome: "retry", due_at }), later(1000));
    assert.equal((await claim(sql, ALL, later(2000))).length, BACKLOG);
  }));

Deno.test("a cancelled message that was to return keeps nobody waiting for it alone", () =>
  withBacklog(async (sql, tenancy) => {
    const [first] = await claim(sql, 1, NOW);
    await putOff(sql, [first!], "limit:tenant");
    await sql`select switchyard_api.cancel_message(${tenancy.tenantId}, ${first!.id}, ${NOW})`;
    assert.equal((await claim(sql, ALL, later(1000))).length, BACKLOG - 1);
  }));
