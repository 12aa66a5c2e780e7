import { strict as assert } from "node:assert";
import { createDatabase, type Sql } from "../support/database.ts";
import { connectFunctions, createTenant, type TenantWallet, walletOf } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const TABLES = [
  "idempotency_keys",
  "wallet_accounts",
  "wallet_holds",
  "wallet_transfers",
  "wallet_entries",
  "wallet_top_up_requests",
];
const noon = "2026-12-01T12:00:00Z";
const key = "a key of the test";

/** Before and after every statement that writes, the connection dies if it is its turn. */
async function setTrap(owner: Sql): Promise<void> {
  await owner.unsafe(`
    create sequence public.moment;
    create table public.trap (at bigint not null);
    insert into public.trap values (0);
    create function public.spring() returns trigger language plpgsql security definer as $$
    begin
      if nextval('public.moment') = (select at from public.trap) then
        perform pg_terminate_backend(pg_backend_pid());
        perform pg_sleep(60);
      end if;
      return null;
    end;
    $$;`);
  for (const table of TABLES) {
    await owner.unsafe(`
      create trigger aaa_trap before insert or update on switchyard.${table}
        for each statement execute function public.spring();
      create trigger zzz_trap after insert or update on switchyard.${table}
        for each statement execute function public.spring();`);
  }
}

async function dieAt(owner: Sql, moment: number): Promise<void> {
  await owner`update public.trap set at = ${moment}`;
  await owner`select setval('public.moment', 1, false)`;
}

async function readRows(owner: Sql): Promise<string> {
  const tables = await Promise.all(
    TABLES.map((table) => owner`select t::text as row from ${owner(`switchyard.${table}`)} t`),
  );
  return JSON.stringify(tables.map((rows) => rows.map(({ row }) => row).sort()));
}

interface World {
  sql: Sql;
  wallet: TenantWallet;
  account: string;
  other: string;
  open: string;
  released: string;
}

const resolution = (hold_id: string) => ({
  index: 0,
  hold_id,
  action: "capture",
  amount_micros: 900,
  reference: "r",
  even_late: true,
});

// What each does, and how often a connection dies in it at the least: once for each statement.
const operations: [title: string, moments: number, run: (world: World) => Promise<unknown>][] = [
  [
    "a transfer",
    8,
    ({ wallet, account, other }) => wallet.transfer(account, other, { key, amount_micros: 10 }),
  ],
  [
    "a top-up",
    8,
    ({ wallet, account }) => wallet.topUp(account, { key, payment_id: "pi_1", amount_micros: 10 }),
  ],
  ["a hold", 6, ({ wallet, account }) => wallet.hold(account, { key, amount_micros: 10 })],
  ["a capture", 10, ({ wallet, open }) => wallet.capture(open, 30, { key })],
  ["a release", 6, ({ wallet, open }) => wallet.release(open, { key })],
  [
    "a charge after the release that is owed",
    8,
    ({ sql, released }) =>
      sql`select answer from switchyard.resolve_holds(
      ${sql.json([resolution(released)])}, '{}', ${noon})`,
  ],
  [
    "the end of holds whose time has passed",
    4,
    ({ sql }) => sql`select switchyard.expire_holds('2027-01-01', 10) as n`,
  ],
  ["a batch of holds", 6, ({ sql, wallet, account }) => {
    const holds = [10, 5_000_000, 20].map((amount, index) => ({
      index,
      key: `${key} ${index}`,
      fingerprint: "0".repeat(64),
      field_digests: {},
      account_id: account,
      amount_micros: String(amount),
      currency: "USD",
    }));
    return sql`select index, answer from switchyard_api.place_wallet_holds(
      ${wallet.tenantId}, ${sql.json(holds)}, '{}')`;
  }],
];

for (const [title, moments, run] of operations) {
  Deno.test(`killed between any two statements ${title} has not happened, and can be asked again`, async () => {
    await using database = await createDatabase();
    const owner = database.sql;
    const tenantId = await createTenant(database);
    const wallet = walletOf(owner, tenantId);
    const [account, other] = [await wallet.open(1_000), await wallet.open()];
    const released = (await wallet.hold(account, { amount_micros: 900 })).id!;
    await wallet.release(released);
    const until = { expires_at: "2026-12-31T00:00:00Z", at: noon };
    const open = (await wallet.hold(account, { amount_micros: 300, ...until })).id!;
    await setTrap(owner);

    const before = await readRows(owner);
    let deaths = 0;
    for (;; deaths++) {
      assert.ok(deaths < 100, "an operation has an end");
      await dieAt(owner, deaths + 1);
      const sql = (await connectFunctions(database))[0]!;
      if (/resolve_holds|expire_holds/.test(String(run))) await sql`reset role`;
      const world = { sql, wallet: walletOf(sql, tenantId), account, other, open, released };
      const died = await run(world).then(() => false, onlyIfCut);
      await sql.end({ timeout: 1 });
      if (!died) break;
      assert.equal(await readRows(owner), before);
    }
    assert.ok(deaths >= moments, `${title} died ${deaths} times`);
    assert.notEqual(await readRows(owner), before);
    await assertBooksHold(owner);
  });
}

// 57P01: the connection was terminated.
function onlyIfCut(error: { code?: string }): true {
  const cut = ["57P01", "CONNECTION_CLOSED", "CONNECTION_ENDED", "ECONNRESET", "EPIPE"];
  if (!cut.includes(error.code ?? "")) throw error;
  return true;
}
