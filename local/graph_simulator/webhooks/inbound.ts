import { z } from "zod";
import type { BusinessNumber, BusinessNumbers } from "../graph/business_numbers.ts";
import type { ChatMessage, Chats } from "../phone/chats.ts";
import type { Customers } from "../phone/customers.ts";
import type { Delivery } from "./delivery.ts";
import type { Ids } from "../ids.ts";
import { completeContent } from "./inbound_content.ts";
import type { Limits } from "../graph/limits.ts";
import type { MediaStore } from "../graph/media.ts";
import { digitsOf, rewriteWaId } from "../phone_numbers.ts";
import type { Pricing } from "./pricing.ts";
import { signatureModes } from "./signature.ts";
import { contactOf } from "./status_item.ts";

/** What `POST /_control/inbound` takes; the content stands beside `type`, as in a webhook. */
export const inboundSchema = z.looseObject({
  from: z.string().refine((from) => digitsOf(from).length >= 6, "is no phone number"),
  phone_number_id: z.string().regex(/^\d+$/),
  type: z.string().min(1),
  id: z.string().optional(),
  /** Unix seconds; left out: now. */
  timestamp: z.number().int().optional(),
  /** `{message_id}` quotes a message; anything else goes into the webhook as it is. */
  context: z.looseObject({ message_id: z.string().optional() }).optional(),
  referral: z.looseObject({}).optional(),
  field: z.string().default("messages"),
  webhooks: z.strictObject({
    signature: z.enum(signatureModes).nullable().default(null),
    duplicates: z.number().int().min(0).max(100).nullable().default(null),
    duplicate_after_ms: z.number().int().nonnegative().default(0),
  }).prefault({}),
});
export type Inbound = z.output<typeof inboundSchema>;

/** Brings a customer's message to the business; answers its wamid. */
export type ReceiveFromCustomer = (inbound: Inbound) => string;

export interface InboundDeps {
  now: () => number;
  numbers: BusinessNumbers;
  customers: Customers;
  media: MediaStore;
  limits: Limits;
  pricing: Pricing;
  ids: Ids;
  chats: Chats;
  delivery: Delivery;
}

export function createInbound(deps: InboundDeps): ReceiveFromCustomer {
  const { numbers, customers, limits, pricing, chats, delivery } = deps;

  return (inbound) => {
    const number = numbers.resolve(inbound.phone_number_id);
    const waId = rewriteWaId(digitsOf(inbound.from));
    const id = inbound.id ?? deps.ids.wamid(waId, "from_customer");
    const content = completeContent(inbound.type, inbound[inbound.type], number, deps);
    const item = messageItem(deps, inbound, number, waId, id, content);

    limits.openWindow(number, waId);
    if (inbound.referral !== undefined) pricing.cameFromAd(number, waId);
    showOnPhone(deps, inbound, number, waId, id, content);
    const { signature, duplicates, duplicate_after_ms } = inbound.webhooks;
    delivery.publish(
      {
        kind: "number",
        accountId: number.businessAccountId,
        field: inbound.field,
        number,
        list: "messages",
        item,
        // A system message comes without contacts.
        contact: inbound.type === "system"
          ? null
          : contactOf(waId, customers.userId(number.portfolioId, waId), customers),
      },
      { signature, duplicates, duplicateAfterMs: duplicate_after_ms },
      (accepted) =>
        chats.change(waId, number.phoneNumberId, id, (message) => {
          if (message.tick === "read") return;
          message.tick = accepted ? "accepted" : "failed";
          message.error = accepted ? null : "The business did not answer 200. It will be retried.";
        }),
    );
    return id;
  };
}

function messageItem(
  { now, customers }: InboundDeps,
  inbound: Inbound,
  number: BusinessNumber,
  waId: string,
  id: string,
  content: Record<string, unknown>,
): Record<string, unknown> {
  const { context, referral, timestamp } = inbound;
  const quotes = context?.message_id;
  return {
    ...(quotes === undefined ? context && { context } : {
      context: { from: number.waId, id: quotes },
    }),
    ...(customers.look(waId).hidesPhone ? {} : { from: waId }),
    from_user_id: customers.userId(number.portfolioId, waId),
    id,
    timestamp: String(timestamp ?? Math.floor(now() / 1_000)),
    type: inbound.type,
    ...content,
    ...(referral && { referral }),
  };
}

/** A reaction is shown on the message that it is about; everything else is a message. */
function showOnPhone(
  { now, chats }: InboundDeps,
  inbound: Inbound,
  number: BusinessNumber,
  waId: string,
  id: string,
  content: Record<string, unknown>,
): void {
  if (inbound.type === "reaction") {
    const { message_id, emoji } = content.reaction as { message_id: string; emoji?: string };
    return chats.change(waId, number.phoneNumberId, String(message_id), (message) => {
      if (emoji) message.reactions.customer = emoji;
      else delete message.reactions.customer;
    });
  }
  const message: ChatMessage = {
    id,
    direction: "from_customer",
    at: now(),
    type: inbound.type,
    content: content[inbound.type],
    context_id: inbound.context?.message_id ?? null,
    tick: "pending",
    error: null,
    reactions: {},
    timeline: [],
  };
  chats.add(waId, number.phoneNumberId, message);
}
