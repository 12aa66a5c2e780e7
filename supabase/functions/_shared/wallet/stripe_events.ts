import * as z from "zod";
import { CURRENCY_EXPONENTS } from "./currencies.ts";
import { MAX_AMOUNT_MICROS } from "./money.ts";
import { UUID } from "../uuid.ts";

/** What a notice of Stripe means for a wallet, in the ledger's units. */
export interface ProviderEvent {
  event_id: string;
  action: "credit" | "refund" | "dispute" | "reinstate";
  payment_id: string;
  /** The dispute. */
  reference: string | null;
  account_id: string | null;
  amount_micros: string;
  currency: string;
  occurred_at: string;
}

export type ReadStripeEvent =
  | { kind: "event"; event: ProviderEvent }
  /** Nothing that moves money of a wallet. */
  | { kind: "ignored"; why: "other_type" | "other_payment" | "not_paid" }
  /** Names an account of ours, or should, and cannot be read. */
  | { kind: "malformed" };

/** Where a payment or a checkout session names the account that it is for. */
export const ACCOUNT_KEY = "switchyard_account_id";

const id = z.string().regex(/^[\x21-\x7e]{1,255}$/);
const metadata = z.record(z.string(), z.string()).nullish();
const amount = z.int().nonnegative();
const currency = z.string().transform((code) => code.toUpperCase());
const envelope = z.object({
  id,
  type: z.string(),
  created: z.int().nonnegative(),
  data: z.object({ object: z.unknown() }),
});
const paymentIntent = z.object({ id, amount_received: amount, currency, metadata });
const session = z.object({
  payment_status: z.string(),
  payment_intent: id.nullish(),
  amount_total: amount.nullish(),
  currency: currency.nullish(),
  metadata,
});
const charge = z.object({
  payment_intent: id.nullish(),
  amount_refunded: amount,
  currency,
  metadata,
});
const dispute = z.object({ id, payment_intent: id.nullish(), amount, currency, metadata });

/** What an event says; of money: in the words of its type. */
type Said =
  & Pick<ProviderEvent, "action" | "payment_id" | "reference">
  & { amount: number; currency: string; metadata: z.output<typeof metadata> };
type Reading = Said | "not_paid" | "other_payment" | null;

const READERS: Record<string, (object: unknown) => Reading> = {
  "payment_intent.succeeded": readPaymentIntent,
  "checkout.session.completed": readSession,
  "checkout.session.async_payment_succeeded": readSession,
  "charge.refunded": readRefund,
  "charge.dispute.funds_withdrawn": (object) => readDispute(object, "dispute"),
  "charge.dispute.funds_reinstated": (object) => readDispute(object, "reinstate"),
};

/**
 * Reads an event of Stripe. A payment is ours when it, or its checkout session, names an account; what
 * is taken back is matched with its payment by the ledger.
 * https://docs.stripe.com/api/events/types (2026-11)
 */
export function readStripeEvent(body: unknown): ReadStripeEvent {
  const parsed = envelope.safeParse(body);
  if (!parsed.success) return { kind: "malformed" };
  const { id: event_id, type, created, data } = parsed.data;
  const read = READERS[type];
  if (read === undefined) return { kind: "ignored", why: "other_type" };
  const said = read(data.object);
  if (said === null) return { kind: "malformed" };
  if (typeof said === "string") return { kind: "ignored", why: said };

  const named = said.metadata?.[ACCOUNT_KEY];
  const micros = stripeToMicros(said.amount, said.currency);
  if (named === undefined && (said.action === "credit" || micros === null)) {
    return { kind: "ignored", why: "other_payment" };
  }
  if (micros === null || (named !== undefined && !UUID.test(named))) return { kind: "malformed" };
  const { action, payment_id, reference, currency } = said;
  const event = {
    event_id,
    action,
    payment_id,
    reference,
    account_id: named ?? null,
    amount_micros: String(micros),
    currency,
    occurred_at: new Date(created * 1_000).toISOString(),
  };
  return { kind: "event", event };
}

function readPaymentIntent(object: unknown): Reading {
  const parsed = paymentIntent.safeParse(object);
  if (!parsed.success) return null;
  const { id: payment_id, amount_received, currency, metadata } = parsed.data;
  return {
    action: "credit",
    payment_id,
    reference: null,
    amount: amount_received,
    currency,
    metadata,
  };
}

function readSession(object: unknown): Reading {
  const parsed = session.safeParse(object);
  if (!parsed.success) return null;
  const { payment_status, payment_intent, amount_total, currency, metadata } = parsed.data;
  if (payment_status !== "paid") return "not_paid";
  // A subscription's session has no payment of its own.
  if (!payment_intent) return "other_payment";
  if (typeof amount_total !== "number" || !currency) return null;
  return {
    action: "credit",
    payment_id: payment_intent,
    reference: null,
    amount: amount_total,
    currency,
    metadata,
  };
}

function readRefund(object: unknown): Reading {
  const parsed = charge.safeParse(object);
  if (!parsed.success) return null;
  const { payment_intent, amount_refunded, currency, metadata } = parsed.data;
  if (!payment_intent) return "other_payment";
  return {
    action: "refund",
    payment_id: payment_intent,
    reference: null,
    amount: amount_refunded,
    currency,
    metadata,
  };
}

function readDispute(object: unknown, action: "dispute" | "reinstate"): Reading {
  const parsed = dispute.safeParse(object);
  if (!parsed.success) return null;
  const { id: reference, payment_intent, amount, currency, metadata } = parsed.data;
  if (!payment_intent) return "other_payment";
  return { action, payment_id: payment_intent, reference, amount, currency, metadata };
}

/** Where Stripe counts in another unit than ISO 4217. https://docs.stripe.com/currencies (2026-11) */
const STRIPE_EXPONENTS: Record<string, number> = { ISK: 2, MGA: 0, UGX: 2 };

function stripeToMicros(amount: number, currency: string): bigint | null {
  const exponent = STRIPE_EXPONENTS[currency] ?? CURRENCY_EXPONENTS.get(currency);
  if (exponent === undefined || amount < 1) return null;
  const micros = BigInt(amount) * 10n ** BigInt(6 - exponent);
  return micros <= MAX_AMOUNT_MICROS ? micros : null;
}
