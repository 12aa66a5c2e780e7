import { strict as assert } from "node:assert";

import {
  createPayer,
  pricing,
  RATES,
  readAmounts,
  readBalance,
  readPrice,
  report,
  setBilling,
} from "../support/charging.ts";
import { createDatabase } from "../support/database.ts";
import { accepted, anItem, claim, enqueue, readMessages, settle } from "../support/outbound.ts";
import { createTenancy } from "../support/tenancy.ts";
import { assertBooksHold } from "../support/wallet_books.ts";

const NOON = new Date("2026-11-22T12:00:00Z");
const GERMAN = "+4915112345678";
const FUNDS = 1_000_000;

type Item = ReturnType<typeof anItem>;

async function setup({ funds = FUNDS } = {}) {
  const database = await createDatabase();
  const { sql } = database;
  const payer = await createPayer(database, funds);
  const item = (overrides: Record<string, unknown> = {}) =>
    anItem(payer, { to: GERMAN, ...overrides });
  const take = (items: Item[]) => enqueue(sql, payer, items, NOON);
  /** A message that was accepted, and sent unless told otherwise. */
  const send = async (overrides: Record<string, unknown> = {}, isSent = true) => {
    const [answer] = await take([item(overrides)]);
    assert.equal(answer!.outcome, "accepted", JSON.stringify(answer));
    if (isSent) {
      const claims = await claim(sql, 10, NOON);
      await settle(sql, claims, accepted, NOON);
    }
    return answer!.id!;
  };
  const template = { type: "template", content: { name: "offer", language: { code: "en" } } };
  return { database, sql, payer, item, take, send, template };
}

Deno.test("a message holds its dearest plausible price when it is accepted", async () => {
  const { database, sql, payer, send, template } = await setup();
  await using _ = database;
  const text = await send({}, false);
  assert.deepEqual(await readPrice(sql, payer, text), {
    currency: "USD",
    market: "Germany",
    category: "service",
    estimated: false,
    held_micros: "40000",
    captured_micros: "0",
    released_micros: "0",
  });
  const offer = await send(template, false);
  const { category, held_micros } = await readPrice(sql, payer, offer);
  assert.deepEqual([category, held_micros], ["marketing", "120000"]);
  await sql`
    insert into switchyard.templates (business_account_id, name, language, category)
    values (${payer.businessAccountId}, 'receipt', 'en', 'UTILITY')`;
  const content = { name: "receipt", language: { code: "en" } };
  const receipt = await send({ ...template, content }, false);
  const known = await readPrice(sql, payer, receipt);
  assert.deepEqual([known.category, known.held_micros], ["utility", "50000"]);
  const american = await send({ to: "+15550200001" }, false);
  assert.equal((await readPrice(sql, payer, american)).held_micros, "4000");
  assert.deepEqual(await readBalance(payer), [FUNDS, 214_000, FUNDS - 214_000]);
});

Deno.test("the answer to a message tells its hold, and the same again under its key", async () => {
  const { database, take, item } = await setup();
  await using _ = database;
  const keyed = item({ idempotency_key: "order-1", fingerprint: "a".repeat(64) });
  const [first] = await take([keyed]);
  const { hold } = first!.detail as unknown as { hold: Record<string, unknown> };
  assert.deepEqual({ ...hold, id: null }, {
    id: null,
    currency: "USD",
    amount_micros: "40000",
    category: "service",
    market: "Germany",
  });
  const [again] = await take([keyed]);
  assert.equal(again!.outcome, "replayed");
  assert.deepEqual(again!.detail, first!.detail);
});

Deno.test("of a batch the messages that are covered are taken in their order", async () => {
  const { database, sql, payer, item, take, template } = await setup({ funds: 200_000 });
  await using _ = database;
  const answers = await take([item(template), item(template), item(), item(), item()]);
  assert.deepEqual(answers.map(({ outcome }) => outcome), [
    "accepted",
    "insufficient_funds",
    "accepted",
    "accepted",
    "insufficient_funds",
  ]);
  assert.deepEqual(answers[1]!.detail as unknown, {
    currency: "USD",
    needed_micros: "120000",
    available_micros: "80000",
  });
  assert.equal(answers[1]!.id, null);
  assert.equal((await readMessages(sql, payer)).length, 3);
  assert.deepEqual(await readBalance(payer), [200_000, 200_000, 0]);
  await assertBooksHold(sql);
});

Deno.test("a refusal for lack of funds stays with its key, whatever comes in later", async () => {
  const { database, payer, item, take } = await setup({ funds: 39_999 });
  await using _ = database;
  const keyed = item({ idempotency_key: "order-1", fingerprint: "a".repeat(64) });
  const [refused] = await take([keyed]);
  assert.equal(refused!.outcome, "insufficient_funds");
  await payer.wallet.topUp(payer.account);
  const [again] = await take([keyed]);
  assert.deepEqual(again, refused);
  const [other] = await take([{ ...keyed, fingerprint: "b".repeat(64) } as Item]);
  assert.equal(other!.outcome, "key_reused");
  const [fresh] = await take([{ ...keyed, idempotency_key: "order-2" } as Item]);
  assert.equal(fresh!.outcome, "accepted");
});

Deno.test("a message that no card has a price for is refused", async () => {
  const { database, sql, take, item } = await setup();
  await using _ = database;
  await sql`delete from switchyard.market_prefixes where prefix = ''`;
  const [refused] = await take([item({ to: "+15550200001" })]);
  assert.deepEqual([refused!.outcome, refused!.detail], ["no_rate", { currency: "USD" }]);
});

Deno.test("a tenant that pays nothing has no holds and no prices", async () => {
  const { database, sql, payer, send } = await setup();
  await using _ = database;
  const set = await setBilling(sql, payer.tenantId, { billing: "none" });
  assert.equal(set.outcome, "set");
  const id = await send();
  await report(sql, payer, [{ message_id: id, status: "delivered", pricing: pricing("service") }]);
  assert.deepEqual(await readPrice(sql, payer, id) as unknown, pricing("service"));
  assert.deepEqual(await readBalance(payer), [FUNDS, 0, FUNDS]);
});

Deno.test("prepaid needs an account of the tenant and prices in its currency", async () => {
  const { database, sql, payer } = await setup();
  await using _ = database;
  const other = await createTenancy(sql);
  const foreign = await setBilling(sql, other.tenantId, {
    billing: "prepaid",
    account_id: payer.account,
  });
  assert.equal(foreign.outcome, "unknown_account");
  const euros = await payer.wallet.open(0, "EUR");
  const unpriced = await setBilling(sql, payer.tenantId, { billing: "prepaid", account_id: euros });
  assert.deepEqual(unpriced, { outcome: "no_rates", currency: "EUR" });
});

Deno.test("the first delivered or read captures what Meta says, once, and releases the rest", async () => {
  const { database, sql, payer, send, template } = await setup();
  await using _ = database;
  const id = await send(template);
  const price = pricing("utility");
  await report(sql, payer, [{ message_id: id, status: "sent", pricing: price }]);
  assert.deepEqual(await readAmounts(sql, payer, id), [120_000, 0, 0]);
  await report(sql, payer, [{ message_id: id, status: "read", pricing: price }]);
  assert.deepEqual(await readAmounts(sql, payer, id), [0, 50_000, 70_000]);
  await report(sql, payer, [
    { message_id: id, status: "delivered", pricing: price },
    { message_id: id, status: "read", pricing: price, at: "2026-11-22T12:01:00Z" },
  ]);
  assert.deepEqual(await readAmounts(sql, payer, id), [0, 50_000, 70_000]);
  assert.deepEqual(await readBalance(payer), [FUNDS - 50_000, 0, FUNDS - 50_000]);
  const [house] = await sql`
    select posted_micros from switchyard.wallet_accounts where kind = 'revenue'`;
  assert.equal(house!.posted_micros, 50_000);
  await assertBooksHold(sql);
});

Deno.test("a delivery of a free type costs nothing", async () => {
  for (const type of ["free_customer_service", "free_entry_point", "free_group_customer_service"]) {
    const { database, sql, payer, send } = await setup();
    await using _ = database;
    const id = await send();
    const told = pricing("service", type);
    await report(sql, payer, [{ message_id: id, status: "delivered", pricing: told }]);
    assert.deepEqual(await readAmounts(sql, payer, id), [0, 0, 40_000], type);
    assert.deepEqual(await readBalance(payer), [FUNDS, 0, FUNDS]);
  }
});

Deno.test("a message that ends undelivered gives its hold back", async (t) => {
  const { database, sql, payer, send } = await setup();
  await using _ = database;
  const releasesAll = async (id: string) =>
    assert.deepEqual(await readAmounts(sql, payer, id), [0, 0, 40_000]);

  await t.step("failed", async () => {
    const id = await send();
    await report(sql, payer, [{ message_id: id, status: "failed" }]);
    await releasesAll(id);
  });
  await t.step("cancelled", async () => {
    const id = await send({}, false);
    await sql`select switchyard_api.cancel_message(${payer.tenantId}, ${id})`;
    await releasesAll(id);
  });
  await t.step("expired", async () => {
    const id = await send({ expires_at: "2026-11-22T12:05:00Z" }, false);
    assert.deepEqual(await claim(sql, 10, new Date("2026-11-22T12:06:00Z")), []);
    await releasesAll(id);
  });
  await t.step("refused for good", async () => {
    const id = await send({}, false);
    const claims = await claim(sql, 10, NOON);
    await settle(sql, claims, () => ({ outcome: "rejected", error: { cause: "x" } }), NOON);
    await releasesAll(id);
  });
  await t.step("dead after an unknown outcome, which itself keeps the hold", async () => {
    const id = await send({ on_unknown: "dead_letter" }, false);
    const claims = await claim(sql, 10, NOON);
    const unknown = { outcome: "unknown", unknown_until: "2026-11-22T12:01:00Z" };
    await settle(sql, claims, () => unknown, NOON);
    assert.deepEqual(await readAmounts(sql, payer, id), [40_000, 0, 0]);
    await sql`select switchyard.tick('2026-11-22T12:02:00Z')`;
    await releasesAll(id);
  });
  assert.deepEqual(await readBalance(payer), [FUNDS, 0, FUNDS]);
  await assertBooksHold(sql);
});

Deno.test("a delivery after the release is charged, and owed where nothing is left", async () => {
  const { database, sql, payer, send, take, item } = await setup({ funds: 40_000 });
  await using _ = database;
  const id = await send();
  await report(sql, payer, [{ message_id: id, status: "failed" }]);
  const other = await payer.wallet.open();
  await payer.wallet.transfer(payer.account, other, { amount_micros: 30_000 });
  await report(sql, payer, [{ message_id: id, status: "delivered", pricing: pricing("service") }]);
  assert.deepEqual(await readAmounts(sql, payer, id), [0, 40_000, 0]);
  assert.deepEqual(await readBalance(payer), [0, 0, 0]);
  const [refused] = await take([item()]);
  assert.equal(refused!.outcome, "debt_outstanding");
  await assertBooksHold(sql);
});

Deno.test("what Meta charges beyond the hold is taken from the account beside it", async () => {
  const { database, sql, payer, send } = await setup();
  await using _ = database;
  const id = await send();
  await report(sql, payer, [{
    message_id: id,
    status: "delivered",
    pricing: pricing("marketing"),
  }]);
  assert.deepEqual(await readAmounts(sql, payer, id), [0, RATES.marketing, 0]);
  assert.deepEqual(await readBalance(payer), [FUNDS - RATES.marketing, 0, FUNDS - RATES.marketing]);
  await assertBooksHold(sql);
});

Deno.test("an unknown price is estimated from the card and trued up when Meta tells it", async () => {
  const { database, sql, payer, send, template } = await setup();
  await using _ = database;
  const id = await send(template);
  await report(sql, payer, [{ message_id: id, status: "read" }]);
  const estimate = await readPrice(sql, payer, id);
  assert.deepEqual([estimate.estimated, estimate.captured_micros], [true, "120000"]);
  await report(sql, payer, [{ message_id: id, status: "delivered", pricing: pricing("utility") }]);
  const truth = await readPrice(sql, payer, id);
  assert.deepEqual([truth.estimated, truth.captured_micros, truth.category], [
    false,
    "50000",
    "utility",
  ]);
  assert.deepEqual(await readBalance(payer), [FUNDS - 50_000, 0, FUNDS - 50_000]);
  await assertBooksHold(sql);
});

Deno.test("a category that the card lacks is charged as its nearest, or as it was held", async () => {
  const { database, sql, payer, send, template } = await setup();
  await using _ = database;
  const cheap = await send(template);
  const drifted = pricing("marketing_lite");
  await report(sql, payer, [{ message_id: cheap, status: "delivered", pricing: drifted }]);
  const nearest = await readPrice(sql, payer, cheap);
  assert.deepEqual([nearest.captured_micros, nearest.estimated], ["120000", false]);
  const odd = await send();
  const unheard = pricing("telepathy");
  await report(sql, payer, [{ message_id: odd, status: "delivered", pricing: unheard }]);
  const held = await readPrice(sql, payer, odd);
  assert.deepEqual([held.captured_micros, held.estimated], ["40000", true]);
});

Deno.test("each delivery of a message is charged: one for each wamid and member of a group", async () => {
  const { database, sql, payer, send } = await setup();
  await using _ = database;
  const id = await send();
  const told = pricing("service");
  const told_to = (participant: string) => ({
    ...{ message_id: id, status: "delivered", pricing: told, wamid: "wamid.group", participant },
  });
  await report(sql, payer, [told_to("15550200001"), told_to("15550200002")]);
  await report(sql, payer, [told_to("15550200001")]);
  assert.deepEqual(await readAmounts(sql, payer, id), [0, 80_000, 0]);
  await report(sql, payer, [{
    ...{ message_id: id, status: "delivered", pricing: told, wamid: "wamid.twin" },
  }]);
  assert.deepEqual(await readAmounts(sql, payer, id), [0, 120_000, 0]);
  assert.deepEqual(await readBalance(payer), [FUNDS - 120_000, 0, FUNDS - 120_000]);
  await assertBooksHold(sql);
});

Deno.test("a status of a message that was accepted unpaid moves no money", async () => {
  const { database, sql, payer, send } = await setup();
  await using _ = database;
  await setBilling(sql, payer.tenantId, { billing: "none" });
  const id = await send();
  await setBilling(sql, payer.tenantId, { billing: "prepaid", account_id: payer.account });
  await report(sql, payer, [{ message_id: id, status: "delivered", pricing: pricing("service") }]);
  assert.deepEqual(await readBalance(payer), [FUNDS, 0, FUNDS]);
});

Deno.test("send_message() of a wallet that does not hold enough raises, and nothing is kept", async () => {
  const { database, sql, payer } = await setup({ funds: 1 });
  await using _ = database;
  const message = { from: payer.phoneNumberId, to: GERMAN, type: "text", text: { body: "hi" } };
  await assert.rejects(
    sql`select switchyard.send_message(${payer.tenantId}, ${sql.json(message)}, 'k')`,
    /Cannot send message: the wallet does not hold enough/,
  );
  assert.equal((await readMessages(sql, payer)).length, 0);
});
