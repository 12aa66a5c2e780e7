/**
 * What the webhooks of a business account may carry, as data.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview (2026-09)
 */

/** Fields whose value is a list of items, each an event of its own. */
export const ITEM_FIELDS: ReadonlySet<string> = new Set([
  "messages",
  // What arrives while Meta's own agent holds the thread (2026-08).
  "standby",
  // What staff typed in the phone app.
  "message_echoes",
  "smb_message_echoes",
]);

/** The lists of items in the value of such a field, and what one item of each is called. */
export const ITEM_LISTS = {
  messages: "message",
  statuses: "status",
  message_echoes: "echo",
  errors: "error",
} as const;

/** Fields whose value is one event; what they mean is decided where they are applied. */
export const ACCOUNT_FIELDS: ReadonlySet<string> = new Set([
  "account_alerts",
  "account_review_update",
  "account_settings_update",
  "account_update",
  "automatic_events",
  "business_capability_update",
  "business_status_update",
  "business_username_update",
  "calls",
  "consumer_profile",
  "flows",
  "group_lifecycle_update",
  "group_participants_update",
  "group_settings_update",
  "group_status_update",
  "history",
  "message_template_components_update",
  "message_template_quality_update",
  "message_template_status_update",
  "messaging_handovers",
  "partner_solutions",
  "payment_configuration_update",
  "phone_number_name_update",
  "phone_number_quality_update",
  "security",
  "smb_app_state_sync",
  "template_category_update",
  "template_correct_category_detection",
  "tracking_events",
  "user_id_update",
  "user_preferences",
]);

/** What Meta reports of a message that was sent. */
export const STATUSES: ReadonlySet<string> = new Set([
  "sent",
  "delivered",
  "read",
  "played",
  "failed",
]);

/** Message types that change an earlier message and carry its id or one of their own. */
export const REVISIONS: ReadonlySet<string> = new Set(["edit", "revoke"]);

/** The dashboard's test button signs its samples like the real thing, under these ids. */
export const DASHBOARD_TEST = { business_account_id: "0", phone_number_id: "123456123" };
