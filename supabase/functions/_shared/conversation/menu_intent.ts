import type { ConversationEvent } from "./event.ts";

/** What a customer of the menu bot may want. */
export type Intent =
  | "menu"
  | "hours"
  | "booking"
  | "repair"
  | "person"
  | "goodbye"
  | "yes"
  | "no"
  | "unclear";

/** What can be booked: ids of the list's rows. They are in sent messages, so they stay what they are. */
export const REPAIRS = [
  { id: "repair:puncture", title: "Puncture", description: "About 20 minutes, 15 €" },
  { id: "repair:brakes", title: "Brakes", description: "Pads and adjustment, 35 €" },
  { id: "repair:full", title: "Full check", description: "Half a day, 90 €" },
] as const;

const BY_ID: Readonly<Record<string, Intent>> = {
  menu: "menu",
  hours: "hours",
  booking: "booking",
  person: "person",
  yes: "yes",
  no: "no",
  ...Object.fromEntries(REPAIRS.map(({ id }) => [id, "repair" as const])),
};

/** Tried in this order; whole words, in any case. */
const BY_WORDS: readonly [pattern: RegExp, intent: Intent][] = [
  [/\b(menu|start|help|back)\b/i, "menu"],
  [/\b(person|agent|human|somebody|someone)\b/i, "person"],
  [/\b(open|opening|hours|closed?|when)\b/i, "hours"],
  [/\b(puncture|flat|tyres?|tires?|brakes?|check)\b/i, "repair"],
  [/\b(book|booking|repair|fix|broken)\b/i, "booking"],
  [/\b(bye|goodbye|thanks|thank you)\b/i, "goodbye"],
  [/^\s*(yes|y|ok|okay|sure|yep)\b/i, "yes"],
  [/^\s*(no|n|nope|cancel)\b/i, "no"],
];

/** What the customer wants by this event. */
export function intentOf(event: ConversationEvent): Intent {
  switch (event.type) {
    case "customer.chose":
      return Object.hasOwn(BY_ID, event.id) ? BY_ID[event.id]! : "unclear";
    case "customer.wrote":
      return BY_WORDS.find(([pattern]) => pattern.test(event.text))?.[1] ?? "unclear";
    default:
      return "unclear";
  }
}

/** Which repair the event names, by its row or by a word; null where it names none. */
export function repairOf(event: ConversationEvent): string | null {
  if (event.type === "customer.chose") {
    return REPAIRS.find(({ id }) => id === event.id)?.id ?? null;
  }
  if (event.type !== "customer.wrote" || intentOf(event) !== "repair") return null;
  if (/brake/i.test(event.text)) return "repair:brakes";
  return /check/i.test(event.text) ? "repair:full" : "repair:puncture";
}
