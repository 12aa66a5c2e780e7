import { strict as assert } from "node:assert";
import { addEndpoint } from "../support/callbacks.ts";
import { createDatabase } from "../support/database.ts";
import { createTenancy } from "../support/tenancy.ts";
import { connectFunctions, walletOf } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const noon = "2026-12-01T12:00:00Z";

async function setup({ connections = 1 } = {}) {
  const database = await createDatabase();
  const tenancy = await createTenancy(database.sql);
  await addEndpoint(database.sql, tenancy, { events: ["wallet.low", "wallet.top_up_wanted"] });
  const all = await connectFunctions(database, connections);
  const wallets = all.map((sql) => walletOf(sql, tenancy.tenantId));
  const wallet = wallets[0]!;
  const account = await wallet.open(1_000);
  const told = async (type = "wallet.low") => {
    const rows = await database.sql<{ payload: Record<string, string> }[]>`
      select payload from switchyard.callback_events where type = ${type} order by told_no`;
    return rows.map(({ payload }) => payload);
  };
  const spend = (amount_micros: number) => wallet.hold(account, { amount_micros });
  const topUp = (amount_micros: number) => wallet.topUp(account, { amount_micros });
  return { database, owner: database.sql, wallets, wallet, account, told, spend, topUp };
}

const thresholds = { low_below_micros: "400", recovered_above_micros: "600" };

Deno.test("a balance that falls below its threshold is told once, until it has recovered", async () => {
  const { database, owner, wallet, account, told, spend, topUp } = await setup();
  await using _ = database;
  await wallet.setRules(account, thresholds);
  await spend(600);
  assert.deepEqual(await told(), [], "400 is not below 400");
  await spend(1);
  assert.deepEqual(await told(), [{
    account_id: account,
    currency: "USD",
    available_micros: "399",
    ...thresholds,
  }]);
  await spend(9);
  await topUp(200);
  await spend(300);
  assert.equal((await told()).length, 1, "590 is above the threshold, but has not recovered");
  await topUp(310);
  await spend(300);
  assert.deepEqual((await told()).map((event) => event.available_micros), ["399", "300"]);
  await assertBooksHold(owner);
});

Deno.test("a capture, which moves the balance there and back, tells nothing by itself", async () => {
  const { database, wallet, account, told } = await setup();
  await using _ = database;
  await wallet.setRules(account, { low_below_micros: "400", recovered_above_micros: "400" });
  const { id } = await wallet.hold(account, { amount_micros: 700 });
  assert.equal((await told()).length, 1);
  await wallet.capture(id!, 500);
  await wallet.capture(id!, 200);
  assert.equal((await told()).length, 1);
});

Deno.test("what is low and well again within a transaction is not told", async () => {
  const { database, owner, wallet, account, told } = await setup();
  await using _ = database;
  await wallet.setRules(account, thresholds);
  await owner.begin(async (sql) => {
    await sql`
      update switchyard.wallet_accounts set held_micros = 900 where id = ${account}`;
    await sql`
      update switchyard.wallet_accounts set held_micros = 0 where id = ${account}`;
  });
  assert.deepEqual(await told(), []);
});

Deno.test("a threshold above the balance is told at once, and the same threshold set again is not", async () => {
  const { database, wallet, account, told } = await setup();
  await using _ = database;
  const high = { low_below_micros: "2000", recovered_above_micros: "3000" };
  for (let turn = 0; turn < 2; turn++) await wallet.setRules(account, high);
  assert.equal((await told()).length, 1);
  const off = { low_below_micros: null, recovered_above_micros: null };
  assert.equal((await wallet.setRules(account, off)).is_low, false);
});

Deno.test("however many spend at once, a crossing is told once", async () => {
  const { database, owner, wallets, wallet, account, told } = await setup({ connections: 16 });
  await using _ = database;
  await wallet.setRules(account, thresholds);
  await Promise.all(wallets.map((own) => own.hold(account, { amount_micros: 50 })));
  assert.equal((await told()).length, 1);
  await assertBooksHold(owner);
});

Deno.test("a spending that was refused or rolled back tells nothing", async () => {
  const { database, owner, wallet, account, told, spend } = await setup();
  await using _ = database;
  await wallet.setRules(account, thresholds);
  assert.equal((await spend(1_001)).outcome, "insufficient_funds");
  await assert.rejects(owner.begin(async (sql) => {
    await sql`
      update switchyard.wallet_accounts set held_micros = 900 where id = ${account}`;
    await sql`set constraints all immediate`;
    throw new Error("cut");
  }));
  assert.deepEqual(await told(), []);
});

Deno.test("the rules of another tenant's account are unknown, and stay as they are", async () => {
  const { database, owner, wallet, account } = await setup();
  await using _ = database;
  const [sql] = await connectFunctions(database);
  const stranger = walletOf(sql!, (await createTenancy(owner)).tenantId);
  const refused = await stranger.setRules(account, thresholds);
  assert.deepEqual(refused, { outcome: "unknown_account", field: "account_id" });
  assert.equal((await wallet.setRules(account, {})).low_below_micros, null);
});

const rule = {
  top_up: { below_micros: "500", amount_micros: "1000", max_per_day: 3, cool_down_seconds: 3600 },
};

Deno.test("a top-up is asked for once, answered by the next payment, and not asked for too soon", async () => {
  const { database, owner, wallet, account, told, spend, topUp } = await setup();
  await using _ = database;
  const ask = async (time: string) =>
    (await owner`select switchyard.want_top_ups(${`2026-12-01T${time}Z`}, 100) as n`)[0]!.n;
  await wallet.setRules(account, rule);
  assert.equal(await ask("10:00:00"), 0, "there is enough");
  await spend(600);
  assert.equal(await ask("10:01:00"), 1);
  const [event] = await told("wallet.top_up_wanted");
  assert.deepEqual(event, {
    request_id: event!.request_id,
    account_id: account,
    currency: "USD",
    amount_micros: "1000",
    available_micros: "400",
  });
  assert.equal(await ask("11:30:00"), 0, "one request at a time");
  const { id } = await topUp(50);
  const [request] = await owner`
    select id, transfer_id from switchyard.wallet_top_up_requests where closed_at is not null`;
  assert.deepEqual({ ...request }, { id: event!.request_id, transfer_id: id });
  assert.equal(await ask("11:00:59"), 0, "within the cool-down");
  assert.equal(await ask("11:01:00"), 1);
  await topUp(1);
  assert.equal(await ask("12:30:00"), 1);
  await topUp(1);
  assert.equal(await ask("14:00:00"), 0, "three times in a day");
  await assertBooksHold(owner);
});

Deno.test("a request that nobody answers is given up after a day, and then asked again", async () => {
  const { database, owner, wallet, account, spend } = await setup();
  await using _ = database;
  await wallet.setRules(account, rule);
  await spend(600);
  for (const [at, asked] of [[noon, 1], ["2026-12-02T11:59:59Z", 0], ["2026-12-02T12:00:00Z", 1]]) {
    const [row] = await owner`select switchyard.want_top_ups(${at!}, 100) as n`;
    assert.equal(row!.n, asked, String(at));
  }
  await wallet.setRules(account, { top_up: null });
  const [row] = await owner`select switchyard.want_top_ups('2026-12-09T12:00:00Z', 100) as n`;
  assert.equal(row!.n, 0);
});
