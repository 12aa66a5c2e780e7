import { tellFaults } from "../_shared/http/field_errors.ts";
import { problem } from "../_shared/http/problem.ts";
import type { FieldError } from "../_shared/http/problem.ts";
import { microsToMinorCeil, microsToMinorFloor } from "../_shared/wallet/money.ts";
import type { FoundAccount, KeyOutcome, Refusal } from "../_shared/wallet/outcomes.ts";

const IN_FLIGHT_RETRY_SECONDS = 1;

/** What an id in an address looks like. */
export const UUID_PATTERN = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";

/** Where the ledger's fields stand in a request. */
const POINTERS: Record<string, string> = {
  source_account_id: "/sourceAccountId",
  destination_account_id: "/destinationAccountId",
  account_id: "/accountId",
  amount_micros: "/amount",
  payment_id: "/paymentId",
  expires_at: "/expiresAt",
};

const KEY_FAULTS = {
  missing_idempotency_key: "Idempotency-Key header is required for financial operations",
  invalid_idempotency_key: "Idempotency-Key must be 16-255 characters",
};

/** These two bodies are fixed, and are no problem documents: clients of the wallet match on them. */
export function refuseKey(error: keyof typeof KEY_FAULTS): Response {
  return answerJson(400, { error, message: KEY_FAULTS[error] });
}

/** 422: every fault of the body, each with its pointer. */
export function refuseRequest(errors: FieldError[]): Response {
  return problem(422, "invalid_request", tellFaults("The request", errors), { errors });
}

/** 404: the same for an account of another tenant as for one that never was. */
export function unknownAccount(): Response {
  return problem(404, "unknown_account", "The tenant has no such account.");
}

/** 403: here the operator and its payment provider credit accounts, nobody else. */
export function topUpNotAllowed(): Response {
  return problem(403, "forbidden", "Tenants do not credit themselves here: pay at the provider.");
}

/** 404 for a path that the wallet does not have. */
export function noSuchAddress(): Response {
  return problem(404, "not_found", "The wallet has nothing at this address.");
}

/** 405, naming the one method that the address takes. */
export function wrongMethod(allowed: string): Response {
  return problem(405, "method_not_allowed", `This address takes ${allowed} alone.`, {
    headers: { allow: allowed },
  });
}

/** 404: the same for a hold of another tenant, and of a message, as for one that never was. */
export function unknownHold(): Response {
  return problem(404, "unknown_hold", "The tenant has placed no such hold.");
}

/** The account in minor units, rounded so that nobody is told more than is there. */
export function tellAccount(account: FoundAccount): Response {
  const { currency } = account;
  return answerJson(200, {
    id: account.id,
    currency,
    name: account.name,
    posted: microsToMinorFloor(account.posted_micros, currency),
    held: microsToMinorCeil(account.held_micros, currency),
    available: microsToMinorFloor(account.available_micros, currency),
    posted_micros: String(account.posted_micros),
    held_micros: String(account.held_micros),
    available_micros: String(account.available_micros),
  });
}

/** What the ledger said no to, in the words and units of the API. */
export function tellRefusal(refusal: Refusal): Response {
  switch (refusal.outcome) {
    case "linked_transfer_refused":
      return problem(
        422,
        "linked_transfer_refused",
        "One of the transfers was refused, so none was made.",
        {
          errors: [{
            pointer: `/transfers/${refusal.index}`,
            detail: `was refused: ${refusal.refusal.outcome}`,
          }],
          index: refusal.index,
          refused: refusal.refusal.outcome,
        },
      );
    case "insufficient_funds":
      return insufficientFunds(refusal);
    case "unknown_account":
      return problem(404, "unknown_account", "The tenant has no such account.", {
        errors: at([refusal.field], "names no account of the tenant"),
      });
    case "same_account":
      return refuseRequest(at([refusal.field], "must be another account than the source"));
    case "currency_mismatch":
      return refuseRequest(at([refusal.field], `names an account in ${refusal.currency}`));
    case "amount_too_large":
      return refuseRequest(at([refusal.field], "is more than the account can take"));
    case "unknown_hold":
      return unknownHold();
    case "already_expired":
      return refuseRequest(at([refusal.field], "must be in the future"));
    case "debt_outstanding":
      return problem(402, "debt_outstanding", "The tenant owes money: top up first.", {
        currency: refusal.currency,
        owed: microsToMinorCeil(refusal.owed_micros, refusal.currency),
      });
    case "spending_limit_reached":
      return spendingLimitReached(refusal);
    case "amount_exceeds_hold":
      return problem(422, "amount_exceeds_hold", "The hold does not hold so much any more.", {
        errors: at([refusal.field], "is more than the hold still holds"),
        held_micros: String(refusal.held_micros),
      });
    case "hold_captured":
    case "hold_released":
    case "hold_expired":
      return tellResolved(refusal);
    case "payment_reused":
      return problem(422, "payment_reused", "This payment was credited with other fields.", {
        errors: at(refusal.fields, "differs from how the payment was credited"),
      });
  }
}

/** Why a request got no answer of its own to keep. */
export function tellKeyOutcome(outcome: KeyOutcome): Response {
  switch (outcome.outcome) {
    case "key_reused":
      return problem(422, "idempotency_key_reused", "The key was used with another request.", {
        errors: at(outcome.fields, "differs from the first request with this key"),
      });
    case "in_flight":
      return problem(
        409,
        "idempotency_key_in_flight",
        "A request with this key is still being answered; send it again.",
        { headers: { "retry-after": String(IN_FLIGHT_RETRY_SECONDS) } },
      );
    case "tenant_not_found":
      return problem(404, "not_found", "There is no such tenant.");
    case "answer_forgotten":
      return problem(
        409,
        "idempotency_answer_forgotten",
        "The key was used so long ago that its answer is not kept; nothing was done again.",
        { used_at: toInstant(outcome.used_at), id: outcome.resource_id },
      );
  }
}

const ENDINGS = {
  hold_captured: "The hold was captured already.",
  hold_released: "The hold was released already.",
  hold_expired: "The hold has expired.",
};

function tellResolved(refusal: Extract<Refusal, { outcome: keyof typeof ENDINGS }>): Response {
  return problem(409, refusal.outcome, ENDINGS[refusal.outcome], {
    captured_micros: String(refusal.captured_micros),
    released_micros: String(refusal.released_micros),
  });
}

function insufficientFunds(refusal: Extract<Refusal, { outcome: "insufficient_funds" }>): Response {
  const { currency, needed_micros, available_micros } = refusal;
  const detail = "The account does not hold enough: top up, then use a new idempotency key.";
  return problem(402, "insufficient_funds", detail, {
    currency,
    needed: microsToMinorCeil(needed_micros, currency),
    available: microsToMinorFloor(available_micros, currency),
    shortfall: microsToMinorCeil(needed_micros - available_micros, currency),
  });
}

function spendingLimitReached(
  refusal: Extract<Refusal, { outcome: "spending_limit_reached" }>,
): Response {
  const { currency, needed_micros, limit_micros, spent_micros, resets_at } = refusal;
  const detail = "The account would spend more in a day than its limit.";
  return problem(402, "spending_limit_reached", detail, {
    currency,
    needed: microsToMinorCeil(needed_micros, currency),
    limit: microsToMinorFloor(limit_micros, currency),
    spent: microsToMinorCeil(spent_micros, currency),
    resets_at: toInstant(resets_at),
  });
}

function toInstant(time: string): string {
  return new Date(time).toISOString();
}

/** A JSON answer that is no problem document. */
export function answerJson(status: number, body: Record<string, unknown>): Response {
  const headers = { "content-type": "application/json" };
  return new Response(JSON.stringify(body), { status, headers });
}

function at(fields: string[], detail: string): FieldError[] {
  return fields.map((field) => ({ pointer: POINTERS[field] ?? `/${field}`, detail }));
}
