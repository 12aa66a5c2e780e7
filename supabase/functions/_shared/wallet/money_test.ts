import { strict as assert } from "node:assert";
import fc from "fast-check";
import { CURRENCY_EXPONENTS } from "./currencies.ts";
import { microsToDecimal, microsToMinorCeil, microsToMinorFloor, minorToMicros } from "./money.ts";

const currency = fc.constantFrom(...CURRENCY_EXPONENTS.keys());
const minor = fc.integer({ min: -(10 ** 12), max: 10 ** 12 });
const micros = fc.bigInt({ min: -4n * 10n ** 18n, max: 4n * 10n ** 18n });

const exact: [minor: number, currency: string, micros: bigint][] = [
  [100, "USD", 1_000_000n],
  [1, "USD", 10_000n],
  [1, "JPY", 1_000_000n],
  [1, "KWD", 1_000n],
  [0, "EUR", 0n],
  [-5, "EUR", -50_000n],
  [Number.MAX_SAFE_INTEGER, "USD", 90_071_992_547_409_910_000n],
];
for (const [amount, code, expected] of exact) {
  Deno.test(`minorToMicros() makes ${amount} ${code} ${expected} micro-units`, () => {
    assert.equal(minorToMicros(amount, code), expected);
  });
}

for (const amount of [0.5, NaN, Infinity, 2 ** 53]) {
  Deno.test(`minorToMicros() refuses ${amount}, which is no exact integer`, () => {
    assert.throws(() => minorToMicros(amount, "USD"), RangeError);
  });
}

Deno.test("minorToMicros() refuses a currency that ISO 4217 does not have", () => {
  assert.throws(() => minorToMicros(1, "XXX"), /XXX is not a known currency/);
});

Deno.test("a whole number of minor units survives the way to micro-units and back", () => {
  fc.assert(fc.property(minor, currency, (amount, code) => {
    const converted = minorToMicros(amount, code);
    assert.equal(microsToMinorFloor(converted, code), amount);
    assert.equal(microsToMinorCeil(converted, code), amount);
  }));
});

Deno.test("rounding never tells more than is there, nor less than is needed, by a minor unit", () => {
  fc.assert(fc.property(micros, currency, (amount, code) => {
    const below = minorToMicros(microsToMinorFloor(amount, code), code);
    const above = minorToMicros(microsToMinorCeil(amount, code), code);
    const size = minorToMicros(1, code);
    assert.ok(below <= amount && amount - below < size);
    assert.ok(above >= amount && above - amount < size);
  }));
});

Deno.test("conversion adds up: the sum of two amounts is the amount of their sum", () => {
  fc.assert(fc.property(minor, minor, currency, (a, b, code) => {
    assert.equal(minorToMicros(a, code) + minorToMicros(b, code), minorToMicros(a + b, code));
  }));
});

Deno.test("microsToMinorCeil() of nothing is zero, not minus zero", () => {
  assert.ok(Object.is(microsToMinorCeil(0n, "USD"), 0));
});

Deno.test("every currency is listed once, with a minor unit that micro-units divide", () => {
  assert.equal(CURRENCY_EXPONENTS.size, 154);
  for (const [code, exponent] of CURRENCY_EXPONENTS) {
    assert.match(code, /^[A-Z]{3}$/);
    assert.ok(exponent <= 6);
  }
});

const decimals: [micros: bigint, currency: string, text: string][] = [
  [1_250_000n, "USD", "1.25"],
  [1_000_000n, "USD", "1.00"],
  [-7_300n, "USD", "-0.0073"],
  [0n, "USD", "0.00"],
  [100_000_000n, "JPY", "100"],
  [500_000n, "JPY", "0.5"],
  [1_000_001n, "KWD", "1.000001"],
  [4_000_000_000_000_000_000n, "USD", "4000000000000.00"],
];
for (const [amount, code, text] of decimals) {
  Deno.test(`${amount} micro-units of ${code} are written ${text}`, () => {
    assert.equal(microsToDecimal(amount, code), text);
  });
}
