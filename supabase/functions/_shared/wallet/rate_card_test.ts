import { strict as assert } from "node:assert";
import { parseRateCard } from "./rate_card.ts";

const HEADER = "market,prefixes,currency,category,price,valid_from,valid_to";
const row = (overrides: Record<string, string> = {}) =>
  Object.values({
    market: "Germany",
    prefixes: "49",
    currency: "USD",
    category: "marketing",
    price: "0.1131",
    valid_from: "2027-01-01",
    valid_to: "",
    ...overrides,
  }).join(",");

Deno.test("a card is read with its prices in micro-units", () => {
  const parsed = parseRateCard(
    [HEADER, row(), "", row({ prefixes: '"1 +1809;DE *"' })].join("\r\n"),
  );
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.rows[0], {
    line: 2,
    market: "Germany",
    prefixes: ["49"],
    currency: "USD",
    category: "marketing",
    price_micros: "113100",
    valid_from: "2027-01-01T00:00:00.000Z",
    valid_to: null,
  });
  assert.deepEqual([parsed.rows[1]?.line, parsed.rows[1]?.prefixes], [4, ["1", "1809", "DE", ""]]);
});

Deno.test("columns come in any order, and those that are not needed may be left out", () => {
  const parsed = parseRateCard('price,category,currency,market\n0,utility,EUR,"Rest, of Asia"');
  assert.ok(parsed.ok);
  const [{ market, price_micros, prefixes, valid_from } = assert.fail()] = parsed.rows;
  assert.deepEqual([market, price_micros, prefixes, valid_from], ["Rest, of Asia", "0", [], null]);
});

Deno.test("every price is exact", () => {
  for (const [price, micros] of [["0.000001", "1"], ["12", "12000000"], ["0.1", "100000"]]) {
    const parsed = parseRateCard(`${HEADER}\n${row({ price: price! })}`);
    assert.ok(parsed.ok && parsed.rows[0]?.price_micros === micros, price);
  }
});

const faulty: [label: string, csv: string, line: number, field: string][] = [
  ["nothing", " \n", 1, ""],
  ["a header alone", HEADER, 1, ""],
  ["a column too many", `${HEADER},colour\n${row()},red`, 1, "colour"],
  ["a column twice", `${HEADER},price\n${row()},1`, 1, "price"],
  ["no price column", "market,currency,category\nGermany,USD,marketing", 1, "price"],
  ["a field too many", `${HEADER}\n${row()}\n${row()},`, 3, ""],
  ["an open quote", `${HEADER}\n"Germany,49`, 2, ""],
  ["a negative price", `${HEADER}\n${row({ price: "-1" })}`, 2, "price"],
  ["a price of seven digits", `${HEADER}\n${row({ price: "0.0000001" })}`, 2, "price"],
  ["a price in words", `${HEADER}\n${row({ price: "1e3" })}`, 2, "price"],
  ["a decimal comma", `${HEADER}\n${row({ price: '"0,11"' })}`, 2, "price"],
  ["an unknown currency", `${HEADER}\n${row({ currency: "XXX" })}`, 2, "currency"],
  ["an unknown category", `${HEADER}\n${row({ category: "markting" })}`, 2, "category"],
  ["no market", `${HEADER}\n${row({ market: "" })}`, 2, "market"],
  ["a prefix that is none", `${HEADER}\n${row({ prefixes: "DEU" })}`, 2, "prefixes"],
  ["a date that is none", `${HEADER}\n${row({ valid_from: "2027-02-30" })}`, 2, "valid_from"],
  ["an end before the beginning", `${HEADER}\n${row({ valid_to: "2026-12-31" })}`, 2, "valid_to"],
];

for (const [label, csv, line, field] of faulty) {
  Deno.test(`a card with ${label} is refused at line ${line}`, () => {
    const parsed = parseRateCard(csv);
    assert.ok(!parsed.ok);
    assert.deepEqual(parsed.faults.map((fault) => [fault.line, fault.field]), [[line, field]]);
  });
}

Deno.test("every fault of every line is told", () => {
  const parsed = parseRateCard(
    `${HEADER}\n${row({ price: "x", currency: "y" })}\n${row()}\n${row({ market: "" })}`,
  );
  assert.ok(!parsed.ok);
  assert.deepEqual(parsed.faults.map(({ line, field }) => [line, field]), [
    [2, "currency"],
    [2, "price"],
    [4, "market"],
  ]);
});
