import type { BusinessNumber } from "../graph/business_numbers.ts";

/** A contact as it stands beside messages and statuses. */
export interface Contact {
  profile?: { name: string; username?: string };
  wa_id?: string;
  user_id?: string;
}

/** One item of `value.messages`, `value.statuses` or `value.errors` of a number. */
export interface NumberUpdate {
  kind: "number";
  accountId: string;
  field: string;
  number: Pick<BusinessNumber, "phoneNumberId" | "waId">;
  list: "messages" | "statuses" | "errors" | "message_echoes" | "user_preferences";
  item: Record<string, unknown>;
  contact: Contact | null;
}

/** One change of an account, whose value has no metadata. */
export interface AccountUpdate {
  kind: "account";
  accountId: string;
  field: string;
  value: Record<string, unknown>;
  /** Unix seconds of `entry[].time`. */
  time: number;
}
export type Update = NumberUpdate | AccountUpdate;

interface Change {
  field: string;
  value: Record<string, unknown>;
}
interface Entry {
  id: string;
  time?: number;
  changes: Change[];
}
export interface WebhookBody {
  object: "whatsapp_business_account";
  entry: Entry[];
}

/**
 * One webhook of many updates: an entry for each account, and in it a change for each number and
 * list, as Meta batches them.
 */
export function buildWebhook(updates: readonly Update[]): WebhookBody {
  const entries = new Map<string, Entry>();
  const changes = new Map<string, Change>();
  for (const update of updates) {
    let entry = entries.get(update.accountId);
    if (entry === undefined) {
      entries.set(update.accountId, entry = { id: update.accountId, changes: [] });
    }
    if (update.kind === "account") {
      entry.time = update.time;
      entry.changes.push({ field: update.field, value: update.value });
    } else {
      addToChange(entry, changes, update);
    }
  }
  return { object: "whatsapp_business_account", entry: [...entries.values()] };
}

function addToChange(entry: Entry, changes: Map<string, Change>, update: NumberUpdate): void {
  const key = [update.accountId, update.number.phoneNumberId, update.field, update.list].join(" ");
  let change = changes.get(key);
  if (change === undefined) {
    change = { field: update.field, value: emptyValue(update) };
    changes.set(key, change);
    entry.changes.push(change);
  }
  (change.value[update.list] as unknown[]).push(update.item);
  if (update.contact !== null) addContact(change.value, update.contact);
}

function emptyValue({ number, list, contact }: NumberUpdate): Record<string, unknown> {
  return {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: number.waId, phone_number_id: number.phoneNumberId },
    ...(contact === null ? {} : { contacts: [] }),
    [list]: [],
  };
}

/** Looking back over a few is enough: a contact may well stand in a batch twice. */
const LOOK_BACK = 8;

function addContact(value: Record<string, unknown>, contact: Contact): void {
  const contacts = (value.contacts ??= []) as Contact[];
  const known = contacts.slice(-LOOK_BACK).some((one) =>
    one.wa_id === contact.wa_id && one.user_id === contact.user_id
  );
  if (!known) contacts.push(contact);
}
