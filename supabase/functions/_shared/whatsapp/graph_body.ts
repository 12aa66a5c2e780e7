import { isUserId } from "./user_id.ts";

/** A message as it is stored: `content` is the object that Meta's body names after `type`. */
export interface StoredMessage {
  id: string;
  /**
   * E.164 with its plus, without which Meta prepends the business's own country code; or the
   * business-scoped user id of who hides the number.
   */
  to: string;
  type: string;
  content: unknown;
  /** `{message_id}` of the message that this one answers. */
  context?: unknown;
}

/**
 * The body of Meta's send call. Our id travels along as biz_opaque_callback_data: a status webhook
 * that brings it back settles the message even where the answer to the call was lost.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages (2026-09)
 */
export function toGraphBody(message: StoredMessage): Record<string, unknown> {
  if (message.type === "read") return toReceiptBody(message.content as object);
  const { id, to, type, content, context } = message;
  return {
    messaging_product: "whatsapp",
    recipient_type: "individual",
    // Meta swallows an id in `to` without a word.
    ...(isUserId(to) ? { recipient: to } : { to }),
    ...(context === undefined || context === null ? {} : { context }),
    type,
    [type]: content,
    biz_opaque_callback_data: id,
  };
}

// Names the message that was read and not its writer; no status ever follows, so no id travels along.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/typing-indicators (2026-09)
function toReceiptBody(receipt: object): Record<string, unknown> {
  return { messaging_product: "whatsapp", status: "read", ...receipt };
}
