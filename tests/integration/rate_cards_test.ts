import { strict as assert } from "node:assert";

import { aCard, importCard } from "../support/charging.ts";
import { createDatabase, type Sql } from "../support/database.ts";

const NOW = "2026-11-22T12:00:00Z";

async function setup() {
  const database = await createDatabase();
  const { sql } = database;
  await importCard(sql, aCard());
  const priceAt = async (at: string, market = "Germany", category = "marketing") => {
    const [rate] = await sql`
      select price_micros from switchyard.rate_at('USD', ${market}, ${category}, ${at})`;
    return rate?.price_micros as number | undefined;
  };
  return { database, sql, priceAt };
}

/** One price to Germany, from a moment on. */
function onePrice(price: number, valid_from: string | null, valid_to: string | null = null) {
  return { name: "next", rows: [aCard({ marketing: price }, { valid_from, valid_to }).rows[0]!] };
}

async function faultsOf(sql: Sql, card: ReturnType<typeof aCard>) {
  const { outcome, faults } = await importCard(sql, card, { at: NOW });
  assert.equal(outcome, "invalid");
  return faults!.map(({ line, field }) => [line, field]);
}

Deno.test("a new price takes the place of the old one from its first moment on", async () => {
  const { database, sql, priceAt } = await setup();
  await using _ = database;
  const answer = await importCard(sql, onePrice(99_000, "2027-01-01T00:00:00Z"), { at: NOW });
  assert.deepEqual([answer.outcome, answer.added, answer.changed], ["imported", 0, 1]);
  assert.equal(await priceAt("2026-12-31T23:59:59Z"), 120_000);
  assert.equal(await priceAt("2027-01-01T00:00:00Z"), 99_000);
});

Deno.test("a price for a season gives way to the old one again", async () => {
  const { database, sql, priceAt } = await setup();
  await using _ = database;
  const season = onePrice(1_000, "2026-12-01T00:00:00Z", "2026-12-27T00:00:00Z");
  assert.equal((await importCard(sql, season, { at: NOW })).outcome, "imported");
  assert.deepEqual(
    await Promise.all(["11-30", "12-24", "12-27"].map((day) => priceAt(`2026-${day}T00:00:00Z`))),
    [120_000, 1_000, 120_000],
  );
});

Deno.test("a preview says what would change and changes nothing", async () => {
  const { database, sql, priceAt } = await setup();
  await using _ = database;
  const card = onePrice(99_000, "2027-01-01T00:00:00Z");
  card.rows[0]!.prefixes = ["49", "43"];
  const preview = await importCard(sql, card, { dryRun: true, at: NOW });
  assert.deepEqual([preview.outcome, preview.changed], ["previewed", 1]);
  const [price] = preview.prices as Record<string, unknown>[];
  assert.deepEqual([price!.was_micros, price!.price_micros], ["120000", "99000"]);
  assert.deepEqual(preview.prefixes, [{ prefix: "43", market: "Germany" }]);
  assert.equal(await priceAt("2027-02-01T00:00:00Z"), 120_000);
  const [cards] = await sql`select count(*)::integer as count from switchyard.rate_cards`;
  assert.equal(cards!.count, 1);
});

Deno.test("the same card again changes nothing", async () => {
  const { database, sql } = await setup();
  await using _ = database;
  const again = await importCard(sql, aCard(), { at: NOW });
  assert.deepEqual([again.outcome, again.unchanged], ["unchanged", 8]);
  const [rates] = await sql`select count(*)::integer as count from switchyard.rates`;
  assert.equal(rates!.count, 8);
});

Deno.test("a price that has been in force is never changed", async () => {
  const { database, sql, priceAt } = await setup();
  await using _ = database;
  assert.deepEqual(await faultsOf(sql, onePrice(1, "2026-11-01T00:00:00Z")), [[2, "valid_from"]]);
  assert.equal(await priceAt("2026-11-15T00:00:00Z"), 120_000);
  const fromNow = await importCard(sql, onePrice(1, null), { at: NOW });
  assert.equal(fromNow.outcome, "imported");
  assert.equal(await priceAt(NOW), 1);
});

Deno.test("a card that contradicts itself is refused with its lines, and nothing of it is kept", async () => {
  const { database, sql } = await setup();
  await using _ = database;
  const [first] = aCard({ marketing: 5 }, { valid_from: "2027-01-01T00:00:00Z" }).rows;
  const twice = { name: "x", rows: [first!, { ...first!, line: 3 }] };
  assert.deepEqual(await faultsOf(sql, twice), [[3, "valid_from"]]);
  const stolen = { name: "x", rows: [first!, { ...first!, line: 3, market: "Bavaria" }] };
  assert.deepEqual(await faultsOf(sql, stolen), [[3, "prefixes"]]);
  const nowhere = {
    name: "x",
    rows: [first!, { ...first!, line: 3, market: "Atlantis", prefixes: [] }],
  };
  assert.deepEqual(await faultsOf(sql, nowhere), [[3, "prefixes"]]);
  const [cards] = await sql`select count(*)::integer as count from switchyard.rate_cards`;
  assert.equal(cards!.count, 1);
});

Deno.test("two prices can never hold at one time, whoever writes them", async () => {
  const { database, sql } = await setup();
  await using _ = database;
  await assert.rejects(
    sql`
      insert into switchyard.rates (currency, market, category, price_micros, valid, rate_card_id)
      select currency, market, category, 1, tstzrange('2027-01-01', null), rate_card_id
      from switchyard.rates limit 1`,
    /one_price_at_any_time/,
  );
});

Deno.test("a number belongs to the market of its longest prefix, a user id to its country's", async () => {
  const { database, sql } = await setup();
  await using _ = database;
  const german = onePrice(1, "2027-01-01T00:00:00Z");
  german.rows[0]!.prefixes = ["49", "DE"];
  await importCard(sql, german, { at: NOW });
  const rows = ["1", "1809", "44"].map((prefix, index) => ({
    ...aCard().rows[0]!,
    line: index + 2,
    market: `market ${prefix}`,
    prefixes: [prefix],
  }));
  assert.equal((await importCard(sql, { name: "more", rows }, { at: NOW })).outcome, "imported");
  const numbers = {
    "+18095550100": "market 1809",
    "+12025550100": "market 1",
    "+447700900123": "market 44",
    "+4915112345678": "Germany",
    "+33612345678": "Other",
    "DE.13491208655302741918": "Germany",
    "FR.13491208655302741918": "Other",
  };
  for (const [number, market] of Object.entries(numbers)) {
    const [row] = await sql`select switchyard.market_of(${number}) as market`;
    assert.equal(row!.market, market, number);
  }
});

Deno.test("a category that a card leaves out costs what its nearest costs", async () => {
  const { database, sql, priceAt } = await setup();
  await using _ = database;
  await sql`delete from switchyard.rates where category = 'service'`;
  const nearest = {
    service: 50_000,
    marketing_lite: 120_000,
    authentication_international: 70_000,
    group_marketing: 120_000,
    group_service: 50_000,
    general_purpose_ai: undefined,
  };
  for (const [category, price] of Object.entries(nearest)) {
    assert.equal(await priceAt(NOW, "Germany", category), price, category);
  }
});

Deno.test("cards imported at once on several connections follow one another", async () => {
  const { database, sql, priceAt } = await setup();
  await using _ = database;
  const starts = Array.from({ length: 6 }, (_, index) => `2027-0${index + 1}-01T00:00:00Z`);
  const answers = await Promise.all(
    starts.map((start, index) =>
      importCard(database.connect(), onePrice(index + 1, start), { at: NOW })
    ),
  );
  assert.ok(answers.every(({ outcome }) => outcome === "imported"));
  const [overlaps] = await sql`
    select count(*)::integer as count from switchyard.rates a
    join switchyard.rates b on a.id < b.id and a.currency = b.currency and a.market = b.market
      and a.category = b.category and a.valid && b.valid`;
  assert.equal(overlaps!.count, 0);
  assert.ok((await priceAt("2027-01-15T00:00:00Z"))! >= 1);
});
