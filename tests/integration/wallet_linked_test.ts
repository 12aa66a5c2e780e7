import { strict as assert } from "node:assert";
import { digestRequest } from "../../supabase/functions/_shared/canonical_json.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { connectFunctions, createTenant, walletOf } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

type Leg = [from: string, to: string, amount: number];

async function setup({ connections = 1 } = {}) {
  const database = await createDatabase();
  const all = await connectFunctions(database, connections);
  const wallet = walletOf(all[0]!, await createTenant(database));
  const [a, b, c] = [await wallet.open(100), await wallet.open(), await wallet.open()];
  const link = async (legs: Leg[], { key = crypto.randomUUID() as string, sql = all[0]! } = {}) => {
    const transfers = legs.map(([source_account_id, destination_account_id, amount]) => ({
      source_account_id,
      destination_account_id,
      amount_micros: String(amount),
      currency: "USD",
    }));
    const idempotency = { key, ...digestRequest({ transfers }) };
    const [row] = await sql`
      select switchyard_api.transfer_linked_funds(${wallet.tenantId}, ${sql.json(transfers)},
        ${sql.json(idempotency)}, '{}') as returned`;
    return row!.returned;
  };
  const balances = () =>
    Promise.all([a, b, c].map(async (id) => Number((await wallet.show(id)).posted_micros)));
  return {
    database,
    owner: database.sql as Sql,
    connections: all,
    wallet,
    a,
    b,
    c,
    link,
    balances,
  };
}

Deno.test("linked legs are made in their order: one may spend what the one before brought", async () => {
  const { database, owner, a, b, c, link, balances } = await setup();
  await using _ = database;
  const { outcome, transfers } = await link([[a, b, 60], [b, c, 50]]);
  assert.deepEqual([outcome, transfers.length], ["completed", 2]);
  assert.deepEqual(await balances(), [40, 10, 50]);
  await assertBooksHold(owner);
});

Deno.test("one leg that is refused takes all back, and its key says so for ever", async () => {
  const { database, owner, wallet, a, b, c, link, balances } = await setup();
  await using _ = database;
  const key = "linked legs of the test";
  const legs: Leg[] = [[a, b, 60], [b, c, 61], [a, c, 1]];
  const refused = await link(legs, { key });
  assert.deepEqual(refused, {
    outcome: "linked_transfer_refused",
    index: 1,
    refusal: {
      outcome: "insufficient_funds",
      currency: "USD",
      needed_micros: "61",
      available_micros: "60",
    },
  });
  assert.deepEqual(await balances(), [100, 0, 0]);
  await wallet.topUp(b, { amount_micros: 1 });
  assert.deepEqual(await link(legs, { key }), { outcome: "replayed", answer: refused });
  assert.deepEqual(await balances(), [100, 1, 0]);
  await assertBooksHold(owner);
});

Deno.test("chains that cross each other all end, and nothing is lost", async () => {
  const { database, owner, connections, a, b, c, link, balances } = await setup({ connections: 8 });
  await using _ = database;
  const outcomes = await Promise.all(
    Array.from({ length: 64 }, (_, n) => {
      const [x, y, z] = [[a, b, c], [c, b, a], [b, c, a]][n % 3]!;
      return link([[x!, y!, 3], [y!, z!, 2]], { sql: connections[n % 8]! });
    }),
  );
  assert.ok(outcomes.every(({ outcome }) => /^(completed|linked_transfer_refused)$/.test(outcome)));
  assert.equal((await balances()).reduce((sum, balance) => sum + balance, 0), 100);
  await assertBooksHold(owner);
});
