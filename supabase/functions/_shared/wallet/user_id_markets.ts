import { getCountries, getExampleNumber } from "libphonenumber-js";
import examples from "libphonenumber-js/mobile/examples";
import type { RateRow } from "./rate_card.ts";

/**
 * Gives the user ids of each country to the market of its numbers, which Meta charges for them too:
 * a business-scoped user id begins with the code of its country. A code that the card names stays
 * where it names it; one whose numbers no market has a prefix for stays with all others.
 * https://developers.facebook.com/docs/whatsapp/pricing (2026-10)
 */
export function addUserIdCountries(rows: RateRow[]): RateRow[] {
  const owners = new Map<string, RateRow>();
  for (const row of rows) {
    for (const prefix of row.prefixes) if (!owners.has(prefix)) owners.set(prefix, row);
  }
  const countries = new Map<RateRow, string[]>();
  for (const country of getCountries()) {
    const owner = owners.has(country) ? undefined : ownerOf(numberIn(country), owners);
    if (owner) countries.set(owner, [...countries.get(owner) ?? [], country]);
  }
  return rows.map((row) => ({ ...row, prefixes: [...row.prefixes, ...countries.get(row) ?? []] }));
}

type Country = ReturnType<typeof getCountries>[number];

/** The digits of a number there, from the calling code on. */
function numberIn(country: Country): string {
  return getExampleNumber(country, examples)?.number.slice(1) ?? "";
}

function ownerOf(digits: string, owners: Map<string, RateRow>): RateRow | undefined {
  for (let length = 7; length > 0; length--) {
    const owner = owners.get(digits.slice(0, length));
    if (owner) return owner;
  }
  return undefined;
}
