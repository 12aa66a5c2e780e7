import * as z from "zod";
import { microsToMinorCeil, microsToMinorFloor } from "../_shared/wallet/money.ts";

const micros = z.string().regex(/^-?\d+$/).transform(BigInt);

/** What was set aside for a message, as enqueue_messages tells it. */
export const heldRow = z.object({
  id: z.string(),
  currency: z.string(),
  amount_micros: micros,
  category: z.string(),
  market: z.string(),
});

/** Why a message was refused for money, as enqueue_messages tells it. */
export const unpaidRows = [
  z.object({
    index: z.int(),
    outcome: z.literal("insufficient_funds"),
    detail: z.object({ currency: z.string(), needed_micros: micros, available_micros: micros }),
  }),
  z.object({
    index: z.int(),
    outcome: z.literal("debt_outstanding"),
    detail: z.object({ currency: z.string(), owed_micros: micros }),
  }),
  z.object({
    index: z.int(),
    outcome: z.literal("spending_limit_reached"),
    detail: z.object({
      currency: z.string(),
      needed_micros: micros,
      limit_micros: micros,
      spent_micros: micros,
      resets_at: z.string().transform((time) => new Date(time).toISOString()),
    }),
  }),
  z.object({
    index: z.int(),
    outcome: z.literal("no_rate"),
    detail: z.object({ currency: z.string() }),
  }),
] as const;

export type Held = z.output<typeof heldRow>;
export type Unpaid = z.output<(typeof unpaidRows)[number]>;

/** The members of a problem that says why a message was not paid for. */
export interface UnpaidRefusal {
  status: number;
  code: Unpaid["outcome"];
  detail: string;
  [member: string]: unknown;
}

/** A hold in whole minor units, never less than it is, and to the micro-unit. */
export function tellHeld({ id, currency, amount_micros, category, market }: Held) {
  return {
    id,
    currency,
    amount: microsToMinorCeil(amount_micros, currency),
    amount_micros: String(amount_micros),
    category,
    market,
  };
}

/** What was not covered, in whole minor units rounded against the spender and to the micro-unit. */
export function refuseUnpaid(unpaid: Unpaid): UnpaidRefusal {
  switch (unpaid.outcome) {
    case "insufficient_funds":
      return insufficientFunds(unpaid.detail);
    case "debt_outstanding": {
      const { currency, owed_micros } = unpaid.detail;
      return {
        status: 402,
        code: "debt_outstanding",
        detail: "The tenant owes money: top up first.",
        currency,
        owed: microsToMinorCeil(owed_micros, currency),
        owed_micros: String(owed_micros),
      };
    }
    case "spending_limit_reached":
      return spendingLimitReached(unpaid.detail);
    case "no_rate":
      return {
        status: 422,
        code: "no_rate",
        detail: "No rate card has a price for a message to this number.",
        errors: [{ pointer: "/to", detail: "is in a market without a price" }],
        currency: unpaid.detail.currency,
      };
  }
}

function insufficientFunds(
  { currency, needed_micros, available_micros }: Extract<
    Unpaid,
    { outcome: "insufficient_funds" }
  >["detail"],
): UnpaidRefusal {
  const shortfall = needed_micros - available_micros;
  return {
    status: 402,
    code: "insufficient_funds",
    detail: "The wallet does not hold enough: top up, then send with a new idempotency key.",
    currency,
    needed: microsToMinorCeil(needed_micros, currency),
    available: microsToMinorFloor(available_micros, currency),
    shortfall: microsToMinorCeil(shortfall, currency),
    needed_micros: String(needed_micros),
    available_micros: String(available_micros),
    shortfall_micros: String(shortfall),
  };
}

function spendingLimitReached(
  { currency, needed_micros, limit_micros, spent_micros, resets_at }: Extract<
    Unpaid,
    { outcome: "spending_limit_reached" }
  >["detail"],
): UnpaidRefusal {
  return {
    status: 402,
    code: "spending_limit_reached",
    detail: "The account would spend more in a day than its limit.",
    currency,
    needed: microsToMinorCeil(needed_micros, currency),
    limit: microsToMinorFloor(limit_micros, currency),
    spent: microsToMinorCeil(spent_micros, currency),
    resets_at,
  };
}

const price = z.looseObject({
  currency: z.string(),
  held_micros: micros,
  captured_micros: micros,
  released_micros: micros,
});

/**
 * A stored message with the amounts of its price in minor units too; one that nobody pays for has the
 * price that Meta told, and stays as it is.
 */
export function withMinorUnits(message: Record<string, unknown>): Record<string, unknown> {
  const parsed = price.safeParse(message.price);
  if (!parsed.success) return message;
  const { currency, held_micros, captured_micros, released_micros } = parsed.data;
  const amounts = {
    held: microsToMinorCeil(held_micros, currency),
    captured: microsToMinorCeil(captured_micros, currency),
    released: microsToMinorFloor(released_micros, currency),
  };
  return { ...message, price: { ...(message.price as object), ...amounts } };
}
