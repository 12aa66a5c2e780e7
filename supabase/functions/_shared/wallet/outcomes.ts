import * as z from "zod";

const micros = z.string().regex(/^-?\d+$/).transform(BigInt);
const fields = z.array(z.string());

const unknownAccount = z.object({ outcome: z.literal("unknown_account"), field: z.string() });

const unknownHold = z.object({ outcome: z.literal("unknown_hold") });

const refusals = [
  unknownAccount,
  z.object({ outcome: z.literal("same_account"), field: z.string() }),
  z.object({ outcome: z.literal("currency_mismatch"), field: z.string(), currency: z.string() }),
  z.object({ outcome: z.literal("amount_too_large"), field: z.string() }),
  z.object({ outcome: z.literal("payment_reused"), fields }),
  unknownHold,
  z.object({ outcome: z.literal("already_expired"), field: z.string() }),
  z.object({ outcome: z.literal("debt_outstanding"), currency: z.string(), owed_micros: micros }),
  z.object({ outcome: z.literal("amount_exceeds_hold"), field: z.string(), held_micros: micros }),
  z.object({
    outcome: z.literal("spending_limit_reached"),
    currency: z.string(),
    needed_micros: micros,
    limit_micros: micros,
    spent_micros: micros,
    resets_at: z.string(),
  }),
  resolvedHold("hold_captured"),
  resolvedHold("hold_released"),
  resolvedHold("hold_expired"),
  z.object({
    outcome: z.literal("insufficient_funds"),
    currency: z.string(),
    needed_micros: micros,
    available_micros: micros,
  }),
] as const;

/** The first of linked transfers that was refused: none of them happened. */
const refusedLink = z.object({
  outcome: z.literal("linked_transfer_refused"),
  index: z.int(),
  refusal: z.discriminatedUnion("outcome", [...refusals]),
});

const keyOutcomes = [
  z.object({ outcome: z.literal("key_reused"), fields }),
  z.object({ outcome: z.literal("in_flight") }),
  z.object({ outcome: z.literal("tenant_not_found") }),
  z.object({
    outcome: z.literal("answer_forgotten"),
    used_at: z.string(),
    resource_id: z.string().nullable(),
  }),
] as const;

const openedAccount = z.object({
  outcome: z.literal("completed"),
  id: z.string(),
  currency: z.string(),
  name: z.string().nullable(),
});

const movedFunds = z.object({
  outcome: z.literal("completed"),
  id: z.string(),
  source_account_id: z.string(),
  destination_account_id: z.string(),
  amount_micros: micros,
  currency: z.string(),
});

const movedTogether = z.object({
  outcome: z.literal("completed"),
  transfers: z.array(movedFunds),
});

const creditedPayment = z.object({
  outcome: z.literal("completed"),
  id: z.string(),
  account_id: z.string(),
  amount_micros: micros,
  currency: z.string(),
  payment_id: z.string(),
});

const placedHold = z.object({
  outcome: z.literal("completed"),
  id: z.string(),
  account_id: z.string(),
  amount_micros: micros,
  currency: z.string(),
  expires_at: z.string().nullable(),
});

const changedHold = z.object({
  outcome: z.literal("completed"),
  id: z.string(),
  status: z.enum(["open", "captured", "released", "expired"]),
  account_id: z.string(),
  currency: z.string(),
  amount_micros: micros,
  held_micros: micros,
  captured_micros: micros,
  released_micros: micros,
});

const foundHold = changedHold.extend({ outcome: z.literal("found") });

const foundAccount = z.object({
  outcome: z.literal("found"),
  id: z.string(),
  currency: z.string(),
  name: z.string().nullable(),
  posted_micros: micros,
  held_micros: micros,
  available_micros: micros,
});

/** What the ledger says no to; each stays with the key that it was said to. */
export type Refusal = z.output<(typeof refusals)[number]> | z.output<typeof refusedLink>;
/** Why a key got no answer of its own. */
export type KeyOutcome = z.output<(typeof keyOutcomes)[number]>;
/** What an operation under a key returns; `replayed` holds the answer that the key got first. */
export type Outcome<Done> = Done | Refusal | KeyOutcome | {
  outcome: "replayed";
  answer: Done | Refusal;
};

export type OpenedAccount = z.output<typeof openedAccount>;
export type MovedFunds = z.output<typeof movedFunds>;
export type MovedTogether = z.output<typeof movedTogether>;
export type CreditedPayment = z.output<typeof creditedPayment>;
export type PlacedHold = z.output<typeof placedHold>;
export type ChangedHold = z.output<typeof changedHold>;
/** A hold as it stands, whether looked at or just changed. */
export type ShownHold = Omit<ChangedHold, "outcome">;
export type FoundAccount = z.output<typeof foundAccount>;

/** What switchyard_api.create_wallet_account returns; throws for any other shape. */
export function parseOpening(returned: unknown): Outcome<OpenedAccount> {
  return opening.parse(returned);
}

/** What switchyard_api.transfer_funds returns; throws for any other shape. */
export function parseTransfer(returned: unknown): Outcome<MovedFunds> {
  return transfer.parse(returned);
}

/** What switchyard_api.transfer_linked_funds returns; throws for any other shape. */
export function parseLinkedTransfer(returned: unknown): Outcome<MovedTogether> {
  return linkedTransfer.parse(returned);
}

/** What switchyard_api.top_up_account returns; throws for any other shape. */
export function parseTopUp(returned: unknown): Outcome<CreditedPayment> {
  return topUp.parse(returned);
}

/** What switchyard_api.place_wallet_hold returns; throws for any other shape. */
export function parseHold(returned: unknown): Outcome<PlacedHold> {
  return hold.parse(returned);
}

/** What capture_wallet_hold and release_wallet_hold return; throws for any other shape. */
export function parseHoldChange(returned: unknown): Outcome<ChangedHold> {
  return holdChange.parse(returned);
}

/** What switchyard_api.get_wallet_hold returns; throws for any other shape. */
export function parseShownHold(
  returned: unknown,
): z.output<typeof foundHold> | z.output<typeof unknownHold> {
  return shownHold.parse(returned);
}

/** What switchyard_api.get_wallet_account returns; throws for any other shape. */
export function parseAccount(returned: unknown): FoundAccount | z.output<typeof unknownAccount> {
  return account.parse(returned);
}

const account = z.discriminatedUnion("outcome", [foundAccount, unknownAccount]);
const opening = outcomeOf(openedAccount);
const transfer = outcomeOf(movedFunds);
const linkedTransfer = outcomeOf(movedTogether);
const topUp = outcomeOf(creditedPayment);
const hold = outcomeOf(placedHold);
const shownHold = z.discriminatedUnion("outcome", [foundHold, unknownHold]);
const holdChange = outcomeOf(changedHold);

function resolvedHold<O extends string>(outcome: O) {
  return z.object({
    outcome: z.literal(outcome),
    captured_micros: micros,
    released_micros: micros,
  });
}

function outcomeOf<S extends z.core.$ZodTypeDiscriminable>(done: S) {
  const answer = z.discriminatedUnion("outcome", [done, ...refusals, refusedLink]);
  const replayed = z.object({ outcome: z.literal("replayed"), answer });
  return z.discriminatedUnion("outcome", [
    done,
    ...refusals,
    refusedLink,
    ...keyOutcomes,
    replayed,
  ]);
}
