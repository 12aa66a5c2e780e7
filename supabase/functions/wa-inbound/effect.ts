import * as z from "zod";
import type { ClaimedEvent, EventEffect } from "../_shared/queue/inbound.ts";
import { readAccountEvent } from "./account_effect.ts";
import { typeInbound } from "../_shared/whatsapp/inbound_message.ts";
import { UUID } from "../_shared/uuid.ts";

// Meta sends seconds since the epoch as a string. Webhook components, 2026-03:
// https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
const unixSeconds = z.union([z.string(), z.number()])
  .transform((value) => Number(value) * 1000)
  .refine((ms) => ms >= 0 && ms < 253_402_300_800_000)
  .transform((ms) => new Date(ms).toISOString());
const id = z.string().min(1);

const statusPayload = z.object({
  status: z.looseObject({
    id,
    status: id,
    timestamp: unixSeconds,
    recipient_id: id.optional(),
    recipient_user_id: id.optional(),
    recipient_participant_id: id.optional(),
    biz_opaque_callback_data: z.string().optional(),
    pricing: z.unknown().optional(),
    conversation: z.unknown().optional(),
    errors: z.unknown().optional(),
  }),
});

const messagePayload = z.object({
  contact: z.looseObject({
    wa_id: id.optional(),
    user_id: id.optional(),
    profile: z.looseObject({ name: z.string().optional() }).optional(),
  }).nullish(),
  message: z.looseObject({
    id,
    timestamp: unixSeconds,
    type: id.default("unsupported"),
    from: id.optional(),
    from_user_id: id.optional(),
  }),
});

// What became of a customer's number or id. https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/system (2026-09)
const changedNumber = z.looseObject({ type: z.literal("user_changed_number"), wa_id: id });
const changedUserId = z.looseObject({
  type: z.literal("user_changed_user_id"),
  user_id: id,
  previous_user_id: id,
});

/** What an event does; one that cannot be understood is dead at once, trying again would not help. */
export function effectOf(event: ClaimedEvent): EventEffect {
  switch (event.kind) {
    case "status":
      return statusEffect(event.payload);
    case "message":
      return messageEffect(event.payload);
    default:
      return accountEffect(event);
  }
}

const accountPayload = z.object({ value: z.unknown() });

function accountEffect({ field, payload }: ClaimedEvent): EventEffect {
  const parsed = accountPayload.safeParse(payload);
  const updates = parsed.success ? readAccountEvent(field, parsed.data.value) : [];
  return updates.length === 0 ? { action: "keep" } : { action: "account", updates };
}

function statusEffect(payload: unknown): EventEffect {
  const parsed = statusPayload.safeParse(payload);
  if (!parsed.success) return { action: "dead", reason: "status_not_understood" };
  const { status } = parsed.data;
  const ours = status.biz_opaque_callback_data ?? "";
  return {
    action: "status",
    wamid: status.id,
    message_id: UUID.test(ours) ? ours : null,
    status: status.status,
    recipient: status.recipient_participant_id ?? status.recipient_id ??
      status.recipient_user_id ?? null,
    participant: status.recipient_participant_id ?? null,
    at: status.timestamp,
    pricing: status.pricing ?? null,
    free_entry_until: freeEntry.safeParse(status.conversation).data?.expiration_timestamp ?? null,
    errors: status.errors ?? null,
  };
}

// For 72 hours after the answer to who came from an ad or a page, all is free; from v24.0 on Meta tells
// of conversations only then, and of the end with `sent`. A price alone tells that a message was free, not
// since when: what is reckoned from it would promise up to three days too many.
// https://developers.facebook.com/docs/whatsapp/pricing (2026-09)
const freeEntry = z.looseObject({
  expiration_timestamp: unixSeconds,
  origin: z.looseObject({ type: z.literal("referral_conversion") }),
});

function messageEffect(payload: unknown): EventEffect {
  const parsed = messagePayload.safeParse(payload);
  if (!parsed.success) return { action: "dead", reason: "message_not_understood" };
  const { contact, message } = parsed.data;
  const { id: wamid, timestamp, type, from, from_user_id, ...content } = message;
  const { system } = content;
  const number = changedNumber.safeParse(system).data;
  const changedId = changedUserId.safeParse(system).data;
  const phone = from ?? contact?.wa_id;
  // Who changed the id is known here by the previous one.
  const userId = changedId?.previous_user_id ?? from_user_id ?? contact?.user_id;
  if (phone === undefined && userId === undefined) {
    return { action: "dead", reason: "message_without_customer" };
  }
  return {
    action: "message",
    wamid,
    phone: phone === undefined ? null : toE164(phone),
    user_id: userId ?? null,
    became_phone: number === undefined ? null : toE164(number.wa_id),
    became_user_id: changedId?.user_id ?? null,
    name: contact?.profile?.name ?? null,
    ...typeInbound(type, content),
    at: timestamp,
  };
}

function toE164(waId: string): string {
  return `+${waId.replace(/\D/g, "")}`;
}
