import * as z from "zod";
import { microsToMinorFloor } from "./money.ts";

const micros = z.string().regex(/^-?\d+$/).transform(BigInt);

const rules = z.object({
  outcome: z.literal("found"),
  id: z.string(),
  currency: z.string(),
  low_below_micros: micros.nullable(),
  recovered_above_micros: micros.nullable(),
  is_low: z.boolean(),
  day_limit_micros: micros.nullable(),
  spent_micros: micros,
  top_up: z.object({
    below_micros: micros,
    amount_micros: micros,
    max_per_day: z.int(),
    cool_down_seconds: z.int(),
  }).nullable(),
});
const unknownAccount = z.object({ outcome: z.literal("unknown_account"), field: z.string() });
const returnedRules = z.discriminatedUnion("outcome", [rules, unknownAccount]);

export type WalletRules = z.output<typeof rules>;

/** What get_wallet_rules and set_wallet_rules return; throws for any other shape. */
export function parseRules(returned: unknown): z.output<typeof returnedRules> {
  return returnedRules.parse(returned);
}

/** The rules of an account in minor units. */
export function tellRules(found: WalletRules): Record<string, unknown> {
  const { currency, top_up } = found;
  const minor = (amount: bigint | null) => amount === null ? null : floor(amount, currency);
  return {
    accountId: found.id,
    currency,
    low_below: minor(found.low_below_micros),
    recovered_above: minor(found.recovered_above_micros),
    is_low: found.is_low,
    spend_per_day: minor(found.day_limit_micros),
    spent_today: floor(found.spent_micros, currency),
    top_up: top_up && {
      below: floor(top_up.below_micros, currency),
      amount: floor(top_up.amount_micros, currency),
      max_per_day: top_up.max_per_day,
      cool_down_seconds: top_up.cool_down_seconds,
    },
  };
}

const floor = microsToMinorFloor;
