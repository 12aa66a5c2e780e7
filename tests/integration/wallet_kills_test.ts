import { strict as assert } from "node:assert";
import { digestRequest } from "../../supabase/functions/_shared/canonical_json.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { dieEverywhere } from "../support/killing.ts";
import { connectFunctions, createTenant, type TenantWallet, walletOf } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const TABLES = [
  "idempotency_keys",
  "wallet_accounts",
  "wallet_holds",
  "wallet_transfers",
  "wallet_entries",
  "wallet_top_up_requests",
  "wallet_provider_events",
];
const noon = "2026-12-01T12:00:00Z";
const key = "a key of the test";

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

function notify(sql: Sql, action: string, told: Record<string, string>) {
  const event = { action, currency: "USD", occurred_at: noon, ...told };
  return sql`select switchyard_api.apply_provider_event('stripe', ${sql.json(event)})`;
}

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
  ["linked transfers", 12, async ({ sql, wallet, account, other }) => {
    const transfers = [[account, other], [other, account]].map(([from, to], nth) => ({
      source_account_id: from!,
      destination_account_id: to!,
      amount_micros: String(20 - nth),
      currency: "USD",
    }));
    const idempotency = { key, ...await digestRequest({ transfers }) };
    return await sql`select switchyard_api.transfer_linked_funds(
      ${wallet.tenantId}, ${sql.json(transfers)}, ${sql.json(idempotency)}, '{}')`;
  }],
  [
    "a provider's notice that a refund waits for",
    14,
    ({ sql, account }) =>
      notify(sql, "credit", {
        event_id: "evt_1",
        payment_id: "pi_2",
        account_id: account,
        amount_micros: "10",
      }),
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
    await notify(owner, "refund", { event_id: "evt_0", payment_id: "pi_2", amount_micros: "4" });

    const isJob = /resolve_holds|expire_holds/.test(String(run));
    const connect = async () => isJob ? database.connect() : (await connectFunctions(database))[0]!;
    const deaths = await dieEverywhere(
      owner,
      TABLES,
      connect,
      (sql) => run({ sql, wallet: walletOf(sql, tenantId), account, other, open, released }),
    );
    assert.ok(deaths >= moments, `${title} died ${deaths} times`);
    await assertBooksHold(owner);
  });
}
