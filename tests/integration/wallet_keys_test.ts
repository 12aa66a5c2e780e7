import { strict as assert } from "node:assert";
import { digestRequest } from "../../supabase/functions/_shared/canonical_json.ts";
import { createDatabase } from "../support/database.ts";
import { connectFunctions, createTenant, walletOf } from "../support/wallet.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const key = "a key of the test";

async function setup({ connections = 1 } = {}) {
  const database = await createDatabase();
  const all = await connectFunctions(database, connections);
  const tenantId = await createTenant(database);
  const wallets = all.map((sql) => walletOf(sql, tenantId));
  const wallet = wallets[0]!;
  const [rich, poor] = [await wallet.open(5_000_000), await wallet.open()];
  const forget = async (age: string) => {
    const [row] = await database.sql`
      select switchyard.forget_wallet_answers(now() + ${age}::interval, 1000) as n`;
    return row!.n;
  };
  const counts = async () => {
    const [row] = await database.sql`select switchyard.tell_idempotency_counts() as counts`;
    return row!.counts;
  };
  return {
    database,
    owner: database.sql,
    connections: all,
    wallets,
    wallet,
    rich,
    poor,
    forget,
    counts,
  };
}

Deno.test("the same request on fifty connections at once is one transfer, told to all", async () => {
  const { database, owner, wallets, wallet, rich, poor } = await setup({ connections: 50 });
  await using _ = database;
  const answers = await Promise.all(wallets.map((own) => own.transfer(rich, poor, { key })));
  const first = answers.filter(({ outcome }) => outcome === "completed");
  assert.equal(first.length, 1);
  for (const answer of answers.filter((one) => one !== first[0])) {
    assert.deepEqual(answer, { outcome: "replayed", answer: first[0] });
  }
  assert.equal((await wallet.show(poor)).posted_micros, "1000000");
  await assertBooksHold(owner);
});

Deno.test("an answer is told again until it is forgotten; the key is kept, and does nothing again", async () => {
  const { database, owner, wallet, rich, poor, forget } = await setup();
  await using _ = database;
  const { id } = await wallet.transfer(rich, poor, { key });
  await forget("-1 second");
  assert.equal((await wallet.transfer(rich, poor, { key })).outcome, "replayed");
  assert.ok(await forget("1 second") > 0);
  const told = await wallet.transfer(rich, poor, { key });
  assert.equal(told.outcome, "answer_forgotten");
  assert.equal(told.resource_id, id);
  const other = await wallet.transfer(rich, poor, { key, amount_micros: 7 });
  assert.deepEqual(other, { outcome: "key_reused", fields: ["amount_micros"] });
  assert.equal((await wallet.show(poor)).posted_micros, "1000000");
  assert.equal(await forget("1 second"), 0, "what is forgotten is not forgotten again");
  const [kept] = await owner`
    select count(*)::int as keys from switchyard.idempotency_keys where key = ${key}`;
  assert.equal(kept!.keys, 1);
});

Deno.test("a refusal is forgotten too, and its key never does what it was refused", async () => {
  const { database, wallet, rich, poor, forget } = await setup();
  await using _ = database;
  const { outcome } = await wallet.transfer(poor, rich, { key });
  assert.equal(outcome, "insufficient_funds");
  await wallet.topUp(poor);
  await forget("1 second");
  assert.equal((await wallet.transfer(poor, rich, { key })).outcome, "answer_forgotten");
});

Deno.test("a hold that was placed in a batch tells its own answer for ever, one by one too", async () => {
  const { database, connections: [sql], wallet, rich, forget } = await setup();
  await using _ = database;
  const request = {
    account_id: rich,
    amount_micros: "1000000",
    currency: "USD",
    expires_at: "2099-01-01T00:00:00+00:00",
  };
  const holds = [{ index: 0, key, ...digestRequest(request), ...request }];
  const [row] = await sql!`
    select answer from switchyard_api.place_wallet_holds(
      ${wallet.tenantId}, ${sql!.json(holds)}, '{}')`;
  assert.equal(row!.answer.outcome, "completed");
  await forget("1 second");
  const again = await wallet.hold(rich, { key, expires_at: request.expires_at });
  assert.deepEqual(again, { outcome: "replayed", answer: row!.answer });
});

Deno.test("new, known and wrongly used keys are counted, what was rolled back too", async () => {
  const { database, owner, connections: [sql], wallet, rich, poor, counts } = await setup();
  await using _ = database;
  const before = await counts();
  await wallet.transfer(rich, poor, { key });
  await wallet.transfer(rich, poor, { key });
  await wallet.transfer(rich, poor, { key, amount_micros: 7 });
  await sql!`select switchyard_api.count_idempotency_error()`;
  await assert.rejects(owner.begin(async (own) => {
    await walletOf(own as never, wallet.tenantId).transfer(rich, poor);
    throw new Error("cut");
  }));
  const after = await counts();
  assert.deepEqual(
    [after.miss - before.miss, after.hit - before.hit, after.error - before.error],
    [2, 1, 2],
  );
});
