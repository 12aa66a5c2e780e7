import { MARK } from "./bodies.ts";

const MAX_LEVELS = 64;
const MAX_UNREADABLE_CHARACTERS = 65_536;
/** Fields whose value surrounds items; what names the sender and the people is kept with the items. */
const ITEM_FIELDS = ["messages", "standby", "message_echoes", "smb_message_echoes"];
const SURROUNDINGS = ["messaging_product", "metadata", "contacts"];

type Members = Record<string, unknown>;

/**
 * The marks that must be kept of a body, told from what Meta documents and not from how bodies are
 * split: all that stands where an item may stand, or in something that is no entry, change or value.
 * Cut by rule is what nests deeper than 64 levels, and text that is no JSON beyond 65,536 characters.
 */
export function expectedMarks(bytes: Uint8Array): string[] {
  const text = new TextDecoder().decode(bytes);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return text.slice(0, MAX_UNREADABLE_CHARACTERS).match(MARK) ?? [];
  }
  return marksOfBody(body);
}

function marksOfBody(body: unknown): string[] {
  const entries = isMembers(body) && body.object === "whatsapp_business_account"
    ? body.entry
    : null;
  if (!isFull(entries)) return marksIn(body, 0);
  return entries.flatMap((entry) => {
    if (!isMembers(entry) || !isFull(entry.changes)) return marksIn(entry, 2);
    return entry.changes.flatMap(marksOfChange);
  });
}

function marksOfChange(change: unknown): string[] {
  if (!isMembers(change) || !isMembers(change.value)) return marksIn(change, 4);
  if (!ITEM_FIELDS.includes(String(change.field))) return marksIn(change.value, 5);
  return Object.entries(change.value)
    .filter(([name]) => !SURROUNDINGS.includes(name))
    .flatMap(([, member]) => marksIn(member, 6));
}

function marksIn(value: unknown, level: number): string[] {
  if (typeof value === "string") return value.match(MARK) ?? [];
  if (typeof value !== "object" || value === null || level >= MAX_LEVELS) return [];
  return Object.entries(value).flatMap(([name, member]) => [
    ...name.match(MARK) ?? [],
    ...marksIn(member, level + 1),
  ]);
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isFull(value: unknown): value is unknown[] {
  return Array.isArray(value) && value.length > 0;
}
