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

function microsPerMinor(currency: string): bigint {
  const exponent = CURRENCY_EXPONENTS.get(currency);
  if (exponent === undefined) {
    throw new RangeError(`Cannot convert an amount: ${currency} is not a known currency`);
  }
  return 10n ** BigInt(MICROS_EXPONENT - exponent);
}
