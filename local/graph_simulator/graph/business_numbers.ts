import { z } from "zod";
import { digitsOf, displayPhone } from "../phone_numbers.ts";

const limit = z.number().positive().nullable();

/** What `PUT /_control/numbers/{phone_number_id}` may set; what is left out stays as it is. */
export const numberSchema = z.strictObject({
  business_account_id: z.string().min(1),
  portfolio_id: z.string().min(1),
  display_phone_number: z.string().min(1),
  verified_name: z.string(),
  country_code: z.string().regex(/^\d{1,3}$/),
  access_tokens: z.array(z.string()).nullable(),
  throughput_mps: limit,
  messaging_limit: z.string(),
  quality_rating: z.enum(["GREEN", "YELLOW", "RED", "UNKNOWN"]),
  can_send_message: z.enum(["AVAILABLE", "LIMITED", "BLOCKED"]),
  registered: z.boolean(),
  allowed_recipients: z.array(z.string()).nullable(),
}).partial();
export type NumberPatch = z.output<typeof numberSchema>;

/** A business's phone number, as Meta knows it. */
export interface BusinessNumber {
  readonly phoneNumberId: string;
  businessAccountId: string;
  portfolioId: string;
  waId: string;
  displayPhoneNumber: string;
  verifiedName: string;
  countryCode: string;
  /** null: any token that is not expired is good. */
  acceptedTokens: ReadonlySet<string> | null;
  readonly expiredTokens: Set<string>;
  /** null: as `settings.limits.throughput_mps` says. */
  throughputMps: number | null;
  maintenanceUntil: number;
  messagingLimit: string;
  qualityRating: string;
  canSendMessage: "AVAILABLE" | "LIMITED" | "BLOCKED";
  registered: boolean;
  /** null: any recipient; else the `wa_id`s that a test number may write to. */
  allowedRecipients: ReadonlySet<string> | null;
}

/** The registry of numbers and the business accounts that they belong to. */
export interface BusinessNumbers {
  find(phoneNumberId: string): BusinessNumber | undefined;
  /** Registers an unknown number with plausible properties. */
  resolve(phoneNumberId: string): BusinessNumber;
  put(phoneNumberId: string, patch: NumberPatch): BusinessNumber;
  all(): BusinessNumber[];
  clear(): void;
}

export function createBusinessNumbers(): BusinessNumbers {
  const numbers = new Map<string, BusinessNumber>();

  function resolve(phoneNumberId: string): BusinessNumber {
    let number = numbers.get(phoneNumberId);
    if (number === undefined) {
      numbers.set(phoneNumberId, number = plausibleNumber(phoneNumberId));
    }
    return number;
  }

  return {
    find: (phoneNumberId) => numbers.get(phoneNumberId),
    resolve,
    put(phoneNumberId, patch) {
      const number = resolve(phoneNumberId);
      applyPatch(number, patch);
      return number;
    },
    all: () => [...numbers.values()],
    clear: () => numbers.clear(),
  };
}

/** The account of number 1…1 is 2…1, so that the demo number lands in the demo account. */
function plausibleNumber(phoneNumberId: string): BusinessNumber {
  const businessAccountId = `2${phoneNumberId.replace(/^1/, "")}`;
  const waId = `1555010${phoneNumberId.slice(-4).padStart(4, "0")}`;
  return {
    phoneNumberId,
    businessAccountId,
    portfolioId: businessAccountId,
    waId,
    displayPhoneNumber: displayPhone(waId),
    verifiedName: `Business ${phoneNumberId.slice(-4)}`,
    countryCode: "1",
    acceptedTokens: null,
    expiredTokens: new Set(),
    throughputMps: null,
    maintenanceUntil: 0,
    messagingLimit: "TIER_UNLIMITED",
    qualityRating: "GREEN",
    canSendMessage: "AVAILABLE",
    registered: true,
    allowedRecipients: null,
  };
}

function applyPatch(number: BusinessNumber, patch: NumberPatch): void {
  if (patch.business_account_id !== undefined) {
    number.businessAccountId = patch.business_account_id;
    number.portfolioId = patch.business_account_id;
  }
  if (patch.display_phone_number !== undefined) {
    number.displayPhoneNumber = patch.display_phone_number;
    number.waId = digitsOf(patch.display_phone_number);
  }
  if (patch.access_tokens !== undefined) {
    number.acceptedTokens = patch.access_tokens && new Set(patch.access_tokens);
    for (const token of patch.access_tokens ?? []) number.expiredTokens.delete(token);
  }
  if (patch.allowed_recipients !== undefined) {
    number.allowedRecipients = patch.allowed_recipients &&
      new Set(patch.allowed_recipients.map(digitsOf));
  }
  number.portfolioId = patch.portfolio_id ?? number.portfolioId;
  number.verifiedName = patch.verified_name ?? number.verifiedName;
  number.countryCode = patch.country_code ?? number.countryCode;
  if (patch.throughput_mps !== undefined) number.throughputMps = patch.throughput_mps;
  number.messagingLimit = patch.messaging_limit ?? number.messagingLimit;
  number.qualityRating = patch.quality_rating ?? number.qualityRating;
  number.canSendMessage = patch.can_send_message ?? number.canSendMessage;
  number.registered = patch.registered ?? number.registered;
}
