import { createHash } from "node:crypto";
import type { Bytes } from "../bytes.ts";
import { canonicalJson } from "../canonical_json.ts";
import { storableText } from "./storable_text.ts";
import { ACCOUNT_FIELDS, DASHBOARD_TEST, ITEM_FIELDS } from "./webhook_fields.ts";
import { readItem, unknownEvent } from "./webhook_items.ts";
import type { Draft } from "./webhook_items.ts";
import { cutDeeperThan, isCut, isObject, momentOf, wordOf } from "./webhook_json.ts";
import type { JsonObject } from "./webhook_json.ts";
import { readSurroundings } from "./webhook_surroundings.ts";
import { parseWebhookText } from "./webhook_text.ts";

/** One item of a webhook, with what is needed to understand it alone. */
export interface WebhookEvent {
  /** SHA-256 of what makes the item itself: the same however often and in whatever body it comes. */
  key: string;
  kind: "status" | "message" | "account" | "unknown";
  business_account_id: string | null;
  phone_number_id: string | null;
  /** Empty where the body names none. */
  field: string;
  event_at: string | null;
  payload: JsonObject;
  /** Why it is quarantined. */
  reason?: string;
}

type Origin = Pick<WebhookEvent, "business_account_id" | "phone_number_id" | "field">;
type Found = Draft & Origin;

const NOWHERE: Origin = { business_account_id: null, phone_number_id: null, field: "" };

/** Meta's own payloads stay under 15 levels; Postgres and V8 fail somewhere in the thousands. */
const MAX_LEVELS = 64;
const MAX_UNREADABLE_CHARACTERS = 65_536;

/**
 * Splits a signed body into its events, at least one and one for every item. Never throws: what is
 * not understood becomes an event of kind unknown that keeps it.
 */
export function splitWebhook(body: Bytes): WebhookEvent[] {
  const parsed = parseWebhookText(body);
  if (!parsed.ok) return [describeUnreadable(body, parsed.text)];
  if (parsed.nesting <= MAX_LEVELS) return seal(splitBody(parsed.value));
  return seal(splitBody(cutDeeperThan(parsed.value, MAX_LEVELS)).map(quarantineCut));
}

function splitBody(body: unknown): Found[] {
  if (!isObject(body)) return [{ ...NOWHERE, ...unknownEvent("body_not_an_object", { body }) }];
  if (body.object !== "whatsapp_business_account") {
    return [{ ...NOWHERE, ...unknownEvent("unknown_object", { body }) }];
  }
  if (!Array.isArray(body.entry) || body.entry.length === 0) {
    return [{ ...NOWHERE, ...unknownEvent("no_entries", { body }) }];
  }
  return body.entry.flatMap(splitEntry);
}

function splitEntry(entry: unknown): Found[] {
  if (!isObject(entry)) return [{ ...NOWHERE, ...unknownEvent("entry_not_an_object", { entry }) }];
  const origin = { ...NOWHERE, business_account_id: wordOf(entry.id) };
  if (!Array.isArray(entry.changes) || entry.changes.length === 0) {
    return [{ ...origin, ...unknownEvent("no_changes", { entry }, momentOf(entry.time)) }];
  }
  return entry.changes.flatMap((change) => splitChange(change, entry.time, origin));
}

function splitChange(change: unknown, time: unknown, origin: Origin): Found[] {
  const field = isObject(change) ? wordOf(change.field) : null;
  const unknown = (reason: string): Found[] => [
    { ...origin, field: field ?? "", ...unknownEvent(reason, { change, time }, momentOf(time)) },
  ];
  if (!isObject(change)) return unknown("change_not_an_object");
  if (field === null) return unknown("change_without_field");
  if (!isObject(change.value)) return unknown("value_not_an_object");
  const found = splitValue(field, change.value, time, origin) ?? unknown("unknown_field");
  return found.map(quarantineDashboardTest);
}

function splitValue(
  field: string,
  value: JsonObject,
  time: unknown,
  origin: Origin,
): Found[] | null {
  const { metadata } = value;
  const phone_number_id = isObject(metadata) ? wordOf(metadata.phone_number_id) : null;
  const place = { ...origin, field, phone_number_id };
  const event_at = momentOf(time);
  if (ACCOUNT_FIELDS.has(field)) {
    return [{ ...place, kind: "account", event_at, payload: { value, time } }];
  }
  if (!ITEM_FIELDS.has(field)) return null;
  const around = { ...place, event_at, time, ...readSurroundings(value) };
  const drafts = around.lists.flatMap(([list, items]) =>
    items.map((item) => readItem(list, item, around))
  );
  const found = drafts.length > 0 ? drafts : [unknownEvent("no_items", { value, time }, event_at)];
  return found.map((draft) => ({ ...place, ...draft }));
}

function quarantineDashboardTest(found: Found): Found {
  const isTest = found.business_account_id === DASHBOARD_TEST.business_account_id ||
    found.phone_number_id === DASHBOARD_TEST.phone_number_id;
  return isTest ? { ...found, kind: "unknown", reason: "dashboard_test" } : found;
}

// Without the identity of the item: what is cut must not pass for the whole item, should that come.
function quarantineCut(found: Found): Found {
  if (!isCut(found.payload)) return found;
  const { identity: _, ...rest } = found;
  return { ...rest, kind: "unknown", reason: "too_deep" };
}

function seal(found: readonly Found[]): WebhookEvent[] {
  const repeats = new Map<string, number>();
  return found.map(({ identity, ...event }) => {
    if (identity !== undefined) return { key: sha256(JSON.stringify(identity)), ...event };
    const { business_account_id, field, payload } = event;
    const key = sha256(canonicalJson([business_account_id, field, payload]));
    const repeat = repeats.get(key) ?? 0;
    repeats.set(key, repeat + 1);
    // Equal items without an id of their own, side by side in one body, are still several.
    return { key: repeat === 0 ? key : sha256(`${key}/${repeat}`), ...event };
  });
}

function describeUnreadable(body: Bytes, text: string): WebhookEvent {
  const payload = {
    text: storableText(text, MAX_UNREADABLE_CHARACTERS),
    bytes: body.byteLength,
    is_cut: text.length > MAX_UNREADABLE_CHARACTERS,
  };
  return { ...NOWHERE, ...unknownEvent("not_json", payload), key: sha256(body) };
}

// Ten times quicker here than Web Crypto, which goes through a thread for every digest.
function sha256(content: string | Bytes): string {
  return createHash("sha256").update(content).digest("hex");
}
