import { strict as assert } from "node:assert";

import { createPayer, pricing, report } from "../support/charging.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { accepted, anItem, claim, enqueue, settle } from "../support/outbound.ts";

const NOON = new Date("2026-11-22T12:00:00Z");

/** A tenant with one message that was delivered and charged, one that is sent and one that waits. */
async function setup() {
  const database = await createDatabase();
  const { sql } = database;
  const payer = await createPayer(database, 1_000_000);
  const items = [1, 2].map((nth) => anItem(payer, { to: `+49151123456${nth}0` }));
  const answers = await enqueue(sql, payer, items, NOON);
  await settle(sql, await claim(sql, 10, NOON), accepted, NOON);
  const [later] = await enqueue(
    sql,
    payer,
    [anItem(payer, { send_at: "2026-12-24T12:00:00Z" })],
    NOON,
  );
  const [delivered, sent] = answers.map(({ id }) => id!);
  await report(sql, payer, [
    { message_id: delivered!, status: "delivered", pricing: pricing("service") },
  ]);
  return { database, sql, delivered: delivered!, sent: sent!, waiting: later!.id! };
}

type World = Awaited<ReturnType<typeof setup>>;

async function rulesBroken(sql: Sql, at = new Date(), since = "-infinity"): Promise<string[]> {
  await sql`select switchyard.check_wallet_invariants(${since}::text::timestamptz, ${at})`;
  const findings = await sql<{ rule: string }[]>`
    select distinct rule from switchyard_api.list_wallet_findings(100) order by rule`;
  return findings.map(({ rule }) => rule);
}

/** Writes behind the back of every trigger, as a restore gone wrong would. */
async function tamper(sql: Sql, table: string, change: () => Promise<unknown>) {
  await sql`grant all on ${sql(`switchyard.${table}`)} to current_user`;
  await sql`alter table ${sql(`switchyard.${table}`)} disable trigger user`;
  await change();
  await sql`alter table ${sql(`switchyard.${table}`)} enable trigger user`;
}

const faults: [
  fault: string,
  rules: string[],
  table: string,
  change: (world: World) => Promise<unknown>,
][] = [
  [
    "a charge that the ledger does not tell",
    ["charge_is_told_by_transfers"],
    "message_charges",
    ({ sql }) => sql`update switchyard.message_charges set amount_micros = amount_micros + 1`,
  ],
  [
    "a charge without a delivery",
    ["what_is_charged_was_delivered"],
    "message_statuses",
    ({ sql }) => sql`delete from switchyard.message_statuses where status = 'delivered'`,
  ],
  [
    "a delivery without a charge",
    ["capture_has_its_charge", "delivered_message_is_charged"],
    "message_charges",
    ({ sql }) => sql`delete from switchyard.message_charges`,
  ],
  [
    "a message under way whose hold is gone",
    ["held_is_told_by_holds", "message_under_way_is_held_for"],
    "wallet_holds",
    ({ sql, waiting }) => sql`delete from switchyard.wallet_holds where message_id = ${waiting}`,
  ],
  [
    "a hold of a message that has ended",
    ["open_hold_has_a_message_under_way"],
    "messages",
    ({ sql, sent }) => sql`update switchyard.messages set status = 'failed' where id = ${sent}`,
  ],
  [
    "a hold of a message that is not there",
    ["message_under_way_is_held_for", "open_hold_has_a_message_under_way"],
    "wallet_holds",
    ({ sql, waiting }) =>
      sql`update switchyard.wallet_holds set message_id = switchyard.new_id()
        where message_id = ${waiting}`,
  ],
  [
    "an estimate that nobody put right",
    ["estimate_is_settled_in_a_week"],
    "message_charges",
    ({ sql }) =>
      sql`update switchyard.message_charges
        set is_estimated = true, created_at = created_at - interval '8 days'`,
  ],
];

for (const [fault, rules, table, change] of faults) {
  Deno.test(`${fault} is found and counted by health`, async () => {
    const world = await setup();
    await using _ = world.database;
    const { sql } = world;
    assert.deepEqual(await rulesBroken(sql), []);
    await tamper(sql, table, () => change(world));
    assert.deepEqual(await rulesBroken(sql), rules);

    const [health] = await sql`select switchyard_api.health_snapshot() as told`;
    assert.equal(health!.told.wallet_findings, rules.length);
  });
}

Deno.test("the check of every minute finds what was charged wrongly in the last ones", async () => {
  const { database, sql } = await setup();
  await using _ = database;
  const since = new Date(Date.now() - 600_000).toISOString();
  assert.deepEqual(await rulesBroken(sql, new Date(), since), []);
  await tamper(
    sql,
    "message_charges",
    () => sql`update switchyard.message_charges set amount_micros = 1, updated_at = now()`,
  );
  assert.deepEqual(await rulesBroken(sql, new Date(), since), ["charge_is_told_by_transfers"]);
});
