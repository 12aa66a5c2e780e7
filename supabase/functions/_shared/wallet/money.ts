import { CURRENCY_EXPONENTS } from "./currencies.ts";

/** Largest amount of one movement, a million million units: the database refuses more. */
export const MAX_AMOUNT_MICROS = 10n ** 18n;

/** Digits after the decimal point of the ledger's own unit, the same for every currency. */
const MICROS_EXPONENT = 6;

/** Exact: minor units of the currency as micro-units; throws a RangeError for what is no amount. */
export function minorToMicros(minor: number, currency: string): bigint {
  if (!Number.isSafeInteger(minor)) {
    throw new RangeError(`Cannot convert ${minor} ${currency}: not a safe integer of minor units`);
  }
  return BigInt(minor) * microsPerMinor(currency);
}

/** Whole minor units in the amount, towards minus infinity: nobody has more than this says. */
export function microsToMinorFloor(micros: bigint, currency: string): number {
  const size = microsPerMinor(currency);
  const whole = micros / size;
  return Number(micros < whole * size ? whole - 1n : whole);
}

/** Minor units that cover the amount, towards plus infinity: nobody needs more than this says. */
export function microsToMinorCeil(micros: bigint, currency: string): number {
  return 0 - microsToMinorFloor(-micros, currency);
}

/** Exact, as people write it: at least the digits that the currency has, and as many as it takes. */
export function microsToDecimal(micros: bigint, currency: string): string {
  const minorDigits = MICROS_EXPONENT - String(microsPerMinor(currency)).length + 1;
  const digits = String(micros < 0n ? -micros : micros).padStart(MICROS_EXPONENT + 1, "0");
  const whole = digits.slice(0, -MICROS_EXPONENT);
  const fraction = digits.slice(-MICROS_EXPONENT).replace(/0+$/, "").padEnd(minorDigits, "0");
  return `${micros < 0n ? "-" : ""}${whole}${fraction && `.${fraction}`}`;
}

function microsPerMinor(currency: string): bigint {
  const exponent = CURRENCY_EXPONENTS.get(currency);
  if (exponent === undefined) {
    throw new RangeError(`Cannot convert an amount: ${currency} is not a known currency`);
  }
  return 10n ** BigInt(MICROS_EXPONENT - exponent);
}
