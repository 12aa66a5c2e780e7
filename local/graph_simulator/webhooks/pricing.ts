import type { AcceptedMessage, Price } from "../graph/accepted_message.ts";
import type { BusinessNumber } from "../graph/business_numbers.ts";
import { RecentMap } from "../recent_map.ts";
import type { SettingsHolder } from "../script/settings.ts";
import type { StatusName } from "../script/treatment.ts";

const DAY_MS = 86_400_000;
const REMEMBERED_ENTRY_POINTS = 100_000;

/** Prices as of October 2026: what a status says about the charge for its message. */
export interface Pricing {
  /** The price to tell with this status, or null when it tells none. */
  priceFor(message: AcceptedMessage, status: StatusName): Price | null;
  /** A customer came from an advertisement: an answer within 24 h makes 72 h free. */
  cameFromAd(number: BusinessNumber, waId: string): void;
  answered(number: BusinessNumber, waId: string): void;
  /** Until when everything is free, in milliseconds since the epoch; null when it is not. */
  freeEntryUntil(number: BusinessNumber, waId: string | null): number | null;
  clear(): void;
}

export function createPricing(now: () => number, settings: SettingsHolder): Pricing {
  const serviceMessages = new Map<string, number>();
  const adVisits = new RecentMap<string, number>(REMEMBERED_ENTRY_POINTS);
  const freeUntil = new RecentMap<string, number>(REMEMBERED_ENTRY_POINTS);
  const pairOf = (number: BusinessNumber, waId: string) => `${number.phoneNumberId}/${waId}`;
  // A calendar month; the real boundary lies in the account's own time zone.
  const monthOf = (number: BusinessNumber, at: number) =>
    `${number.phoneNumberId} ${new Date(at).toISOString().slice(0, 7)}`;

  function freeEntryUntil(number: BusinessNumber, waId: string | null): number | null {
    const until = waId === null ? undefined : freeUntil.get(pairOf(number, waId));
    return until !== undefined && now() < until ? until : null;
  }

  function typeOf(message: AcceptedMessage): string {
    if (freeEntryUntil(message.number, message.waId) !== null) return "free_entry_point";
    if (message.category !== "service") return "regular";
    const month = monthOf(message.number, message.acceptedAt);
    const used = serviceMessages.get(month) ?? 0;
    if (used >= settings.current.pricing.free_service_messages) return "regular";
    serviceMessages.set(month, used + 1);
    return "free_customer_service";
  }

  function decide(message: AcceptedMessage): Price {
    const type = message.treatment.pricing.type ?? typeOf(message);
    const category = message.treatment.pricing.category ?? message.category;
    return { billable: type === "regular", pricing_model: "PMP", type, category };
  }

  /** The allowance counts delivered messages: one that failed gives its place back. */
  function giveBack(message: AcceptedMessage): void {
    if (message.price?.type !== "free_customer_service" || message.wasDelivered) return;
    const month = monthOf(message.number, message.acceptedAt);
    serviceMessages.set(month, (serviceMessages.get(month) ?? 1) - 1);
    message.price = null;
  }

  return {
    priceFor(message, status) {
      if (status === "failed") giveBack(message);
      const on = message.treatment.pricing.on;
      const tells = on?.includes(status) ??
        (status === "sent" || status === "delivered" ||
          (status === "read" && !message.wasDelivered));
      return tells ? message.price ??= decide(message) : null;
    },
    cameFromAd: (number, waId) => adVisits.set(pairOf(number, waId), now()),
    answered(number, waId) {
      const cameAt = adVisits.get(pairOf(number, waId));
      if (cameAt === undefined) return;
      adVisits.delete(pairOf(number, waId));
      if (now() - cameAt < DAY_MS) freeUntil.set(pairOf(number, waId), now() + 3 * DAY_MS);
    },
    freeEntryUntil,
    clear() {
      for (const map of [serviceMessages, adVisits, freeUntil]) map.clear();
    },
  };
}
