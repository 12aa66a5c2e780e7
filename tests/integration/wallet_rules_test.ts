import { strict as assert } from "node:assert";
import { createDatabase } from "../support/database.ts";
import { connectFunctions, createTenant, walletOf } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const unknownId = "99999999-9999-4999-8999-999999999999";

async function setup() {
  const database = await createDatabase();
  const [sql] = await connectFunctions(database);
  const wallet = walletOf(sql!, await createTenant(database));
  const rich = await wallet.open(5_000_000);
  const poor = await wallet.open();
  /** The whole state of the books: a refusal must leave it as it was. */
  const books = () =>
    database.sql`
      select a.id, a.posted_micros, a.last_sequence, a.xmin::text,
        (select count(*) from switchyard.wallet_entries) as entries,
        (select count(*) from switchyard.wallet_transfers) as transfers
      from switchyard.wallet_accounts a order by a.id`;
  return { database, sql: sql!, wallet, rich, poor, books };
}

Deno.test("a transfer moves money once and its key answers the same for ever", async () => {
  const { database, wallet, rich, poor, books } = await setup();
  await using _ = database;
  const first = await wallet.transfer(rich, poor, { key: "k" });
  assert.equal(first.outcome, "completed");
  const before = await books();
  for (let again = 0; again < 3; again++) {
    const replay = await wallet.transfer(rich, poor, { key: "k" });
    assert.deepEqual(replay, { outcome: "replayed", answer: first });
  }
  assert.deepEqual(await books(), before);
  assert.equal((await wallet.show(rich)).posted_micros, "4000000");
  assert.equal((await wallet.show(poor)).posted_micros, "1000000");
  await assertBooksHold(database.sql);
});

Deno.test("a key used with another request names the fields that differ, and changes nothing", async () => {
  const { database, wallet, rich, poor, books } = await setup();
  await using _ = database;
  await wallet.transfer(rich, poor, { key: "k" });
  const before = await books();
  assert.deepEqual(await wallet.transfer(rich, poor, { key: "k", amount_micros: 2 }), {
    outcome: "key_reused",
    fields: ["amount_micros"],
  });
  assert.deepEqual(await wallet.transfer(poor, rich, { key: "k" }), {
    outcome: "key_reused",
    fields: ["destination_account_id", "source_account_id"],
  });
  assert.deepEqual(await books(), before);
});

Deno.test("a key is one tenant's and one operation's: elsewhere it is new", async () => {
  const { database, sql, wallet, rich, poor } = await setup();
  await using _ = database;
  assert.equal((await wallet.transfer(rich, poor, { key: "k" })).outcome, "completed");
  assert.equal((await wallet.topUp(rich, { key: "k" })).outcome, "completed");
  const other = walletOf(sql, await createTenant(database));
  const [a, b] = [await other.open(1_000_000), await other.open()];
  assert.equal((await other.transfer(a, b, { key: "k" })).outcome, "completed");
  await assertBooksHold(database.sql);
});

Deno.test("a refusal for lack of funds stays with its key, though money has come since", async () => {
  const { database, wallet, rich, poor } = await setup();
  await using _ = database;
  const ask = { key: "k", amount_micros: 5_000_001 };
  const refusal = await wallet.transfer(rich, poor, ask);
  assert.deepEqual(refusal, {
    outcome: "insufficient_funds",
    currency: "USD",
    needed_micros: "5000001",
    available_micros: "5000000",
  });
  await wallet.topUp(rich);
  assert.deepEqual(await wallet.transfer(rich, poor, ask), {
    outcome: "replayed",
    answer: refusal,
  });
  assert.equal((await wallet.transfer(rich, poor, { ...ask, key: "l" })).outcome, "completed");
});

Deno.test("held money is not available, and a credit limit is", async () => {
  const { database, wallet, rich, poor } = await setup();
  await using _ = database;
  await database.sql`
    update switchyard.wallet_accounts set credit_limit_micros = 500000 where id = ${rich}`;
  await database.sql.begin((sql) => [
    sql`insert into switchyard.wallet_holds (account_id, amount_micros, actor)
        values (${rich}, 2000000, '{}')`,
    sql`update switchyard.wallet_accounts set held_micros = 2000000 where id = ${rich}`,
  ]);
  assert.equal((await wallet.show(rich)).available_micros, "3500000");
  const refused = await wallet.transfer(rich, poor, { amount_micros: 3_500_001 });
  assert.equal(refused.outcome, "insufficient_funds");
  const allowed = await wallet.transfer(rich, poor, { amount_micros: 3_500_000 });
  assert.equal(allowed.outcome, "completed");
  await assertBooksHold(database.sql);
});

Deno.test("accounts of another tenant are as unknown as those that never were", async () => {
  const { database, sql, wallet, rich, poor, books } = await setup();
  await using _ = database;
  const stranger = walletOf(sql, await createTenant(database));
  const own = await stranger.open(1_000_000);
  const before = await books();
  for (const account of [rich, unknownId]) {
    assert.deepEqual(await stranger.show(account), {
      outcome: "unknown_account",
      field: "account_id",
    });
    assert.deepEqual(await stranger.transfer(account, own), {
      outcome: "unknown_account",
      field: "source_account_id",
    });
    assert.deepEqual(await stranger.transfer(own, account), {
      outcome: "unknown_account",
      field: "destination_account_id",
    });
    assert.deepEqual(await stranger.topUp(account), {
      outcome: "unknown_account",
      field: "account_id",
    });
  }
  assert.deepEqual(await wallet.transfer(rich, unknownId), {
    outcome: "unknown_account",
    field: "destination_account_id",
  });
  assert.deepEqual(await books(), before);
  assert.equal((await wallet.transfer(rich, poor)).outcome, "completed");
});

Deno.test("the house's accounts are nobody's to use", async () => {
  const { database, wallet, rich } = await setup();
  await using _ = database;
  const [clearing] = await database.sql<{ id: string }[]>`
    select id from switchyard.wallet_accounts where kind = 'clearing'`;
  assert.equal((await wallet.transfer(clearing!.id, rich)).outcome, "unknown_account");
  assert.equal((await wallet.show(clearing!.id)).outcome, "unknown_account");
});

Deno.test("a transfer to the same account is refused and changes nothing", async () => {
  const { database, wallet, rich, books } = await setup();
  await using _ = database;
  const before = await books();
  assert.deepEqual(await wallet.transfer(rich, rich), {
    outcome: "same_account",
    field: "destination_account_id",
  });
  assert.deepEqual(await books(), before);
});

Deno.test("an account moves only its own currency", async () => {
  const { database, wallet, rich, poor, books } = await setup();
  await using _ = database;
  const euros = await wallet.open(0, "EUR");
  const before = await books();
  assert.deepEqual(await wallet.transfer(rich, euros), {
    outcome: "currency_mismatch",
    field: "destination_account_id",
    currency: "EUR",
  });
  assert.deepEqual(await wallet.transfer(rich, poor, { currency: "EUR" }), {
    outcome: "currency_mismatch",
    field: "source_account_id",
    currency: "USD",
  });
  assert.equal((await wallet.topUp(euros)).outcome, "currency_mismatch");
  assert.deepEqual(await books(), before);
});

Deno.test("a payment is credited once, whichever key brings it", async () => {
  const { database, wallet, poor, books } = await setup();
  await using _ = database;
  const first = await wallet.topUp(poor, { payment_id: "pi_1", key: "k" });
  const before = await books();
  const again = await wallet.topUp(poor, { payment_id: "pi_1", key: "l" });
  assert.deepEqual(again, { outcome: "replayed", answer: first });
  assert.deepEqual(await wallet.topUp(poor, { payment_id: "pi_1", key: "l" }), again);
  assert.deepEqual(await wallet.topUp(poor.toUpperCase(), { payment_id: "pi_1" }), again);
  assert.deepEqual(await books(), before);
  await assertBooksHold(database.sql);
});

Deno.test("a payment that comes back with other fields is refused and names them", async () => {
  const { database, wallet, rich, poor, books } = await setup();
  await using _ = database;
  await wallet.topUp(poor, { payment_id: "pi_1" });
  const before = await books();
  const other = { payment_id: "pi_1", amount_micros: 2_000_000, key: "k" };
  const refusal = { outcome: "payment_reused", fields: ["account_id", "amount_micros"] };
  assert.deepEqual(await wallet.topUp(rich, other), refusal);
  assert.deepEqual(await wallet.topUp(rich, other), { outcome: "replayed", answer: refusal });
  assert.deepEqual(await books(), before);
});

Deno.test("two tenants may have payments of the same name", async () => {
  const { database, sql, wallet, rich } = await setup();
  await using _ = database;
  await wallet.topUp(rich, { payment_id: "pi_1" });
  const other = walletOf(sql, await createTenant(database));
  const account = await other.open();
  assert.equal((await other.topUp(account, { payment_id: "pi_1" })).outcome, "completed");
  await assertBooksHold(database.sql);
});

Deno.test("more than the house's clearing can tell is refused, not overflowed", async () => {
  const { database, wallet, rich, poor, books } = await setup();
  await using _ = database;
  const most = 10n ** 18n;
  for (let credited = 0; credited < 3; credited++) {
    await wallet.topUp(poor, { amount_micros: most });
  }
  const fill = { amount_micros: most - 5_000_000n, payment_id: "pi_1" };
  const answer = await wallet.topUp(poor, fill);
  assert.equal(answer.outcome, "completed");
  const before = await books();
  const tooLarge = { outcome: "amount_too_large", field: "amount_micros" };
  assert.deepEqual(await wallet.topUp(rich, { amount_micros: 1 }), tooLarge);
  assert.deepEqual(await wallet.topUp(poor, fill), { outcome: "replayed", answer });
  assert.deepEqual(await books(), before);
  await assertBooksHold(database.sql);
});

for (const amount_micros of [0, -1, 10n ** 18n + 1n]) {
  Deno.test(`an amount of ${amount_micros} micro-units is a mistake of the caller and raises`, async () => {
    const { database, wallet, rich, poor, books } = await setup();
    await using _ = database;
    const before = await books();
    await assert.rejects(wallet.transfer(rich, poor, { amount_micros }), /Cannot read the amount/);
    await assert.rejects(wallet.topUp(rich, { amount_micros }), /Cannot read the amount/);
    assert.deepEqual(await books(), before);
  });
}

Deno.test("a tenant that is not there is an outcome, and leaves no key", async () => {
  const { database, sql } = await setup();
  await using _ = database;
  const nobody = walletOf(sql, unknownId);
  assert.deepEqual(await nobody.transfer(unknownId, unknownId), { outcome: "tenant_not_found" });
});

Deno.test("a tenant with books cannot be deleted", async () => {
  const { database, wallet } = await setup();
  await using _ = database;
  await assert.rejects(
    database.sql`delete from switchyard.tenants where id = ${wallet.tenantId}`,
    /violates foreign key constraint/,
  );
});
