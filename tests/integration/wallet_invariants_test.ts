import { strict as assert } from "node:assert";
import { createDatabase, type Sql } from "../support/database.ts";
import { connectFunctions, createTenant, walletOf } from "../support/wallet.ts";

async function setup() {
  const database = await createDatabase();
  const [sql] = await connectFunctions(database);
  const wallet = walletOf(sql!, await createTenant(database));
  const account = await wallet.open(5_000_000);
  const other = await wallet.open();
  await wallet.transfer(account, other);
  const hold = (await wallet.hold(account, { amount_micros: 500_000 })).id!;
  await wallet.capture(hold, 200_000);
  return { database, owner: database.sql, functions: sql!, account, other, hold };
}

type World = Awaited<ReturnType<typeof setup>>;

async function check(owner: Sql, since = "-infinity"): Promise<number> {
  const [row] =
    await owner`select switchyard.check_wallet_invariants(${since}::text::timestamptz) as broken`;
  return row!.broken;
}

/** Changes rows behind the back of every trigger, as a restore gone wrong would. */
async function tamper({ owner }: World, table: string, change: (sql: Sql) => Promise<unknown>) {
  const name = owner(`switchyard.${table}`);
  await owner`grant all on ${name} to current_user`;
  await owner`alter table ${name} disable trigger user`;
  await change(owner);
  await owner`alter table ${name} enable trigger user`;
}

const faults: [fault: string, rules: string[], table: string, change: Change][] = [
  [
    "an entry whose amount was changed",
    ["entries_follow_each_other", "transfer_sums_to_zero"],
    "wallet_entries",
    async (sql, { other }) =>
      await sql`update switchyard.wallet_entries set amount_micros = 2 where account_id = ${other}`,
  ],
  [
    "the last entries of an account deleted",
    ["balance_is_told_by_entries", "transfer_sums_to_zero"],
    "wallet_entries",
    async (sql, { account }) => {
      await sql`
        update switchyard.wallet_accounts set updated_at = now() where id = ${account}`;
      await sql`delete from switchyard.wallet_entries where account_id = ${account} and sequence = 3`;
    },
  ],
  [
    "an entry missing in the middle",
    ["entries_follow_each_other", "transfer_sums_to_zero"],
    "wallet_entries",
    async (sql, { account }) =>
      await sql`delete from switchyard.wallet_entries where account_id = ${account} and sequence = 2`,
  ],
  [
    "a balance that was set",
    ["balance_is_told_by_entries", "currency_sums_to_zero"],
    "wallet_accounts",
    async (sql, { other }) =>
      await sql`update switchyard.wallet_accounts set posted_micros = 9, updated_at = now()
        where id = ${other}`,
  ],
  [
    "money held for nothing",
    ["held_is_told_by_holds"],
    "wallet_accounts",
    async (sql, { other }) =>
      await sql`update switchyard.wallet_accounts set held_micros = 1 where id = ${other}`,
  ],
  [
    "a hold that forgot a capture",
    ["captured_is_told_by_captures", "held_is_told_by_holds"],
    "wallet_holds",
    async (sql, { hold }) =>
      await sql`update switchyard.wallet_holds set captured_micros = 0 where id = ${hold}`,
  ],
  [
    "a hold that nobody let expire",
    ["hold_has_not_expired"],
    "wallet_holds",
    async (sql, { hold }) =>
      await sql`update switchyard.wallet_holds set expires_at = now() - interval '2 hours'
        where id = ${hold}`,
  ],
];
type Change = (sql: Sql, world: World) => Promise<unknown>;

for (const [fault, rules, table, change] of faults) {
  Deno.test(`${fault}: ${rules.join(" and ")} found, and nothing is repaired`, async () => {
    const world = await setup();
    await using _ = world.database;
    assert.equal(await check(world.owner), 0);
    await tamper(world, table, (sql) => change(sql, world));
    const before = await readBooks(world.owner);
    assert.ok(await check(world.owner) >= rules.length);
    const found = await world.functions`select * from switchyard_api.list_wallet_findings(100)`;
    assert.deepEqual([...new Set(found.map(({ rule }) => rule))].sort(), [...rules].sort());
    assert.deepEqual(await readBooks(world.owner), before);
  });
}

Deno.test("what was found once is one finding, and is marked when it is gone", async () => {
  const world = await setup();
  await using _ = world.database;
  const set = (held: number) =>
    world.owner`update switchyard.wallet_accounts set held_micros = ${held}
      where id = ${world.other}`;
  await set(1);
  assert.equal(await check(world.owner), 1);
  assert.equal(await check(world.owner), 1);
  const list = () => world.owner`select gone_at from switchyard.wallet_findings`;
  assert.deepEqual([...await list()], [{ gone_at: null }]);
  await set(0);
  assert.equal(await check(world.owner), 0);
  assert.equal((await list()).filter(({ gone_at }) => gone_at === null).length, 0);
});

Deno.test("a look at the last minutes finds what changed in them", async () => {
  const world = await setup();
  await using _ = world.database;
  const since = new Date(Date.now() - 600_000).toISOString();
  assert.equal(await check(world.owner, since), 0);
  await tamper(
    world,
    "wallet_entries",
    (sql) =>
      sql`update switchyard.wallet_entries set amount_micros = 2 where account_id = ${world.other}`,
  );
  assert.equal(await check(world.owner, since), 2);
});

Deno.test("the jobs of the wallet run every minute and its proof every night", async () => {
  const world = await setup();
  await using _ = world.database;
  const jobs = await world.owner`
    select jobname, schedule, command from cron.job where jobname like 'switchyard-wallet-%'
    order by jobname`;
  assert.deepEqual(jobs.map(({ jobname }) => jobname), [
    "switchyard-wallet-answers",
    "switchyard-wallet-checks",
    "switchyard-wallet-debts",
    "switchyard-wallet-proof",
    "switchyard-wallet-seals",
    "switchyard-wallet-tick",
    "switchyard-wallet-top-ups",
  ]);
  for (const { command } of jobs) await world.owner.unsafe(command);
});

async function readBooks(sql: Sql): Promise<unknown> {
  return [
    ...await sql`select * from switchyard.wallet_accounts order by id`,
    ...await sql`select * from switchyard.wallet_holds order by id`,
    ...await sql`select * from switchyard.wallet_entries order by account_id, sequence`,
  ];
}
