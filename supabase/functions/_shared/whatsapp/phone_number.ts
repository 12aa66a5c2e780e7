import { parsePhoneNumberFromString } from "libphonenumber-js";
import { isUserId } from "./user_id.ts";

export type NormalizedPhone = { ok: true; e164: string } | { ok: false; reason: string };

const WRITTEN = /^\+?[\d\s().\-\u00a0\u2010-\u2015\u2212]{5,40}$/;
/** Mexican ids of WhatsApp keep the digit that the numbering plan dropped (chatwoot#14048). */
const MEXICO_WITH_ONE = /^\+521\d{10}$/;

/**
 * The number in E.164 with its plus sign. Digits without one are read as international all the
 * same: passed on without it, Meta would put the country code of the business before them.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
 * (2026-09)
 */
export function normalizePhone(written: string): NormalizedPhone {
  const trimmed = written.trim();
  if (isUserId(trimmed)) return { ok: false, reason: "is a user id and no phone number" };
  if (!WRITTEN.test(trimmed)) {
    return {
      ok: false,
      reason: "must be a phone number with its country code, such as +15550100002",
    };
  }
  const parsed = parsePhoneNumberFromString(trimmed.startsWith("+") ? trimmed : `+${trimmed}`);
  if (parsed && (parsed.isPossible() || MEXICO_WITH_ONE.test(parsed.number))) {
    return { ok: true, e164: parsed.number };
  }
  return {
    ok: false,
    reason: "is no possible phone number: its country code comes first, as in +15550100002",
  };
}
