/** How `to` is read, following `settings.recipients`. */
export interface ReadingRules {
  countryCode: string;
  missingPlus: "prepend_country_code" | "tolerate";
  rewrite: boolean;
}

const E164_DIGITS = /^[1-9]\d{6,14}$/;

/**
 * The `wa_id` that Meta makes of `to`, or null when it is no phone number. Spaces, dashes, dots
 * and brackets are tolerated; without `+` the business's own calling code is put in front.
 */
export function readRecipient(to: string, rules: ReadingRules): string | null {
  const compact = to.replace(/[\s().\-]/g, "");
  const international = compact.startsWith("+");
  const digits = international ? compact.slice(1) : compact;
  if (!/^\d+$/.test(digits)) return null;
  const isWhole = international || rules.missingPlus === "tolerate";
  const whole = isWhole ? digits : rules.countryCode + digits;
  if (!E164_DIGITS.test(whole)) return null;
  return rules.rewrite ? rewriteWaId(whole) : whole;
}

/**
 * The two countries where `wa_id` differs from the number dialled: Brazil drops the ninth digit
 * outside the area codes up to 28, Mexico keeps the `1` that its dialling plan gave up.
 */
export function rewriteWaId(digits: string): string {
  const brazil = /^55([3-9]\d)9(\d{8})$/.exec(digits);
  if (brazil) return `55${brazil[1]}${brazil[2]}`;
  const mexico = /^52(\d{10})$/.exec(digits);
  return mexico ? `521${mexico[1]}` : digits;
}

/** The digits of a number written in any way. */
export function digitsOf(phone: string): string {
  return phone.replace(/\D/g, "");
}

/** A North American number grouped for the eye, any other one with its plus sign only. */
export function displayPhone(digits: string): string {
  const grouped = /^1(\d{3})(\d{3})(\d{4})$/.exec(digits);
  return grouped ? `+1 ${grouped[1]} ${grouped[2]} ${grouped[3]}` : `+${digits}`;
}

const COUNTRY_OF_PREFIX: Readonly<Record<string, string>> = {
  "1": "US",
  "7": "RU",
  "20": "EG",
  "27": "ZA",
  "31": "NL",
  "33": "FR",
  "34": "ES",
  "39": "IT",
  "44": "GB",
  "49": "DE",
  "51": "PE",
  "52": "MX",
  "54": "AR",
  "55": "BR",
  "56": "CL",
  "57": "CO",
  "60": "MY",
  "61": "AU",
  "62": "ID",
  "63": "PH",
  "65": "SG",
  "81": "JP",
  "82": "KR",
  "90": "TR",
  "91": "IN",
  "92": "PK",
  "212": "MA",
  "233": "GH",
  "234": "NG",
  "254": "KE",
  "351": "PT",
  "380": "UA",
  "880": "BD",
  "966": "SA",
  "971": "AE",
  "972": "IL",
};

/** The country of a number for its business-scoped user id; `ZZ` where the table has none. */
export function countryOf(digits: string): string {
  return COUNTRY_OF_PREFIX[digits.slice(0, 3)] ?? COUNTRY_OF_PREFIX[digits.slice(0, 2)] ??
    COUNTRY_OF_PREFIX[digits.slice(0, 1)] ?? "ZZ";
}
