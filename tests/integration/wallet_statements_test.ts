import { strict as assert } from "node:assert";
import { createDatabase } from "../support/database.ts";
import { connectFunctions, createTenant, walletOf } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

async function setup() {
  const database = await createDatabase();
  const connections = await connectFunctions(database, 8);
  const tenantId = await createTenant(database);
  const wallets = connections.map((sql) => walletOf(sql, tenantId));
  const account = await wallets[0]!.open(1_000_000);
  return { database, owner: database.sql, wallets, wallet: wallets[0]!, account };
}

Deno.test("the balance at any past moment is what the entries recorded before it add up to", async () => {
  const { database, owner, wallets, wallet, account } = await setup();
  await using _ = database;
  const other = await wallet.open();
  await Promise.all(
    wallets.flatMap((own) => [
      own.transfer(account, other, { amount_micros: 1_000 }),
      own.transfer(account, other, { amount_micros: 2_000 }),
    ]),
  );
  const wrong = await owner`
    select from switchyard.wallet_entries e
    where switchyard.balance_at(e.account_id, e.created_at) <> (
      select coalesce(sum(b.amount_micros), 0) from switchyard.wallet_entries b
      where b.account_id = e.account_id and b.created_at < e.created_at)`;
  assert.equal(wrong.count, 0);
  const [row] = await owner`
    select switchyard.balance_at(${account}, 'infinity') as last,
      switchyard.balance_at(${account}, '-infinity') as first`;
  assert.deepEqual({ ...row }, { last: 1_000_000 - 8 * 3_000, first: 0 });
  await assertBooksHold(owner);
});

Deno.test("entries that waited for each other are recorded in the order of their numbers", async () => {
  const { database, owner, wallets, account } = await setup();
  await using _ = database;
  await Promise.all(wallets.map((own) => own.topUp(account)));
  const wrong = await owner`
    select from switchyard.wallet_entries e
    join switchyard.wallet_entries p
      on p.account_id = e.account_id and p.sequence = e.sequence - 1
    where e.created_at < p.created_at`;
  assert.equal(wrong.count, 0);
});

Deno.test("a clock that is moved back moves no entry before the last one", async () => {
  const { database, owner, wallet, account } = await setup();
  await using _ = database;
  await owner.begin(async (sql) => {
    const [transfer] = await sql`
      insert into switchyard.wallet_transfers (kind, actor) values ('correction', '{}') returning id`;
    const [house] = await sql`select switchyard.house_account('rounding', 'USD') as id`;
    await sql`
      with moved as (
        update switchyard.wallet_accounts
        set posted_micros = posted_micros + case when id = ${account} then 1 else -1 end,
          last_sequence = last_sequence + 1
        where id in (${account}, ${house!.id}) returning *)
      insert into switchyard.wallet_entries
        (account_id, sequence, transfer_id, amount_micros, balance_micros, event_at, created_at)
      select id, last_sequence, ${transfer!.id}, case when id = ${account} then 1 else -1 end,
        posted_micros, now(), '2999-01-01' from moved`;
  });
  await wallet.topUp(account);
  const [last] = await owner`
    select created_at from switchyard.wallet_entries
    where account_id = ${account} order by sequence desc limit 1`;
  assert.equal(last!.created_at.toISOString(), "2999-01-01T00:00:00.000Z");
  await assertBooksHold(owner);
});
