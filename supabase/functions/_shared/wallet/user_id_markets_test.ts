import { strict as assert } from "node:assert";
import type { RateRow } from "./rate_card.ts";
import { addUserIdCountries } from "./user_id_markets.ts";

function aRow(market: string, prefixes: string[]): RateRow {
  return {
    line: 2,
    market,
    prefixes,
    currency: "USD",
    category: "marketing",
    price_micros: "1",
    valid_from: null,
    valid_to: null,
  };
}

function marketsOf(rows: RateRow[], countries: string[]): (string | undefined)[] {
  return countries.map((country) =>
    rows.find(({ prefixes }) => prefixes.includes(country))?.market
  );
}

Deno.test("a country's user ids belong to the market of its numbers", () => {
  const rows = addUserIdCountries([
    aRow("Germany", ["49"]),
    aRow("North America", ["1"]),
    aRow("Caribbean", ["1809", "1829", "1849"]),
    aRow("Other", [""]),
  ]);
  assert.deepEqual(marketsOf(rows, ["DE", "US", "CA", "DO", "FR"]), [
    "Germany",
    "North America",
    "North America",
    "Caribbean",
    undefined,
  ]);
  assert.deepEqual(rows[3]!.prefixes, [""]);
});

Deno.test("a country that the card names stays where it names it", () => {
  const rows = addUserIdCountries([aRow("Germany", ["49"]), aRow("Special", ["DE", "43"])]);
  assert.deepEqual(marketsOf(rows, ["DE", "AT"]), ["Special", "Special"]);
});

Deno.test("of several prices of a market one names its countries", () => {
  const rows = addUserIdCountries([aRow("Germany", ["49"]), aRow("Germany", ["49"])]);
  assert.deepEqual(rows.map(({ prefixes }) => prefixes), [["49", "DE"], ["49"]]);
});
