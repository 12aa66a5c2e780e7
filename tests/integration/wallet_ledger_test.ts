import { strict as assert } from "node:assert";
import { createDatabase, type Sql } from "../support/database.ts";
import { connectFunctions, createTenant, walletOf } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

async function setup() {
  const database = await createDatabase();
  const [sql] = await connectFunctions(database);
  const wallet = walletOf(sql!, await createTenant(database));
  const rich = await wallet.open(5_000_000);
  const poor = await wallet.open();
  await wallet.transfer(rich, poor);
  return { database, owner: database.sql, wallet, rich, poor };
}

async function refuses(attempt: Promise<unknown>, reason: RegExp): Promise<void> {
  await assert.rejects(attempt, (error) => reason.test(String(error)));
}

const tables = ["wallet_entries", "wallet_transfers", "wallet_accounts", "wallet_holds"];

Deno.test("what was posted is changed by nobody, not by the owner of the tables", async () => {
  const { database, owner } = await setup();
  await using _ = database;
  for (const table of tables) {
    const name = owner(`switchyard.${table}`);
    await refuses(owner`delete from ${name}`, /permission denied/);
    await refuses(owner`truncate ${name} cascade`, /permission denied/);
  }
  await refuses(owner`update switchyard.wallet_entries set event_at = now()`, /permission denied/);
  await refuses(owner`update switchyard.wallet_transfers set event_at = now()`, /never changed/);
  await refuses(owner`update switchyard.wallet_accounts set currency = 'EUR'`, /never changed/);
  await refuses(owner`update switchyard.wallet_accounts set tenant_id = null`, /never changed/);
});

Deno.test("an owner who takes the privileges back still meets the triggers", async () => {
  const { database, owner } = await setup();
  await using _ = database;
  await owner`grant all on all tables in schema switchyard to current_user`;
  for (const table of tables) {
    const name = owner(`switchyard.${table}`);
    await refuses(owner`truncate ${name} cascade`, /it is never changed/);
    if (table === "wallet_holds") continue;
    await refuses(owner`delete from ${name}`, /it is never changed/);
  }
  await refuses(owner`update switchyard.wallet_entries set event_at = now()`, /never changed/);
  await assertBooksHold(owner);
});

Deno.test("nobody holds the privilege to change or delete an entry", async () => {
  const { database, owner } = await setup();
  await using _ = database;
  const granted = await owner`
    select c.relname, a.privilege_type, a.grantee::regrole::text
    from pg_class c, aclexplode(c.relacl) a
    where c.relnamespace = 'switchyard'::regnamespace and c.relname = any(${tables})
      and (a.privilege_type in ('DELETE', 'TRUNCATE')
        or a.privilege_type = 'UPDATE' and c.relname = 'wallet_entries'
        or a.grantee <> c.relowner)`;
  assert.deepEqual([...granted], []);
});

Deno.test("the functions' own role reaches the books through the functions alone", async () => {
  const { database } = await setup();
  await using _ = database;
  const [sql] = await connectFunctions(database);
  for (const table of tables) {
    await refuses(sql!`select from ${sql!(`switchyard.${table}`)}`, /permission denied/);
  }
  await refuses(sql!`select switchyard.post_entries(null, '{}', '{}')`, /permission denied/);
});

for (const role of ["anon", "authenticated"]) {
  Deno.test(`${role} may call no function of the wallet`, async () => {
    const { database, owner } = await setup();
    await using _ = database;
    const allowed = await owner`
      select p.proname from pg_proc p
      where p.pronamespace in ('switchyard'::regnamespace, 'switchyard_api'::regnamespace)
        and has_function_privilege(${role}, p.oid, 'execute')`;
    assert.deepEqual([...allowed], []);
  });
}

// Each tries, as the owner, what a careless function could do, and is refused, at the latest at the commit.
const crooked: [title: string, run: (sql: Sql, ids: Ids) => Promise<unknown>, reason: RegExp][] = [
  [
    "a transfer whose entries do not sum to zero",
    async (sql, { transfer, rich, poor }) =>
      await sql`select switchyard.post_entries(${await transfer(sql)}, ${[rich, poor]}, ${[
        -2,
        1,
      ]}::bigint[])`,
    /do not sum to zero/,
  ],
  [
    "a transfer that sums to zero across two currencies",
    async (sql, { transfer, rich, euros }) =>
      await sql`select switchyard.post_entries(${await transfer(sql)}, ${[rich, euros]}, ${[
        -1,
        1,
      ]}::bigint[])`,
    /do not sum to zero/,
  ],
  ["a transfer without entries", (sql, { transfer }) => transfer(sql), /entries are missing/],
  [
    "a balance that no entry tells",
    (sql, { rich }) =>
      sql`update switchyard.wallet_accounts set posted_micros = 9 where id = ${rich}`,
    /its entries tell another balance/,
  ],
  [
    "an entry whose number leaves a gap",
    (sql, { rich }) =>
      sql`update switchyard.wallet_accounts set last_sequence = 9 where id = ${rich}`,
    /its entries tell another balance/,
  ],
  [
    "an entry that does not follow the last one",
    async (sql, { transfer, rich }) =>
      await sql`insert into switchyard.wallet_entries
            (account_id, sequence, transfer_id, amount_micros, balance_micros, event_at)
          values (${rich}, 3, ${await transfer(sql)}, 1, 1, now())`,
    /does not follow the last one/,
  ],
  [
    "an entry whose balance is not that of the last one and its amount",
    async (sql, { transfer, rich }) => {
      await sql`update switchyard.wallet_accounts
        set posted_micros = 9, last_sequence = last_sequence + 1 where id = ${rich}`;
      await sql`insert into switchyard.wallet_entries
          (account_id, sequence, transfer_id, amount_micros, balance_micros, event_at)
        values (${rich}, 3, ${await transfer(sql)}, 1, 9, now())`;
    },
    /does not follow the last one/,
  ],
  [
    "an entry of nothing",
    async (sql, { transfer, rich, poor }) =>
      await sql`select switchyard.post_entries(${await transfer(sql)}, ${[rich, poor]}, ${[
        0,
        0,
      ]}::bigint[])`,
    /amount_is_not_zero/,
  ],
  [
    "an overdraft",
    async (sql, { transfer, rich, poor }) =>
      await sql`select switchyard.post_entries(
            ${await transfer(sql)}, ${[rich, poor]}, ${[-4_000_001, 4_000_001]}::bigint[])`,
    /balance_is_not_negative/,
  ],
  [
    "an overdraft by holding more than is there",
    (sql, { rich }) =>
      sql`update switchyard.wallet_accounts set held_micros = 4000001 where id = ${rich}`,
    /balance_is_not_negative/,
  ],
];

interface Ids {
  /** Begins a transfer, of which no entries are written yet. */
  transfer(sql: Sql): Promise<string>;
  rich: string;
  poor: string;
  euros: string;
}

for (const [title, run, reason] of crooked) {
  Deno.test(`the database refuses ${title}`, async () => {
    const { database, owner, wallet, rich, poor } = await setup();
    await using _ = database;
    const euros = await wallet.open(0, "EUR");
    const transfer = async (sql: Sql) => {
      const [row] = await sql<{ id: string }[]>`
        insert into switchyard.wallet_transfers (tenant_id, kind, actor)
        values (${wallet.tenantId}, 'transfer', '{}') returning id`;
      return row!.id;
    };
    const attempt = owner.begin((sql) =>
      run(sql as unknown as Sql, { transfer, rich, poor, euros })
    );
    await refuses(attempt, reason);
    await assertBooksHold(owner);
  });
}

const resolved = { status: "released", resolved_at: "2026-11-22T00:00:00Z" };
const holds: [title: string, columns: Record<string, string | number>, reason: RegExp][] = [
  ["a hold of nothing", { ...resolved, amount_micros: 0 }, /amount_is_positive/],
  ["more captured than held", { ...resolved, captured_micros: 11 }, /parts_do_not_exceed_the_hold/],
  ["a part below zero", { captured_micros: -1 }, /parts_are_not_negative/],
  ["an open hold that holds nothing", { captured_micros: 10 }, /a_resolved_hold_holds_nothing/],
  ["a resolved hold that still holds", resolved, /a_resolved_hold_holds_nothing/],
  ["an end that nobody knows", { ...resolved, captured_micros: 10, status: "lost" }, /status_is_k/],
];
for (const [title, columns, reason] of holds) {
  Deno.test(`the database refuses ${title}`, async () => {
    const { database, owner, rich } = await setup();
    await using _ = database;
    const row = { account_id: rich, amount_micros: 10, actor: "{}", ...columns };
    await refuses(owner`insert into switchyard.wallet_holds ${owner(row)}`, reason);
  });
}

Deno.test("the balance at any past moment is on the entry that made it", async () => {
  const { database, owner, wallet, rich, poor } = await setup();
  await using _ = database;
  await wallet.transfer(rich, poor, { amount_micros: 250_000 });
  const entries = await owner`
    select sequence, amount_micros, balance_micros from switchyard.wallet_entries
    where account_id = ${rich} order by sequence`;
  assert.deepEqual([...entries], [
    { sequence: 1, amount_micros: 5_000_000, balance_micros: 5_000_000 },
    { sequence: 2, amount_micros: -1_000_000, balance_micros: 4_000_000 },
    { sequence: 3, amount_micros: -250_000, balance_micros: 3_750_000 },
  ]);
});
