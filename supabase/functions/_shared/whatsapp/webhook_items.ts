import { isObject, momentOf, wordOf } from "./webhook_json.ts";
import type { JsonObject } from "./webhook_json.ts";
import { ITEM_LISTS, REVISIONS, STATUSES } from "./webhook_fields.ts";
import type { Shared } from "./webhook_surroundings.ts";

type ItemName = (typeof ITEM_LISTS)[keyof typeof ITEM_LISTS];

/** What is known of an event before it has its key. */
export interface Draft {
  kind: "status" | "message" | "account" | "unknown";
  event_at: string | null;
  payload: JsonObject;
  /** Why it is quarantined. */
  reason?: string;
  /** What makes the item itself; absent: its whole content does. */
  identity?: readonly (string | null)[];
}

/** Where items lie: what they share with their neighbours. */
export interface Surroundings extends Shared {
  field: string;
  phone_number_id: string | null;
  event_at: string | null;
  time: unknown;
}

type ReadItem = (item: JsonObject, around: Surroundings) => Draft;

const READERS: Readonly<Record<ItemName, ReadItem>> = {
  message: readMessage,
  status: readStatus,
  echo: readEcho,
  error: readError,
};

/** An event that nobody understands, kept with all that came with it. */
export function unknownEvent(
  reason: string,
  payload: JsonObject,
  event_at: string | null = null,
): Draft {
  return { kind: "unknown", reason, payload, event_at };
}

/** One element of a list; never throws, what is incomplete becomes unknown. */
export function readItem(list: string, item: unknown, around: Surroundings): Draft {
  const name = nameOf(list);
  if (name === null) return unknownItem("unknown_list", { [list]: item }, around);
  if (isObject(item)) return READERS[name](item, around);
  return unknownItem(`${name}_not_an_object`, { [name]: item }, around);
}

function nameOf(list: string): ItemName | null {
  return Object.hasOwn(ITEM_LISTS, list) ? ITEM_LISTS[list as keyof typeof ITEM_LISTS] : null;
}

function readMessage(message: JsonObject, around: Surroundings): Draft {
  const id = wordOf(message.id);
  const contact = around.contactOf(message.from, message.from_user_id);
  const payload = { metadata: around.metadata, contact, message, ...around.others };
  if (id === null) return unknownItem("message_without_id", payload, around);
  if (around.phone_number_id === null) {
    return unknownItem("message_without_phone_number_id", payload, around);
  }
  return {
    kind: "message",
    event_at: momentOf(message.timestamp),
    payload,
    identity: ["message", around.field, around.phone_number_id, ...messageIdentity(id, message)],
  };
}

// A message may come first as unsupported and again with its content; revisions of one message
// share its id and differ in time.
function messageIdentity(id: string, message: JsonObject): (string | null)[] {
  const type = wordOf(message.type);
  const isRevision = type !== null && REVISIONS.has(type);
  return isRevision ? [id, type, wordOf(message.timestamp)] : [id, type];
}

function readStatus(status: JsonObject, around: Surroundings): Draft {
  const contact = around.contactOf(status.recipient_id, status.recipient_user_id);
  const payload = { metadata: around.metadata, contact, status, ...around.others };
  const id = wordOf(status.id);
  const name = wordOf(status.status);
  const timestamp = wordOf(status.timestamp);
  if (id === null || name === null || timestamp === null) {
    return unknownItem("status_incomplete", payload, around);
  }
  if (around.phone_number_id === null) {
    return unknownItem("status_without_phone_number_id", payload, around);
  }
  if (!STATUSES.has(name)) return unknownItem("unknown_status", payload, around);
  return {
    kind: "status",
    event_at: momentOf(timestamp),
    payload,
    identity: ["status", around.phone_number_id, id, name, timestamp, ...statusIdentity(status)],
  };
}

// A retried update keeps its timestamp. Price and cause belong to the identity because they decide
// money and fate: an update that brings them later is news. Wording, links and the conversation's
// expiry do not: Meta changes them between versions.
function statusIdentity(status: JsonObject): (string | null)[] {
  const { pricing, errors } = status;
  const price = isObject(pricing) ? [pricing.pricing_model, pricing.type, pricing.category] : [];
  const codes = Array.isArray(errors)
    ? errors.map((error) => isObject(error) ? wordOf(error.code) : null)
    : [];
  return [
    wordOf(status.recipient_participant_id),
    price.map(wordOf).join("/"),
    codes.join("/"),
  ];
}

function readEcho(echo: JsonObject, around: Surroundings): Draft {
  const id = wordOf(echo.id);
  const payload = { metadata: around.metadata, echo, ...around.others };
  if (id === null) return unknownItem("echo_without_id", payload, around);
  return {
    kind: "account",
    event_at: momentOf(echo.timestamp),
    payload,
    identity: ["echo", around.phone_number_id, ...messageIdentity(id, echo)],
  };
}

function readError(error: JsonObject, around: Surroundings): Draft {
  return {
    kind: "account",
    event_at: around.event_at,
    payload: { metadata: around.metadata, error, time: around.time },
  };
}

function unknownItem(reason: string, payload: JsonObject, around: Surroundings): Draft {
  const { metadata, time, event_at } = around;
  return unknownEvent(reason, { metadata, ...payload, time }, event_at);
}
