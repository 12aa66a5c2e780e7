import { strict as assert } from "node:assert";

import { createPayer, readBalance } from "../support/charging.ts";
import { createDatabase, type Sql } from "../support/database.ts";
import { anItem, enqueue, type EnqueueAnswer, readMessages } from "../support/outbound.ts";
import type { Tenancy } from "../support/tenancy.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const NOON = new Date("2026-11-22T12:00:00Z");
const REPLY = 40_000;

async function setup(funds: number) {
  const database = await createDatabase();
  const payer = await createPayer(database, funds);
  const items = (count: number, overrides: Record<string, unknown> = {}) =>
    Array.from({ length: count }, (_, index) => ({
      ...anItem(payer, { to: `+491511234${String(index).padStart(4, "0")}` }),
      index,
      idempotency_key: `batch-1:${index}`,
      fingerprint: "a".repeat(64),
      ...overrides,
    }));
  return { database, sql: database.sql, payer, items };
}

async function enqueueAll(sql: Sql, tenancy: Tenancy, items: unknown[]) {
  return await sql<EnqueueAnswer[]>`
    select * from switchyard_api.enqueue_all_or_nothing(
      ${tenancy.tenantId}, ${sql.json(items as never)}, ${NOON})`;
}

Deno.test("all or nothing takes all where the wallet covers them all", async () => {
  const { database, sql, payer, items } = await setup(3 * REPLY);
  await using _ = database;
  const answers = await enqueueAll(sql, payer, items(3));
  assert.deepEqual(answers.map(({ outcome }) => outcome), ["accepted", "accepted", "accepted"]);
  assert.deepEqual(await readBalance(payer), [3 * REPLY, 3 * REPLY, 0]);
  const again = await enqueueAll(sql, payer, items(3));
  assert.deepEqual(again.map(({ outcome }) => outcome), ["replayed", "replayed", "replayed"]);
  assert.deepEqual(again.map(({ id }) => id), answers.map(({ id }) => id));
});

Deno.test("all or nothing refuses all with what they need together, and keeps to it", async () => {
  const { database, sql, payer, items } = await setup(2 * REPLY + 1);
  await using _ = database;
  const refusal = {
    of_batch: true,
    currency: "USD",
    needed_micros: String(3 * REPLY),
    available_micros: String(2 * REPLY + 1),
  };
  const answers = await enqueueAll(sql, payer, items(3));
  for (const { outcome, id, detail } of answers) {
    assert.equal(outcome, "insufficient_funds");
    assert.equal(id, null);
    assert.deepEqual(detail as unknown, refusal);
  }
  assert.equal((await readMessages(sql, payer)).length, 0);
  assert.deepEqual(await readBalance(payer), [2 * REPLY + 1, 0, 2 * REPLY + 1]);

  await payer.wallet.topUp(payer.account);
  const again = await enqueueAll(sql, payer, items(3));
  assert.deepEqual(again.map(({ outcome }) => outcome), answers.map(({ outcome }) => outcome));
  assert.equal((again[0]!.detail as Record<string, unknown>).needed_micros, String(3 * REPLY));
  const fresh = items(3).map((item) => ({ ...item, idempotency_key: `other:${item.index}` }));
  assert.equal((await enqueueAll(sql, payer, fresh))[0]!.outcome, "accepted");
  await assertBooksHold(sql);
});

Deno.test("all or nothing with another fault takes none and uses up no key", async () => {
  const { database, sql, payer, items } = await setup(10 * REPLY);
  await using _ = database;
  const faulty = items(3).map((item) => item.index === 1 ? { ...item, from: "5" } : item);
  const answers = await enqueueAll(sql, payer, faulty);
  assert.deepEqual(answers.map(({ outcome }) => outcome), [
    "batch_refused",
    "unknown_sender",
    "batch_refused",
  ]);
  assert.deepEqual(await readBalance(payer), [10 * REPLY, 0, 10 * REPLY]);
  const mended = await enqueueAll(sql, payer, items(3));
  assert.ok(mended.every(({ outcome }) => outcome === "accepted"));
});

Deno.test("fifty accepts at once on a wallet that covers ten take exactly ten", async () => {
  const { database, sql, payer, items } = await setup(10 * REPLY);
  await using _ = database;
  const connections = Array.from({ length: 10 }, () => database.connect());
  const answers = await Promise.all(
    items(50).map((item, index) => enqueue(connections[index % 10]!, payer, [item], NOON)),
  );
  const outcomes = answers.map(([answer]) => answer!.outcome);
  assert.equal(outcomes.filter((outcome) => outcome === "accepted").length, 10);
  assert.equal(outcomes.filter((outcome) => outcome === "insufficient_funds").length, 40);
  assert.equal((await readMessages(sql, payer)).length, 10);
  assert.deepEqual(await readBalance(payer), [10 * REPLY, 10 * REPLY, 0]);

  const again = await Promise.all(
    items(50).map((item, index) => enqueue(connections[(index + 3) % 10]!, payer, [item], NOON)),
  );
  assert.deepEqual(
    again.map(([answer]) => answer!.outcome === "replayed" ? "accepted" : answer!.outcome),
    outcomes,
  );
  await assertBooksHold(sql);
});

Deno.test("an accept that is cut off anywhere leaves no key, no hold and no message", async () => {
  const { database, sql, payer, items } = await setup(10 * REPLY);
  await using _ = database;
  const tables = [
    "switchyard.idempotency_keys",
    "switchyard.wallet_holds",
    "switchyard.messages",
    "switchyard.sender_lanes",
    "switchyard.wallet_accounts",
  ];
  const before = await readBalance(payer);
  const [keys] = await sql`select count(*)::integer as count from switchyard.idempotency_keys`;
  for (const table of tables) {
    await sql.unsafe(`
      create or replace function pg_temp_cut() returns trigger language plpgsql
      as $$ begin raise exception 'cut off'; end $$;
      create trigger cut_off after insert or update on ${table}
      for each statement execute function pg_temp_cut()`);
    await assert.rejects(enqueue(sql, payer, items(2), NOON), /cut off/, table);
    await sql.unsafe(`drop trigger cut_off on ${table}`);
    const [left] = await sql`
      select (select count(*)::integer from switchyard.messages) as messages,
        (select count(*)::integer from switchyard.wallet_holds) as holds,
        (select count(*)::integer from switchyard.idempotency_keys) as keys`;
    assert.deepEqual({ ...left }, { messages: 0, holds: 0, keys: keys!.count }, table);
    assert.deepEqual(await readBalance(payer), before, table);
  }
  const [answer] = await enqueue(sql, payer, items(1), NOON);
  assert.equal(answer!.outcome, "accepted");
});
