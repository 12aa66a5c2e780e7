import {
  MAX_AMOUNT_MICROS,
  microsToMinorCeil,
  microsToMinorFloor,
  minorToMicros,
} from "../_shared/wallet/money.ts";
import { parseHoldChange, parseShownHold } from "../_shared/wallet/outcomes.ts";
import type { ChangedHold, PlacedHold, ShownHold } from "../_shared/wallet/outcomes.ts";
import type { PlaceWalletHold } from "./hold_groups.ts";
import type { Operation } from "./operations.ts";
import { captureRequest, holdRequest, releaseRequest } from "./requests.ts";
import type { CaptureRequest, HoldRequest, ReleaseRequest } from "./requests.ts";

/** Which hold a request is about, as its address says. */
export type HoldTarget = { holdId: string };

/** Sets money aside on an account. */
export function createPlaceHold(place: PlaceWalletHold): Operation<HoldRequest, PlacedHold> {
  return {
    name: "wallet.hold",
    request: holdRequest,
    status: 201,
    run: (_call, { accountId, amount, currency, expiresAt = null }, mandate) =>
      place(mandate, {
        account_id: accountId,
        amount_micros: String(minorToMicros(amount, currency)),
        currency,
        expires_at: expiresAt,
      }),
    tell: (placed) => ({
      id: placed.id,
      status: "open",
      accountId: placed.account_id,
      amount: microsToMinorFloor(placed.amount_micros, placed.currency),
      currency: placed.currency,
      expiresAt: placed.expires_at && new Date(placed.expires_at).toISOString(),
    }),
  };
}

/** Captures a part of a hold or all of it; the amount is in the currency that the hold has. */
export const captureHold: Operation<CaptureRequest, ChangedHold, HoldTarget> = {
  name: "wallet.capture",
  request: captureRequest,
  status: 200,
  run: async (call, { holdId, amount }, mandate) => {
    const { tenant_id } = mandate;
    const shown = parseShownHold(await call("get_wallet_hold", { tenant_id, hold_id: holdId }));
    if (shown.outcome === "unknown_hold") return shown;
    const amountMicros = minorToMicros(amount, shown.currency);
    if (amountMicros > MAX_AMOUNT_MICROS) {
      return { outcome: "amount_too_large", field: "amount_micros" };
    }
    const capture = { hold_id: holdId, amount_micros: String(amountMicros) };
    return parseHoldChange(await call("capture_wallet_hold", { ...mandate, capture }));
  },
  tell: tellChange,
};

/** Releases what a hold still holds. */
export const releaseHold: Operation<ReleaseRequest, ChangedHold, HoldTarget> = {
  name: "wallet.release",
  request: releaseRequest,
  status: 200,
  run: async (call, { holdId }, mandate) =>
    parseHoldChange(
      await call("release_wallet_hold", { ...mandate, release: { hold_id: holdId } }),
    ),
  tell: tellChange,
};

/** A hold in minor units, rounded so that nobody is told that less is held than is. */
export function tellHold(hold: ShownHold): Record<string, unknown> {
  const { currency } = hold;
  return {
    id: hold.id,
    status: hold.status,
    accountId: hold.account_id,
    currency,
    held: microsToMinorCeil(hold.held_micros, currency),
    captured: microsToMinorFloor(hold.captured_micros, currency),
    released: microsToMinorFloor(hold.released_micros, currency),
    amount_micros: String(hold.amount_micros),
    held_micros: String(hold.held_micros),
    captured_micros: String(hold.captured_micros),
    released_micros: String(hold.released_micros),
  };
}

function tellChange(changed: ChangedHold): Record<string, unknown> {
  const amount = microsToMinorFloor(changed.amount_micros, changed.currency);
  return { amount, ...tellHold(changed) };
}
