import { splitWebhook } from "./webhook_events.ts";
import type { WebhookEvent } from "./webhook_events.ts";
import { ITEM_LISTS } from "./webhook_fields.ts";
import type { JsonObject } from "./webhook_json.ts";

/** An event that was not understood when it came, as it was kept. */
export interface UnknownEvent {
  business_account_id: string | null;
  field: string;
  payload: JsonObject;
}

const LIST_OF_ITEM = new Map<string, string>(
  Object.entries(ITEM_LISTS).map(([list, item]) => [item, list]),
);

/**
 * What today's code makes of an event that was not understood: at least one event that is, or null
 * when it still is not.
 */
export function splitAgain(event: UnknownEvent): WebhookEvent[] | null {
  const text = textOf(event);
  if (text === null) return null;
  const events = splitWebhook(new TextEncoder().encode(text));
  return events.some(({ kind }) => kind !== "unknown") ? events : null;
}

// What was cut when it was stored cannot be put together again.
function textOf(event: UnknownEvent): string | null {
  const { payload } = event;
  if (typeof payload.text === "string") return payload.is_cut === true ? null : payload.text;
  return JSON.stringify(Object.hasOwn(payload, "body") ? payload.body : aroundEntry(event));
}

function aroundEntry(event: UnknownEvent): JsonObject {
  const { payload, business_account_id: id } = event;
  const entry = Object.hasOwn(payload, "entry")
    ? payload.entry
    : { id, time: payload.time, changes: [changeOf(event)] };
  return { object: "whatsapp_business_account", entry: [entry] };
}

function changeOf({ payload, field }: UnknownEvent): unknown {
  if (Object.hasOwn(payload, "change")) return payload.change;
  if (Object.hasOwn(payload, "value")) return { field, value: payload.value };
  const { metadata, contact, other_members, time: _time, ...items } = payload;
  const lists = Object.entries(items).map(([name, item]) => [
    LIST_OF_ITEM.get(name) ?? name,
    [item],
  ]);
  const contacts = contact === undefined || contact === null ? {} : { contacts: [contact] };
  const others = other_members as JsonObject | undefined;
  return { field, value: { ...others, metadata, ...contacts, ...Object.fromEntries(lists) } };
}
