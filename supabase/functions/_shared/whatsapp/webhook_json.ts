/** A JSON object of unknown content. */
export type JsonObject = { [member: string]: unknown };

/** Ids and field names are at most this long; longer ones are no ids, and no index takes them. */
const MAX_WORD_LENGTH = 256;

// Told from what was sent by being this very object.
const CUT = { too_deep: true };

/** Neither null nor a list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An id, timestamp or name as text: a non-empty short string or a number, else null. */
export function wordOf(value: unknown): string | null {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string" || value === "" || value.length > MAX_WORD_LENGTH) return null;
  return value;
}

/** Unix seconds, as text or number, in ISO 8601; null when it is no moment before the year 10000. */
export function momentOf(value: unknown): string | null {
  const seconds = Number(wordOf(value) ?? NaN);
  if (!(seconds >= 0 && seconds < 253_402_300_800)) return null;
  return new Date(seconds * 1000).toISOString();
}

/** A copy in which what lies deeper than this many levels is replaced by one and the same mark. */
export function cutDeeperThan(value: unknown, levels: number): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (levels === 0) return CUT;
  if (Array.isArray(value)) return value.map((item) => cutDeeperThan(item, levels - 1));
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([name, item]) => [name, cutDeeperThan(item, levels - 1)]));
}

/** Says whether something was cut off the value. */
export function isCut(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return value === CUT || Object.values(value).some(isCut);
}
