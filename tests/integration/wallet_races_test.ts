import { strict as assert } from "node:assert";
import { createDatabase, type Sql } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { connectFunctions, createTenant, walletOf, type WalletOutcome } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const racers = 16;

async function setup() {
  const database = await createDatabase();
  const tenantId = await createTenant(database);
  const connections = await connectFunctions(database, racers);
  const wallets = connections.map((sql) => walletOf(sql, tenantId));
  const [wallet] = wallets;
  const rich = await wallet!.open(5_000_000);
  const poor = await wallet!.open();
  return { database, connections, wallets, wallet: wallet!, rich, poor };
}

function count(outcomes: WalletOutcome[], outcome: string): number {
  return outcomes.filter((returned) => returned.outcome === outcome).length;
}

/** What a caller is told, whether first or again. */
function told(returned: WalletOutcome): unknown {
  return returned.outcome === "replayed" ? returned.answer : returned;
}

Deno.test("sixteen connections spending at once never spend more than is there", async () => {
  const { database, wallets, wallet, rich, poor } = await setup();
  await using _ = database;
  const outcomes = await Promise.all(
    wallets.flatMap((own) => Array.from({ length: 4 }, () => own.transfer(rich, poor))),
  );
  assert.equal(count(outcomes, "completed"), 5);
  assert.equal(count(outcomes, "insufficient_funds"), racers * 4 - 5);
  assert.equal((await wallet.show(rich)).posted_micros, "0");
  assert.equal((await wallet.show(poor)).posted_micros, "5000000");
  await assertBooksHold(database.sql);
});

Deno.test("two hundred transfers with twenty keys have twenty effects, each told to all", async () => {
  const { database, wallets, wallet, rich, poor } = await setup();
  await using _ = database;
  const keys = Array.from({ length: 200 }, (_, index) => `key-${index % 20}`);
  const outcomes = await Promise.all(keys.map(async (key, index) => ({
    key,
    returned: await wallets[index % racers]!.transfer(rich, poor, { key, amount_micros: 10_000 }),
  })));
  const first = outcomes.filter(({ returned }) => returned.outcome === "completed");
  assert.equal(first.length, 20);
  for (const { key, returned } of outcomes) {
    assert.deepEqual(told(returned), first.find((other) => other.key === key)?.returned);
  }
  assert.equal((await wallet.show(poor)).posted_micros, String(20 * 10_000));
  await assertBooksHold(database.sql);
});

Deno.test("transfers that cross each other all complete: nobody waits for ever", async () => {
  const { database, wallets, wallet, rich, poor } = await setup();
  await using _ = database;
  await wallet.topUp(poor, { amount_micros: 5_000_000 });
  const outcomes = await Promise.all(
    wallets.flatMap((own, index) =>
      Array.from(
        { length: 10 },
        () =>
          index % 2 === 0
            ? own.transfer(rich, poor, { amount_micros: 1_000 })
            : own.transfer(poor, rich, { amount_micros: 1_000 }),
      )
    ),
  );
  assert.equal(count(outcomes, "completed"), racers * 10);
  assert.equal((await wallet.show(rich)).posted_micros, "5000000");
  await assertBooksHold(database.sql);
});

Deno.test("one payment brought by sixteen notices at once is credited once", async () => {
  const { database, wallets, wallet, poor } = await setup();
  await using _ = database;
  const outcomes = await Promise.all(
    wallets.map((own) => own.topUp(poor, { payment_id: "pi_1" })),
  );
  assert.equal(count(outcomes, "completed"), 1);
  assert.equal(new Set(outcomes.map((returned) => JSON.stringify(told(returned)))).size, 1);
  assert.equal((await wallet.show(poor)).posted_micros, "1000000");
  await assertBooksHold(database.sql);
});

Deno.test("one payment claimed for many accounts and currencies at once is credited once", async () => {
  const { database, wallets, wallet } = await setup();
  await using _ = database;
  const currencies = ["USD", "EUR", "JPY", "KWD"];
  const accounts = await Promise.all(wallets.map(async (_, index) => {
    const currency = currencies[index % currencies.length]!;
    return { currency, id: await wallet.open(0, currency) };
  }));
  const outcomes = await Promise.all(
    wallets.map((own, index) => {
      const { id, currency } = accounts[index]!;
      return own.topUp(id, { currency, payment_id: "pi_1" });
    }),
  );
  assert.equal(count(outcomes, "completed"), 1);
  assert.equal(count(outcomes, "payment_reused"), racers - 1);
  await assertBooksHold(database.sql);
});

Deno.test("first top-ups in a currency make one clearing account, however many at once", async () => {
  const { database, wallets, wallet } = await setup();
  await using _ = database;
  const account = await wallet.open(0, "XOF");
  const outcomes = await Promise.all(wallets.map((own) => own.topUp(account, { currency: "XOF" })));
  assert.equal(count(outcomes, "completed"), racers);
  const clearing = await database.sql`
    select from switchyard.wallet_accounts where kind = 'clearing' and currency = 'XOF'`;
  assert.equal(clearing.count, 1);
  await assertBooksHold(database.sql);
});

Deno.test("the second request with a key waits for the first and gets its answer", async () => {
  const { database, connections, wallets, rich, poor } = await setup();
  await using _ = database;
  await connections[0]!`begin`;
  const first = await wallets[0]!.transfer(rich, poor, { key: "k" });
  const second = wallets[1]!.transfer(rich, poor, { key: "k" });
  await untilSomebodyWaits(database.sql);
  await connections[0]!`commit`;
  assert.deepEqual(await second, { outcome: "replayed", answer: first });
});

Deno.test("the second request with a key does the work when the first was rolled back", async () => {
  const { database, connections, wallets, wallet, rich, poor } = await setup();
  await using _ = database;
  await connections[0]!`begin`;
  await wallets[0]!.transfer(rich, poor, { key: "k" });
  const second = wallets[1]!.transfer(rich, poor, { key: "k" });
  await untilSomebodyWaits(database.sql);
  await connections[0]!`rollback`;
  assert.equal((await second).outcome, "completed");
  assert.equal((await wallet.show(poor)).posted_micros, "1000000");
  await assertBooksHold(database.sql);
});

Deno.test("a request whose connection dies before the commit leaves neither key nor effect", async () => {
  const { database, connections, wallets, wallet, rich, poor } = await setup();
  await using _ = database;
  const dying = connections[1]!;
  const [backend] = await dying<{ pid: number }[]>`select pg_backend_pid() as pid`;
  await dying`begin`;
  await wallets[1]!.transfer(rich, poor, { key: "k" });
  await database.sql`select pg_terminate_backend(${backend!.pid}, 5000)`;
  assert.equal((await wallet.show(rich)).posted_micros, "5000000");
  assert.equal((await wallet.transfer(rich, poor, { key: "k" })).outcome, "completed");
  await assertBooksHold(database.sql);
});

Deno.test("a key that stays in flight too long is told so, and nothing was done", async () => {
  const { database, connections, wallets, rich, poor } = await setup();
  await using _ = database;
  await database.sql`alter function switchyard_api.transfer_funds set lock_timeout = '50ms'`;
  await connections[0]!`begin`;
  await wallets[0]!.transfer(rich, poor, { key: "k" });
  assert.deepEqual(await wallets[1]!.transfer(rich, poor, { key: "k" }), { outcome: "in_flight" });
  await connections[0]!`commit`;
  assert.equal((await wallets[1]!.transfer(rich, poor, { key: "k" })).outcome, "replayed");
  await assertBooksHold(database.sql);
});

Deno.test("an account that stays locked too long raises, and the key is free again", async () => {
  const { database, connections, wallets, rich, poor } = await setup();
  await using _ = database;
  await database.sql`alter function switchyard_api.transfer_funds set lock_timeout = '50ms'`;
  await connections[0]!`begin`;
  await wallets[0]!.transfer(rich, poor);
  await assert.rejects(wallets[1]!.transfer(rich, poor, { key: "k" }), { code: "55P03" });
  await connections[0]!`commit`;
  assert.equal((await wallets[1]!.transfer(rich, poor, { key: "k" })).outcome, "completed");
  await assertBooksHold(database.sql);
});

async function untilSomebodyWaits(sql: Sql): Promise<void> {
  await eventually(
    () =>
      sql`select from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`,
    (waiting) => waiting.count > 0,
    { intervalMs: 5 },
  );
}
