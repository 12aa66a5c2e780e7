/** Whose turn it is to be claimed from when more senders have messages due than one claim takes. */
import { strict as assert } from "node:assert";

import { createDatabase, type Sql } from "../support/database.ts";
import { anItem, claim, enqueue } from "../support/outbound.ts";
import { createTenancy, type Tenancy } from "../support/tenancy.ts";

const NOW = new Date("2026-11-22T12:00:00Z");
const LONG_AGO = new Date(NOW.getTime() - 600_000);

async function createBacklogs(sql: Sql, count: number): Promise<Tenancy[]> {
  const tenancies: Tenancy[] = [];
  for (let nth = 0; nth < count; nth++) {
    const tenancy = await createTenancy(sql);
    const items = Array.from(
      { length: 10 },
      (_, i) => anItem(tenancy, { to: `+155502000${10 + i}` }),
    );
    await enqueue(sql, tenancy, items, LONG_AGO);
    tenancies.push(tenancy);
  }
  return tenancies;
}

/** How many messages of each sender a claim took. */
async function claimBySender(sql: Sql, batch: number): Promise<Map<string, number>> {
  const claims = await claim(sql, batch, NOW);
  const rows = await sql`
    select sender_id, count(*)::integer as taken from switchyard.messages
    where id in ${sql(claims.map(({ id }) => id))} group by sender_id`;
  return new Map(rows.map((row) => [row.sender_id, row.taken]));
}

Deno.test("a claim gives every sender its first message before any gets its second", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  await createBacklogs(sql, 15);
  const taken = await claimBySender(sql, 20);
  assert.equal(taken.size, 15);
  assert.deepEqual(new Set(taken.values()), new Set([1, 2]));
});

Deno.test("however old the backlogs of others are, a newcomer waits for one round of them at most", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  await createBacklogs(sql, 30);
  await claimBySender(sql, 10);
  const newcomer = await createTenancy(sql);
  await enqueue(sql, newcomer, [anItem(newcomer)], NOW);
  const rounds = [
    await claimBySender(sql, 10),
    await claimBySender(sql, 10),
    await claimBySender(sql, 10),
  ];
  assert.equal(rounds.filter((taken) => taken.has(newcomer.senderId)).length, 1);
  // Nobody is claimed from twice before everybody was once.
  const senders = rounds.flatMap((taken) => [...taken.keys()]);
  assert.equal(new Set(senders).size, senders.length);
});
