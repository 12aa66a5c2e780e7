import { strict as assert } from "node:assert";
import { ACCOUNT_KEY, readStripeEvent } from "./stripe_events.ts";

const account = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
const metadata = { [ACCOUNT_KEY]: account };
const paid = { id: "pi_1", amount_received: 5_000, currency: "usd", metadata };
const completed = {
  id: "cs_1",
  payment_status: "paid",
  payment_intent: "pi_1",
  amount_total: 5_000,
  currency: "usd",
  metadata,
};
const refunded = { id: "ch_1", payment_intent: "pi_1", amount_refunded: 1_200, currency: "usd" };
const disputed = { id: "dp_1", payment_intent: "pi_1", amount: 5_000, currency: "usd" };

function anEvent(type: string, object: unknown) {
  return { id: "evt_1", object: "event", type, created: 1_795_348_800, data: { object } };
}

const read = {
  event_id: "evt_1",
  payment_id: "pi_1",
  reference: null,
  account_id: account,
  amount_micros: "50000000",
  currency: "USD",
  occurred_at: "2026-11-22T12:00:00.000Z",
};
const understood: [type: string, object: unknown, expected: Record<string, unknown>][] = [
  ["payment_intent.succeeded", paid, { action: "credit" }],
  ["checkout.session.completed", completed, { action: "credit" }],
  ["checkout.session.async_payment_succeeded", completed, { action: "credit" }],
  ["charge.refunded", refunded, {
    action: "refund",
    account_id: null,
    amount_micros: "12000000",
  }],
  ["charge.dispute.funds_withdrawn", disputed, {
    action: "dispute",
    reference: "dp_1",
    account_id: null,
  }],
  ["charge.dispute.funds_reinstated", disputed, {
    action: "reinstate",
    reference: "dp_1",
    account_id: null,
  }],
];
for (const [type, object, expected] of understood) {
  Deno.test(`${type} is read as ${expected.action} of its payment`, () => {
    assert.deepEqual(readStripeEvent(anEvent(type, object)), {
      kind: "event",
      event: { ...read, ...expected },
    });
  });
}

const amounts: [amount: number, currency: string, micros: string][] = [
  [1, "usd", "10000"],
  [500, "jpy", "500000000"],
  [1_234_560, "kwd", "1234560000"],
  [500, "isk", "5000000"],
  [500, "ugx", "5000000"],
  [500, "mga", "500000000"],
];
for (const [amount_received, currency, micros] of amounts) {
  Deno.test(`${amount_received} of Stripe's ${currency} are ${micros} micro-units`, () => {
    const event = anEvent("payment_intent.succeeded", { ...paid, amount_received, currency });
    const told = readStripeEvent(event);
    assert.equal(told.kind === "event" && told.event.amount_micros, micros);
  });
}

const ignored: [title: string, type: string, object: unknown, why: string][] = [
  ["of another type", "customer.created", {}, "other_type"],
  [
    "of a payment that names no account",
    "payment_intent.succeeded",
    { ...paid, metadata: {} },
    "other_payment",
  ],
  ["of a session that is not paid yet", "checkout.session.completed", {
    ...completed,
    payment_status: "unpaid",
  }, "not_paid"],
  ["of a session without a payment", "checkout.session.completed", {
    ...completed,
    payment_intent: null,
  }, "other_payment"],
  [
    "of a charge without a payment",
    "charge.refunded",
    { ...refunded, payment_intent: null },
    "other_payment",
  ],
  ["of a refund in a currency that the wallet has not", "charge.refunded", {
    ...refunded,
    currency: "xxx",
  }, "other_payment"],
];
for (const [title, type, object, why] of ignored) {
  Deno.test(`an event ${title} moves nothing`, () => {
    assert.deepEqual(readStripeEvent(anEvent(type, object)), { kind: "ignored", why });
  });
}

const malformed: [title: string, event: unknown][] = [
  ["is nothing", undefined],
  ["has no id", { ...anEvent("payment_intent.succeeded", paid), id: undefined }],
  ["has no object", anEvent("payment_intent.succeeded", null)],
  [
    "names what is no account",
    anEvent("payment_intent.succeeded", {
      ...paid,
      metadata: { [ACCOUNT_KEY]: "mine" },
    }),
  ],
  [
    "has an amount below zero",
    anEvent("payment_intent.succeeded", { ...paid, amount_received: -1 }),
  ],
  [
    "has an amount of nothing",
    anEvent("payment_intent.succeeded", { ...paid, amount_received: 0 }),
  ],
  ["has a fraction", anEvent("payment_intent.succeeded", { ...paid, amount_received: 0.5 })],
  [
    "has more than one movement carries",
    anEvent("payment_intent.succeeded", {
      ...paid,
      amount_received: Number.MAX_SAFE_INTEGER,
    }),
  ],
  [
    "has a currency that the wallet has not",
    anEvent("payment_intent.succeeded", {
      ...paid,
      currency: "xxx",
    }),
  ],
];
for (const [title, event] of malformed) {
  Deno.test(`an event that ${title} is not guessed at`, () => {
    assert.deepEqual(readStripeEvent(event), { kind: "malformed" });
  });
}
