import { countryOf } from "./phone_numbers.ts";

/** Makes ids that look like Meta's; as random as the chance that it is given. */
export interface Ids {
  wamid(waId: string, direction: "from_business" | "from_customer"): string;
  media(): string;
  trace(): string;
  /** One per message, as up to v23.0. */
  conversationOf(wamid: string): string;
}

const TRACE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

export function createIds(random: () => number): Ids {
  const hex36 = () => Math.floor(random() * 2 ** 36).toString(16).padStart(9, "0");
  const digits = (count: number) =>
    Math.floor(random() * 10 ** count).toString().padStart(count, "0");

  return {
    wamid(waId, direction) {
      const length = String.fromCharCode(waId.length);
      const kind = direction === "from_business" ? "\x11\x18\x12" : "\x12\x18\x12";
      const serial = (hex36() + hex36()).toUpperCase();
      return "wamid." + btoa(`\x1c\x18${length}${waId}\x15\x02\x00${kind}${serial}\x00`);
    },
    media: () => "9" + digits(15),
    trace() {
      let trace = "A";
      for (let index = 0; index < 22; index++) {
        trace += TRACE_ALPHABET[Math.floor(random() * TRACE_ALPHABET.length)];
      }
      return trace;
    },
    conversationOf: (wamid) =>
      [1, 2, 3, 4].map((seed) => fnv1a(wamid, seed).toString(16).padStart(8, "0")).join(""),
  };
}

/**
 * The business-scoped user id: the same person has the same one at all numbers of a portfolio and
 * another one at every other portfolio.
 */
export function userIdOf(portfolioId: string, waId: string): string {
  const text = `${portfolioId}/${waId}`;
  const high = fnv1a(text, 0x811c9dc5);
  const low = fnv1a(text, 0x01234567);
  return `${countryOf(waId)}.${high.toString().padStart(10, "1")}${
    low.toString().padStart(10, "2")
  }`;
}

/** The customer's phone, which a wamid carries in its middle; null where it is none of ours. */
export function waIdOfWamid(wamid: string): string | null {
  try {
    const packed = atob(wamid.replace(/^wamid\./, ""));
    const waId = packed.slice(3, 3 + packed.charCodeAt(2));
    return /^\d{7,15}$/.test(waId) ? waId : null;
  } catch {
    // Not base64: an id that somebody else made.
    return null;
  }
}

function fnv1a(text: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
