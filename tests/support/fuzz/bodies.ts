import type { Random } from "../../chaos/random.ts";
import {
  ACCOUNT_VALUES,
  type Json,
  type JsonObject,
  MESSAGE_CONTENTS,
  STATUS_CONTENTS,
} from "./documented.ts";

/** Whom webhooks are for: what `metadata` and the entry name. */
export interface Addressee {
  phoneNumberId: string;
  businessAccountId: string;
}

/** Makes valid webhooks; each of their items has a mark of its own, by which it is found again. */
export interface BodyMaker {
  make(): Json;
}

/** What a mark looks like in JSON text. */
export const MARK = /mark-\d+\./g;

/** The same seed makes the same bodies. */
export function createBodyMaker(random: Random, addressees: readonly Addressee[]): BodyMaker {
  let made = 0;
  const mark = () => `mark-${made++}.`;
  const oneOf = <T>(items: readonly T[]): T => items[random.between(0, items.length - 1)]!;
  // What is made is broken afterwards, the samples must not be.
  const copyOf = <T>(items: readonly T[]): T => structuredClone(oneOf(items));
  const listOf = <T>(most: number, make: () => T) =>
    Array.from({ length: random.between(0, most) }, make);

  function message(): JsonObject {
    const person = random.chance(0.1)
      ? { from_user_id: `US.${random.between(1, 50)}` }
      : { from: `1555020${1_000 + random.between(0, 200)}` };
    const own = { id: `wamid.in.${made}`, timestamp: String(1_749_416_383 + made), mark: mark() };
    return { ...person, ...own, ...copyOf(MESSAGE_CONTENTS) };
  }

  function status(): JsonObject {
    const own = { id: `wamid.out.${made}`, timestamp: String(1_749_416_383 + made), mark: mark() };
    return { ...own, recipient_id: `1555030${1_000 + (made % 9_000)}`, ...copyOf(STATUS_CONTENTS) };
  }

  function itemsChange(to: Addressee): JsonObject {
    const messages = listOf(2, message);
    const statuses = listOf(2, status);
    if (messages.length + statuses.length === 0) statuses.push(status());
    const contacts = messages.map(({ from, from_user_id }) => ({
      profile: { name: "Sheena Nelson" },
      ...(from === undefined ? { user_id: from_user_id! } : { wa_id: from }),
    }));
    const metadata = { display_phone_number: "15550783881", phone_number_id: to.phoneNumberId };
    const lists = {
      ...(messages.length && { contacts, messages }),
      ...(statuses.length && { statuses }),
    };
    return { field: "messages", value: { messaging_product: "whatsapp", metadata, ...lists } };
  }

  function accountChange(): JsonObject {
    const [field, value] = copyOf(ACCOUNT_VALUES);
    return { field, value: { ...value, mark: mark() } };
  }

  function entry(): JsonObject {
    const to = oneOf(addressees);
    const changes = Array.from(
      { length: random.between(1, 2) },
      () => random.chance(0.8) ? itemsChange(to) : accountChange(),
    );
    return { id: to.businessAccountId, time: 1_749_416_000 + made, changes };
  }

  return {
    make: () => ({
      object: "whatsapp_business_account",
      entry: Array.from({ length: random.chance(0.8) ? 1 : 2 }, entry),
    }),
  };
}
