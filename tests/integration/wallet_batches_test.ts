import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { JSONValue } from "postgres";
import { digestRequest } from "../../supabase/functions/_shared/canonical_json.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { connectFunctions, createTenant, walletOf, type WalletOutcome } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

async function setup({ connections = 1, amount_micros = 500 } = {}) {
  const database = await createDatabase();
  const all = await connectFunctions(database, connections);
  const tenantId = await createTenant(database);
  const wallet = walletOf(all[0]!, tenantId);
  const account = await wallet.open(amount_micros);
  return { database, owner: database.sql, connections: all, tenantId, wallet, account };
}

interface Asked {
  key: string;
  account_id: string;
  amount_micros: number;
  currency?: string;
}

/** Asks for many holds at once, as the Edge Function does. */
async function placeMany(sql: Sql, tenantId: string, asked: Asked[]): Promise<WalletOutcome[]> {
  const holds = asked.map(({ key, ...request }, index) => {
    const fields: Record<string, JSONValue> = { currency: "USD", expires_at: null, ...request };
    fields.amount_micros = String(request.amount_micros);
    return { index, key, ...digestRequest(fields), ...fields };
  });
  const rows = await sql<{ index: number; answer: WalletOutcome }[]>`
    select * from switchyard_api.place_wallet_holds(${tenantId}, ${sql.json(holds)}, '{}')
    order by index`;
  assert.deepEqual(rows.map(({ index }) => index), asked.map((_, index) => index));
  return rows.map(({ answer }) => answer);
}

Deno.test("a thousand holds for money that is enough for half are half of them placed, and stay so", async () => {
  const { database, owner, connections: [sql], tenantId, wallet, account } = await setup();
  await using _ = database;
  const asked = Array.from({ length: 1_000 }, (_, nth) => ({
    key: `k${nth}`,
    account_id: account,
    amount_micros: 1,
  }));
  const answers = await placeMany(sql!, tenantId, asked);
  assert.equal(answers.filter(({ outcome }) => outcome === "completed").length, 500);
  assert.equal(answers.filter(({ outcome }) => outcome === "insufficient_funds").length, 500);
  await wallet.topUp(account, { amount_micros: 1_000 });
  const again = await placeMany(sql!, tenantId, asked);
  assert.deepEqual(again, answers.map((answer) => ({ outcome: "replayed", answer })));
  const other = await placeMany(sql!, tenantId, [{ ...asked[0]!, amount_micros: 2 }]);
  assert.deepEqual(other, [{ outcome: "key_reused", fields: ["amount_micros"] }]);
  await assertBooksHold(owner);
});

Deno.test("a hold that is too large refuses itself and nobody behind it", async () => {
  const { database, connections: [sql], tenantId, account } = await setup();
  await using _ = database;
  const answers = await placeMany(
    sql!,
    tenantId,
    [400, 101, 90, 11, 10].map((amount_micros, nth) => ({
      key: `k${nth}`,
      account_id: account,
      amount_micros,
    })),
  );
  assert.deepEqual(
    answers.map(({ outcome, available_micros }) => [outcome, available_micros]),
    [
      ["completed", undefined],
      ["insufficient_funds", "100"],
      ["completed", undefined],
      ["insufficient_funds", "10"],
      ["completed", undefined],
    ],
  );
});

Deno.test("one batch answers each by its own faults, and a key in it twice once", async () => {
  const { database, connections: [sql], tenantId, account, owner } = await setup();
  await using _ = database;
  const stranger = await setup();
  await using __ = stranger.database;
  const one = { key: "k0", account_id: account, amount_micros: 1 };
  const answers = await placeMany(sql!, tenantId, [
    one,
    { ...one, key: "k1", currency: "EUR" },
    { ...one, key: "k2", account_id: crypto.randomUUID() },
    one,
    { ...one, amount_micros: 2 },
  ]);
  assert.deepEqual(answers.map(({ outcome }) => outcome), [
    "completed",
    "currency_mismatch",
    "unknown_account",
    "replayed",
    "key_reused",
  ]);
  assert.deepEqual(answers[3]!.answer, answers[0]);
  const nobody = await placeMany(sql!, crypto.randomUUID(), [one]);
  assert.deepEqual(nobody, [{ outcome: "tenant_not_found" }]);
  await assertBooksHold(owner);
});

Deno.test("many at once are answered as if they had come one after the other", async () => {
  const { database, connections: [sql] } = await setup();
  await using _ = database;
  const amounts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(amounts, async (asked) => {
      const told = await Promise.all([true, false].map(async (together) => {
        const tenantId = await createTenant(database);
        const wallet = walletOf(sql!, tenantId);
        const account_id = await wallet.open(500);
        const holds = asked.map((amount_micros, nth) => ({
          key: `k${nth}`,
          account_id,
          amount_micros,
        }));
        const answers: WalletOutcome[] = [];
        if (together) answers.push(...await placeMany(sql!, tenantId, holds));
        else for (const hold of holds) answers.push(await wallet.hold(account_id, hold));
        return answers.map(({ outcome, available_micros }) => [outcome, available_micros]);
      }));
      assert.deepEqual(told[0], told[1]);
    }),
    { numRuns: 40 },
  );
});

Deno.test("batches on sixteen connections that share keys and wallets place each hold once", async () => {
  const { database, owner, connections, tenantId, wallet, account } = await setup({
    connections: 16,
    amount_micros: 300,
  });
  await using _ = database;
  const second = await wallet.open(300);
  const asked = Array.from({ length: 400 }, (_, nth) => ({
    key: `k${nth}`,
    account_id: nth % 2 === 0 ? account : second,
    amount_micros: 2,
  }));
  const answers = await Promise.all(connections.map((sql, racer) => {
    const own = asked.slice(racer * 10, racer * 10 + 250);
    return placeMany(sql, tenantId, racer % 2 === 0 ? own : own.reverse());
  }));
  const placed = answers.flat().filter(({ outcome }) => outcome === "completed");
  assert.equal(placed.length, 300);
  assert.equal((await wallet.show(account)).available_micros, "0");
  await assertBooksHold(owner);
});

Deno.test("more than a thousand at once are refused whole", async () => {
  const { database, connections: [sql], tenantId, account } = await setup();
  await using _ = database;
  const asked = Array.from({ length: 1_001 }, (_, nth) => ({
    key: `k${nth}`,
    account_id: account,
    amount_micros: 1,
  }));
  await assert.rejects(placeMany(sql!, tenantId, asked), { code: "54000" });
});
