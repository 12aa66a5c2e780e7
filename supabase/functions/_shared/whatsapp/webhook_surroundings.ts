import { ITEM_LISTS } from "./webhook_fields.ts";
import { isObject, wordOf } from "./webhook_json.ts";
import type { JsonObject } from "./webhook_json.ts";

/** What the items of one value share. */
export interface Shared {
  /** The lists of items, known or not, in the order of the body. */
  lists: [name: string, items: unknown[]][];
  metadata: JsonObject | null;
  /** Members that are neither known nor lists: an id that Meta adds later is not lost. */
  others: { other_members?: JsonObject };
  contactOf(...ids: unknown[]): JsonObject | null;
}

/** What is repeated in every event of a change may have this many characters. */
const MAX_SHARED_CHARACTERS = 4096;

/** Tells the items of a value from what surrounds them. */
export function readSurroundings(value: JsonObject): Shared {
  const { messaging_product: _product, metadata, contacts, ...members } = value;
  const lists: [string, unknown[]][] = [];
  const others: [string, unknown][] = [];
  for (const [name, member] of Object.entries(members)) {
    if (Array.isArray(member)) lists.push([name, member]);
    else if (isItem(name, member)) lists.push([name, [member]]);
    else others.push([name, member]);
  }
  const itemCount = lists.reduce((sum, [, items]) => sum + items.length, 0);
  return {
    lists,
    metadata: isObject(metadata)
      ? shareable(metadata, ["display_phone_number", "phone_number_id"])
      : null,
    // Not by assignment, which would do something else with the name __proto__.
    others: others.length === 0 ? {} : { other_members: Object.fromEntries(others) },
    contactOf: indexContacts(contacts, itemCount),
  };
}

// A lone object where a list belongs is a list of one; a member too large to be repeated with every
// item is an item itself.
function isItem(name: string, member: unknown): boolean {
  if (member === null) return false;
  return Object.hasOwn(ITEM_LISTS, name) || isLarge(member);
}

/**
 * Finds the contact entry of an item by phone number or user id. A lone contact beside a lone item
 * is its own even where the numbers differ, as in Brazil and Mexico.
 */
function indexContacts(
  contacts: unknown,
  itemCount: number,
): (...ids: unknown[]) => JsonObject | null {
  const entries = Array.isArray(contacts) ? contacts.filter(isObject) : [];
  const [first] = entries;
  if (first === undefined) return () => null;
  if (entries.length === 1 && itemCount === 1) return () => first;
  const byId = new Map<unknown, JsonObject>();
  for (const entry of entries) {
    const shared = shareable(entry, ["wa_id", "user_id"]);
    for (const id of [entry.wa_id, entry.user_id]) if (wordOf(id) !== null) byId.set(id, shared);
  }
  return (...ids) => ids.map((id) => byId.get(id)).find((entry) => entry !== undefined) ?? null;
}

// An object so large that repeating it in every event would multiply the body keeps only its names.
function shareable(object: JsonObject, names: readonly string[]): JsonObject {
  if (!isLarge(object)) return object;
  return Object.fromEntries(names.map((name) => [name, wordOf(object[name])]));
}

function isLarge(value: unknown): boolean {
  return JSON.stringify(value).length > MAX_SHARED_CHARACTERS;
}
