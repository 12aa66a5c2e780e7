import type { Intent } from "./menu_intent.ts";

/** Most tries that the machine grants a customer whom it does not understand. */
export const MAX_FALLBACKS = 3;

/** What the menu bot remembers of a conversation. */
export interface MenuContext {
  /** What the customer wanted last. */
  intent: Intent;
  repair: string | null;
  /** How often in a row it did not understand; at most MAX_FALLBACKS. */
  fallbacks: number;
  /** The customer has seen the menu. */
  knowsMenu: boolean;
  /** The customer's last message. */
  wamid: string | null;
}
