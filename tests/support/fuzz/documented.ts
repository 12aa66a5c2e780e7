/**
 * What Meta documents of webhooks, one sample of each kind of item, to be broken by mutations.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview (2026-09)
 */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

const media = {
  id: "1003383421387256",
  mime_type: "image/jpeg",
  sha256: "SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GUI=",
  url: "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1003383421387256",
};
const unsupported = {
  code: 131051,
  title: "Message type unknown",
  message: "Message type unknown",
  error_data: { details: "Message type is currently not supported." },
};

/** The members that the type of an inbound message brings, by type. */
export const MESSAGE_CONTENTS: readonly JsonObject[] = [
  { type: "text", text: { body: "Does it come in another colour? 😀 ünï" } },
  { type: "image", image: { ...media, caption: "this one" } },
  { type: "video", video: { ...media, mime_type: "video/mp4" } },
  { type: "audio", audio: { ...media, mime_type: "audio/ogg; codecs=opus", voice: true } },
  { type: "document", document: { ...media, mime_type: "application/pdf", filename: "a.pdf" } },
  { type: "sticker", sticker: { ...media, mime_type: "image/webp", animated: false } },
  { type: "location", location: { latitude: 52.52, longitude: -13.405, name: "Here" } },
  {
    type: "contacts",
    contacts: [{
      name: { formatted_name: "Ann Lee", first_name: "Ann" },
      phones: [{ phone: "+1 555 020 0001", wa_id: "15550200001", type: "HOME" }],
    }],
  },
  {
    type: "interactive",
    context: { from: "15550783881", id: "wamid.ours" },
    interactive: { type: "button_reply", button_reply: { id: "yes", title: "Yes" } },
  },
  {
    type: "interactive",
    interactive: { type: "list_reply", list_reply: { id: "1", title: "One", description: "1st" } },
  },
  {
    type: "interactive",
    interactive: {
      type: "nfm_reply",
      nfm_reply: { name: "flow", body: "Sent", response_json: '{"flow_token":"t","n":1}' },
    },
  },
  { type: "button", button: { payload: "STOP", text: "Stop" } },
  { type: "reaction", reaction: { message_id: "wamid.ours", emoji: "👍" } },
  {
    type: "order",
    order: {
      catalog_id: "800683284849775",
      product_items: [{
        product_retailer_id: "x1",
        quantity: 2,
        item_price: 30.5,
        currency: "USD",
      }],
    },
  },
  {
    type: "system",
    system: { type: "user_changed_number", body: "changed", wa_id: "15550200009" },
  },
  { type: "edit", edit: { original_message_id: "wamid.old", message: { type: "text" } } },
  { type: "revoke", revoke: { original_message_id: "wamid.old" } },
  { type: "unsupported", unsupported: { type: "poll_creation" }, errors: [unsupported] },
  {
    type: "text",
    text: { body: "from an ad" },
    referral: { source_type: "ad", source_id: "1", source_url: "https://fb.me/x", ctwa_clid: "c" },
  },
];

const pricing = { billable: true, pricing_model: "PMP", type: "regular", category: "utility" };

/** What a status brings besides id, time and recipient. */
export const STATUS_CONTENTS: readonly JsonObject[] = [
  { status: "sent", pricing },
  {
    status: "delivered",
    pricing,
    biz_opaque_callback_data: "0198f2f4-7c6e-7d3a-9d0e-6a8f2f4c1b11",
  },
  { status: "read" },
  { status: "played" },
  { status: "failed", errors: [{ ...unsupported, code: 131049, title: "Not delivered" }] },
  { status: "delivered", recipient_type: "group", recipient_participant_id: "15550200003" },
  {
    status: "sent",
    conversation: { id: "c1", expiration_timestamp: "1749502783", origin: { type: "service" } },
  },
];

/** Fields whose value is one event. */
export const ACCOUNT_VALUES: readonly (readonly [field: string, value: JsonObject])[] = [
  ["account_update", { event: "ACCOUNT_RESTRICTION", restriction_info: [{ expiration: 1 }] }],
  ["account_review_update", { decision: "APPROVED" }],
  ["account_alerts", { entity_type: "WABA", alert_info: { alert_severity: "WARNING" } }],
  ["message_template_status_update", {
    event: "PAUSED",
    message_template_id: 1234567890123456,
    message_template_name: "order_update",
    message_template_language: "en_US",
    reason: null,
  }],
  ["message_template_quality_update", {
    previous_quality_score: "GREEN",
    new_quality_score: "RED",
    message_template_id: 1234567890123456,
  }],
  ["template_category_update", { previous_category: "UTILITY", new_category: "MARKETING" }],
  ["phone_number_quality_update", { event: "FLAGGED", current_limit: "TIER_1K" }],
  ["phone_number_name_update", { decision: "APPROVED", rejection_reason: null }],
  ["business_capability_update", { max_daily_conversation_per_phone: 1000 }],
  ["security", { event: "PIN_CHANGED", requester: "1" }],
  ["messaging_handovers", { control: "business_agent" }],
  ["history", { history: [{ metadata: { phase: 0, chunk_order: 1 }, threads: [] }] }],
  ["user_preferences", { user_preferences: [{ wa_id: "1", value: "stop" }] }],
];
