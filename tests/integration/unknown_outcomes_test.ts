import { strict as assert } from "node:assert";

import { createDatabase } from "../support/database.ts";
import { anEvent } from "../support/inbound.ts";
import { anItem, claim, enqueue, settle } from "../support/outbound.ts";
import { createTenancy } from "../support/tenancy.ts";

const NOW = new Date("2026-11-22T12:00:00Z");
const later = (ms: number) => new Date(NOW.getTime() + ms);

Deno.test("an unknown outcome of a sender whose statuses come all the time is decided none the less", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  const tenancy = await createTenancy(sql);
  const [message] = await enqueue(sql, tenancy, [anItem(tenancy)], NOW);
  const unknown_until = later(60_000).toISOString();
  await settle(sql, await claim(sql, 10, NOW), () => ({ outcome: "unknown", unknown_until }), NOW);
  const another = anEvent(tenancy, {
    payload: { status: { id: "wamid.2", status: "sent", timestamp: "1763812800" } },
  });
  await sql`
    select * from switchyard_api.store_events(${sql.json([another] as never)}, ${later(64_900)})`;
  await sql`select switchyard.tick(${later(65_000)})`;
  const [claimed] = await claim(sql, 10, later(66_000));
  assert.equal(claimed?.id, message!.id);
});
