import type { AcceptedMessage, Price } from "../graph/accepted_message.ts";
import type { Customers } from "../phone/customers.ts";
import { webhookError } from "../graph/error_bodies.ts";
import type { Ids } from "../ids.ts";
import type { StatusStep } from "../script/treatment.ts";
import type { Contact } from "./webhook_body.ts";

/** What a status tells besides the step itself. */
export interface StatusContext {
  at: number;
  price: Price | null;
  webhookVersion: string;
  /** In milliseconds since the epoch; null outside a free-entry-point window. */
  freeEntryUntil: number | null;
}

const DAY_MS = 86_400_000;

/** One item of `value.statuses`, in the shape of the app's webhook version. */
export function statusItem(
  message: AcceptedMessage,
  step: Pick<StatusStep, "status" | "code" | "details">,
  context: StatusContext,
  customers: Customers,
  ids: Ids,
): Record<string, unknown> {
  const hidden = message.waId === null || customers.look(message.waId).hidesPhone;
  return {
    id: message.wamid,
    status: step.status,
    timestamp: String(Math.floor(context.at / 1_000)),
    ...(hidden ? {} : { recipient_id: message.waId }),
    recipient_user_id: message.userId,
    ...conversationOf(message, step.status, context, ids),
    ...(context.price === null ? {} : { pricing: context.price }),
    ...(step.status === "failed"
      ? { errors: [webhookError(step.code ?? 131000, step.details)] }
      : {}),
    ...(message.opaqueCallback === undefined
      ? {}
      : { biz_opaque_callback_data: message.opaqueCallback }),
  };
}

/** From v24.0 on only a free-entry-point window still has a conversation. */
function conversationOf(
  message: AcceptedMessage,
  status: string,
  { at, webhookVersion, freeEntryUntil, price }: StatusContext,
  ids: Ids,
): Record<string, unknown> {
  const isOld = Number(webhookVersion.slice(1)) < 24;
  if (status === "failed" || (!isOld && freeEntryUntil === null)) return {};
  const isFree = freeEntryUntil !== null;
  const category = isFree ? "referral_conversion" : price?.category ?? message.category;
  return {
    conversation: {
      id: ids.conversationOf(message.wamid),
      ...(status === "sent"
        ? { expiration_timestamp: String(Math.floor((freeEntryUntil ?? at + DAY_MS) / 1_000)) }
        : {}),
      // The same word is written with a hyphen in `pricing`.
      origin: { type: category.replaceAll("-", "_") },
    },
  };
}

/** The contact beside a status; a failed one has none. */
export function statusContact(
  message: AcceptedMessage,
  status: string,
  customers: Customers,
): Contact | null {
  if (status === "failed") return null;
  return contactOf(message.waId, message.userId, customers);
}

/** How a customer stands in `value.contacts`: without phone where the person hides it. */
export function contactOf(waId: string | null, userId: string, customers: Customers): Contact {
  if (waId === null) return { user_id: userId };
  const { name, username, hidesPhone } = customers.look(waId);
  return {
    profile: username === null ? { name } : { name, username },
    ...(hidesPhone ? {} : { wa_id: waId }),
    user_id: userId,
  };
}
