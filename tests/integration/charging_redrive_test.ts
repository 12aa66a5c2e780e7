import { strict as assert } from "node:assert";

import { createPayer, pricing, readAmounts, readBalance, report } from "../support/charging.ts";
import { createDatabase } from "../support/database.ts";
import { letDie, preview, redrive } from "../support/dead_letters.ts";
import { accepted, claim, settle } from "../support/outbound.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const NOON = new Date("2026-11-22T12:00:00Z");
const LATER = new Date("2026-11-22T12:10:00Z");
const REPLY = 40_000;

async function setup(funds: number, deaths: number) {
  const database = await createDatabase();
  const { sql } = database;
  const payer = await createPayer(database, funds);
  const causes = Array<string>(deaths).fill("wrong_parameters");
  const ids = await letDie(sql, payer, causes, NOON, { to: "+4915112345678" });
  const spend = async (amount_micros: number) => {
    const other = await payer.wallet.open();
    await payer.wallet.transfer(payer.account, other, { amount_micros });
  };
  return { database, sql, payer, ids, spend };
}

Deno.test("a message that is redriven is held for again, and charged once", async () => {
  const { database, sql, payer, ids: [id = assert.fail()] } = await setup(100_000, 1);
  await using _ = database;
  assert.deepEqual(await readAmounts(sql, payer, id), [0, 0, REPLY]);
  const answer = await redrive(sql, payer.tenantId, {}, { at: LATER });
  assert.equal(answer.messages, 1);
  assert.deepEqual(await readAmounts(sql, payer, id), [REPLY, 0, REPLY]);
  const claims = await claim(sql, 10, LATER);
  await settle(sql, claims, accepted, LATER);
  const told = pricing("service");
  await report(sql, payer, [{ message_id: id, status: "delivered", pricing: told }]);
  assert.deepEqual(await readAmounts(sql, payer, id), [0, REPLY, REPLY]);
  assert.deepEqual(await readBalance(payer), [100_000 - REPLY, 0, 100_000 - REPLY]);
  await assertBooksHold(sql);
});

Deno.test("what the wallet does not cover stays dead, and both preview and redrive say so", async () => {
  const { database, sql, payer, ids, spend } = await setup(3 * REPLY, 3);
  await using _ = database;
  await spend(REPLY + 1);
  const seen = await preview(sql, payer.tenantId, {}, { at: LATER });
  assert.equal(seen.messages, 1);
  assert.deepEqual(seen.held_back, { insufficient_funds: 2 });

  const answer = await redrive(sql, payer.tenantId, {}, { at: LATER });
  assert.deepEqual([answer.messages, answer.uncovered, answer.left], [1, 2, 0]);
  const amounts = await Promise.all(ids.map((id) => readAmounts(sql, payer, id)));
  assert.deepEqual(amounts.map(([held]) => held), [REPLY, 0, 0]);

  await payer.wallet.topUp(payer.account);
  const rest = await redrive(sql, payer.tenantId, {}, { at: LATER });
  assert.deepEqual([rest.messages, rest.uncovered], [2, 0]);
  await assertBooksHold(sql);
});

Deno.test("redrives on many connections at once never hold more than the wallet has", async () => {
  const { database, sql, payer, spend } = await setup(12 * REPLY, 12);
  await using _ = database;
  await spend(7 * REPLY);
  const answers = await Promise.all(Array.from({ length: 6 }, (_, nth) => {
    const filter = nth % 2 === 0 ? {} : { cause: "wrong_parameters" };
    return redrive(database.connect(), payer.tenantId, filter, { at: LATER });
  }));
  assert.equal(answers.reduce((sum, { messages }) => sum + messages, 0), 5);
  assert.deepEqual(await readBalance(payer), [5 * REPLY, 5 * REPLY, 0]);
  await assertBooksHold(sql);
});
