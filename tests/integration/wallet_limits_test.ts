import { strict as assert } from "node:assert";
import { createDatabase } from "../support/database.ts";
import { connectFunctions, createTenant, walletOf } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const noon = "2026-12-01T12:00:00Z";
const night = "2026-12-01T23:59:59Z";
const tomorrow = "2026-12-02T00:00:00Z";

async function setup({ limit = 500, connections = 1 } = {}) {
  const database = await createDatabase();
  const all = await connectFunctions(database, connections);
  const tenantId = await createTenant(database);
  const wallets = all.map((sql) => walletOf(sql, tenantId));
  const wallet = wallets[0]!;
  const [account, other] = [await wallet.open(10_000), await wallet.open()];
  await wallet.setRules(account, { day_limit_micros: String(limit) });
  const hold = (amount_micros: number, at = noon) => wallet.hold(account, { amount_micros, at });
  const transfer = (amount_micros: number, at = noon) =>
    wallet.transfer(account, other, { amount_micros, at });
  return {
    database,
    owner: database.sql,
    connections: all,
    wallets,
    wallet,
    account,
    hold,
    transfer,
  };
}

Deno.test("holds and transfers of a day are counted against its limit, and the next day begins anew", async () => {
  const { database, owner, wallet, account, hold, transfer } = await setup();
  await using _ = database;
  assert.equal((await hold(300)).outcome, "completed");
  assert.equal((await transfer(150)).outcome, "completed");
  const before = await wallet.show(account);
  const refusal = {
    outcome: "spending_limit_reached",
    currency: "USD",
    needed_micros: "51",
    limit_micros: "500",
    spent_micros: "450",
    resets_at: "2026-12-02T00:00:00+00:00",
  };
  assert.deepEqual(await hold(51, night), refusal);
  assert.deepEqual(await transfer(51, night), refusal);
  assert.deepEqual(await wallet.show(account), before);
  assert.equal((await hold(50, night)).outcome, "completed");
  assert.equal((await hold(500, tomorrow)).outcome, "completed");
  assert.equal((await transfer(1, tomorrow)).outcome, "spending_limit_reached");
  await assertBooksHold(owner);
});

Deno.test("what is missing is told before what is not allowed", async () => {
  const { database, hold } = await setup();
  await using _ = database;
  assert.equal((await hold(10_001)).outcome, "insufficient_funds");
  assert.equal((await hold(9_999)).outcome, "spending_limit_reached");
});

Deno.test("a hold that is released gives back to the limit of its own day", async () => {
  const { database, wallet, hold } = await setup();
  await using _ = database;
  const { id: today } = await hold(500);
  await wallet.release(today!, { at: noon });
  const { id: captured } = await hold(500);
  await wallet.capture(captured!, 200, { at: noon });
  await wallet.release(captured!, { at: noon });
  const { id: late } = await hold(300, night);
  assert.ok(late);
  assert.equal((await hold(1, night)).outcome, "spending_limit_reached");
  await hold(500, tomorrow);
  await wallet.release(late, { at: tomorrow });
  assert.equal((await hold(1, tomorrow)).outcome, "spending_limit_reached");
});

Deno.test("a batch is held against the limit in its order, each by itself", async () => {
  const { database, connections: [sql], wallet, account } = await setup();
  await using _ = database;
  const holds = [200, 400, 300, 1].map((amount, index) => ({
    index,
    key: `a key of the batch ${index}`,
    fingerprint: "0".repeat(64),
    field_digests: {},
    account_id: account,
    amount_micros: String(amount),
    currency: "USD",
  }));
  const rows = await sql!`
    select index, answer from switchyard_api.place_wallet_holds(
      ${wallet.tenantId}, ${sql!.json(holds)}, '{}', ${noon}) order by index`;
  assert.deepEqual(
    rows.map(({ answer }) => [answer.outcome, answer.spent_micros]),
    [
      ["completed", undefined],
      ["spending_limit_reached", "200"],
      ["completed", undefined],
      ["spending_limit_reached", "500"],
    ],
  );
});

Deno.test("however many spend at once, no more than the limit is spent", async () => {
  const { database, owner, wallets, account } = await setup({ connections: 16 });
  await using _ = database;
  const outcomes = await Promise.all(
    wallets.map((own) => own.hold(account, { amount_micros: 100, at: noon })),
  );
  assert.equal(outcomes.filter(({ outcome }) => outcome === "completed").length, 5);
  const others = outcomes.filter(({ outcome }) => outcome !== "completed");
  assert.ok(others.every(({ outcome }) => outcome === "spending_limit_reached"));
  await assertBooksHold(owner);
});

Deno.test("a clock that is moved back over midnight opens no second limit", async () => {
  const { database, hold } = await setup();
  await using _ = database;
  assert.equal((await hold(500, tomorrow)).outcome, "completed");
  const refused = await hold(1, night);
  assert.equal(refused.outcome, "spending_limit_reached");
  assert.equal(refused.resets_at, "2026-12-03T00:00:00+00:00");
});

Deno.test("a limit counts from when it is set, holds while it is changed, and ends when it is taken away", async () => {
  const { database, wallet, account, hold } = await setup({ limit: 100 });
  await using _ = database;
  await hold(100);
  await wallet.setRules(account, { day_limit_micros: "150" });
  assert.equal((await hold(51)).outcome, "spending_limit_reached");
  await wallet.setRules(account, { day_limit_micros: null });
  assert.equal((await hold(5_000)).outcome, "completed");
  await wallet.setRules(account, { day_limit_micros: "10" });
  assert.equal((await hold(10)).outcome, "completed");
});
