import type * as z from "zod";
import type { RequestDigest } from "../_shared/canonical_json.ts";
import type { CallRpc } from "../_shared/database.ts";
import { microsToMinorFloor, minorToMicros } from "../_shared/wallet/money.ts";
import {
  parseLinkedTransfer,
  parseOpening,
  parseTopUp,
  parseTransfer,
} from "../_shared/wallet/outcomes.ts";
import type {
  CreditedPayment,
  MovedFunds,
  MovedTogether,
  OpenedAccount,
  Outcome,
} from "../_shared/wallet/outcomes.ts";
import { accountRequest, linkedRequest, topUpRequest, transferRequest } from "./requests.ts";
import type { AccountRequest, LinkedRequest, TopUpRequest, TransferRequest } from "./requests.ts";

/** Whose money it is, who asks, and under which key. */
export interface Mandate {
  tenant_id: string;
  actor: { kind: string; id?: string };
  idempotency: RequestDigest & { key: string };
}

type Fields = Record<string, unknown>;

/**
 * One kind of change under an idempotency key: what it takes, what it does, what it answers. What
 * the address names is part of the request.
 */
export interface Operation<Request extends Fields, Done, Target extends Fields = Fields> {
  /** Keys of different operations never meet. */
  name: string;
  request: z.ZodType<Request>;
  /** 201 for what makes something new, 200 for what changes something. */
  status: 200 | 201;
  run(call: CallRpc, request: Request & Target, mandate: Mandate): Promise<Outcome<Done>>;
  /** The body of the answer; the same bytes whenever it is told again. */
  tell(done: Done): Record<string, unknown>;
}

/** Opens a cash account. */
export const openAccount: Operation<AccountRequest, OpenedAccount> = {
  name: "wallet.account",
  request: accountRequest,
  status: 201,
  run: async (call, { currency, name = null }, mandate) =>
    parseOpening(await call("create_wallet_account", { ...mandate, account: { currency, name } })),
  tell: ({ id, currency, name }) => ({ id, currency, name }),
};

/** Moves money between two accounts of the tenant. */
export const transferFunds: Operation<TransferRequest, MovedFunds> = {
  name: "wallet.transfer",
  request: transferRequest,
  status: 201,
  run: async (call, { sourceAccountId, destinationAccountId, amount, currency }, mandate) => {
    const transfer = {
      source_account_id: sourceAccountId,
      destination_account_id: destinationAccountId,
      amount_micros: String(minorToMicros(amount, currency)),
      currency,
    };
    return parseTransfer(await call("transfer_funds", { ...mandate, transfer }));
  },
  tell: (moved) => ({
    id: moved.id,
    status: "completed",
    sourceAccountId: moved.source_account_id,
    destinationAccountId: moved.destination_account_id,
    amount: microsToMinorFloor(moved.amount_micros, moved.currency),
    currency: moved.currency,
  }),
};

/** Moves money several times between accounts of the tenant, all of it or none. */
export const transferLinkedFunds: Operation<LinkedRequest, MovedTogether> = {
  name: "wallet.transfers",
  request: linkedRequest,
  status: 201,
  run: async (call, { transfers }, mandate) => {
    const legs = transfers.map((leg) => ({
      source_account_id: leg.sourceAccountId,
      destination_account_id: leg.destinationAccountId,
      amount_micros: String(minorToMicros(leg.amount, leg.currency)),
      currency: leg.currency,
    }));
    return parseLinkedTransfer(
      await call("transfer_linked_funds", { ...mandate, transfers: legs }),
    );
  },
  tell: ({ transfers }) => ({ transfers: transfers.map(transferFunds.tell) }),
};

/** Credits what a payment provider took in, once for each payment. */
export const topUpAccount: Operation<TopUpRequest, CreditedPayment> = {
  name: "wallet.topup",
  request: topUpRequest,
  status: 201,
  run: async (call, { accountId, amount, currency, paymentId }, mandate) => {
    const topUp = {
      account_id: accountId,
      amount_micros: String(minorToMicros(amount, currency)),
      currency,
      payment_id: paymentId,
    };
    return parseTopUp(await call("top_up_account", { ...mandate, top_up: topUp }));
  },
  tell: (credited) => ({
    id: credited.id,
    status: "completed",
    accountId: credited.account_id,
    amount: microsToMinorFloor(credited.amount_micros, credited.currency),
    currency: credited.currency,
    paymentId: credited.payment_id,
  }),
};
