import * as z from "zod";
import { CURRENCY_EXPONENTS } from "../_shared/wallet/currencies.ts";
import { MAX_AMOUNT_MICROS, minorToMicros } from "../_shared/wallet/money.ts";
import type { FieldError } from "../_shared/http/problem.ts";

const MAX_LINKED = 100;

const accountId = z.guid("must be the id of an account");
const currency = z.string("must be a currency code of ISO 4217, such as USD").refine(
  (code) => CURRENCY_EXPONENTS.has(code),
  "must be a currency code of ISO 4217, such as USD",
);
const amount = z.int("must be an integer of minor units, such as 100 for 1.00 USD")
  .positive("must be more than zero");
// What Postgres cannot keep as text is refused here: NUL, other controls, halves of characters.
const name = z.string("must be text").min(1, "must not be empty")
  .max(100, "must have at most 100 characters")
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, "must not have control characters");
const paymentId = z.string("must be text").regex(
  /^[\x21-\x7e]{1,255}$/,
  "must be 1 to 255 visible ASCII characters, as the payment provider spells it",
);

const expiresAt = z.iso.datetime({
  offset: true,
  error: "must be a time of ISO 8601 with its offset, such as 2026-12-01T00:00:00Z",
});

/** Body of POST /wallet/accounts. */
export const accountRequest = z.strictObject({ currency, name: name.optional() });

/** Body of POST /wallet/transfer; the amount is in minor units and fits one movement. */
export const transferRequest = movable(z.strictObject({
  sourceAccountId: accountId,
  destinationAccountId: accountId,
  amount,
  currency,
}));

/** Body of POST /wallet/transfers: legs that happen together or not at all. */
export const linkedRequest = z.strictObject({
  transfers: z.array(transferRequest, "must be a list of transfers").min(1, "must not be empty")
    .max(MAX_LINKED, `may have at most ${MAX_LINKED} transfers`),
});

/** Body of POST /wallet/topups; the amount is in minor units and fits one movement. */
export const topUpRequest = movable(z.strictObject({
  accountId,
  amount,
  currency,
  paymentId,
}));

/** Body of POST /wallet/holds; without an expiry it stands until it is captured or released. */
export const holdRequest = movable(z.strictObject({
  accountId,
  amount,
  currency,
  expiresAt: expiresAt.optional(),
}));

/** Body of POST /wallet/holds/{id}/capture; the amount is in minor units of the hold's currency. */
export const captureRequest = z.strictObject({ amount });

/** Body of POST /wallet/holds/{id}/release. */
export const releaseRequest = z.strictObject({});

export type AccountRequest = z.output<typeof accountRequest>;
export type TransferRequest = z.output<typeof transferRequest>;
export type LinkedRequest = z.output<typeof linkedRequest>;
export type TopUpRequest = z.output<typeof topUpRequest>;
export type HoldRequest = z.output<typeof holdRequest>;
export type CaptureRequest = z.output<typeof captureRequest>;
export type ReleaseRequest = z.output<typeof releaseRequest>;

export type ParsedRequest<T> = { ok: true; value: T } | { ok: false; errors: FieldError[] };

/** The request as its schema has it, or every fault with the JSON pointer of its field. */
export function parseRequest<T>(schema: z.ZodType<T>, body: unknown): ParsedRequest<T> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return { ok: true, value: parsed.data };
  return { ok: false, errors: parsed.error.issues.flatMap(toFieldErrors) };
}

function toFieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code !== "unrecognized_keys") {
    return [{ pointer: toPointer(issue.path), detail: issue.message }];
  }
  return issue.keys.map((key) => ({
    pointer: toPointer([...issue.path, key]),
    detail: "is not a field of this request",
  }));
}

// RFC 6901: "" is the whole body; in a name "~" is written "~0" and "/" is written "~1".
function toPointer(path: PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join(
    "",
  );
}

// Also asked about fields that were refused already: of those it has nothing to add.
function movable<S extends z.ZodType<{ amount: number; currency: string }>>(schema: S): S {
  return schema.refine(
    ({ amount, currency }) =>
      !Number.isSafeInteger(amount) || !CURRENCY_EXPONENTS.has(currency) ||
      minorToMicros(amount, currency) <= MAX_AMOUNT_MICROS,
    { path: ["amount"], error: "is more than one movement may carry" },
  );
}
