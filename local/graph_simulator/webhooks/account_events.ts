import { z } from "zod";
import type { BusinessNumber, BusinessNumbers } from "../graph/business_numbers.ts";
import type { Clock } from "../clock.ts";
import type { Delivery } from "./delivery.ts";
import { webhookError } from "../graph/error_bodies.ts";
import type { Ids } from "../ids.ts";
import type { Update } from "./webhook_body.ts";

type Value = Record<string, unknown>;

/** What `POST /_control/events` takes: a field of the webhook and what shall differ in its value. */
export const eventSchema = z.strictObject({
  field: z.string().min(1),
  phone_number_id: z.string().regex(/^\d+$/).default("100000000000001"),
  /** Left out: the account of the number. */
  business_account_id: z.string().optional(),
  value: z.record(z.string(), z.unknown()).default({}),
});
export type EventRequest = z.output<typeof eventSchema>;

interface Sample {
  /** Present where the event belongs to a number and has metadata. */
  list?: "errors" | "message_echoes" | "user_preferences";
  webhookField?: string;
  value(number: BusinessNumber, ids: Ids, seconds: number): Value;
}

const template = {
  message_template_id: 1111111111,
  message_template_name: "order_update",
  message_template_language: "en_US",
};

/** A plausible value for each field that is no message and no status. */
const samples: Readonly<Record<string, Sample>> = {
  message_template_status_update: {
    value: () => ({ event: "APPROVED", ...template, reason: null }),
  },
  message_template_quality_update: {
    value: () => ({ previous_quality_score: "GREEN", new_quality_score: "YELLOW", ...template }),
  },
  message_template_components_update: {
    value: () => ({ ...template, message_template_element: "Your order {{1}} is on its way." }),
  },
  template_category_update: {
    value: () => ({ ...template, previous_category: "UTILITY", new_category: "MARKETING" }),
  },
  phone_number_quality_update: {
    value: ({ waId }) => ({
      display_phone_number: waId,
      event: "THROUGHPUT_UPGRADE",
      max_daily_conversations_per_business: "TIER_UNLIMITED",
    }),
  },
  phone_number_name_update: {
    value: ({ waId, verifiedName }) => ({
      display_phone_number: waId,
      decision: "APPROVED",
      requested_verified_name: verifiedName,
      rejection_reason: null,
    }),
  },
  business_capability_update: {
    value: () => ({
      max_daily_conversations_per_business: "TIER_10K",
      max_phone_numbers_per_business: 20,
    }),
  },
  account_update: {
    value: () => ({
      event: "ACCOUNT_RESTRICTION",
      restriction_info: [{ restriction_type: "RESTRICTED_BIZ_INITIATED_MESSAGING" }],
    }),
  },
  account_review_update: { value: () => ({ decision: "APPROVED" }) },
  account_alerts: {
    value: ({ businessAccountId }) => ({
      entity_type: "WABA",
      entity_id: businessAccountId,
      alert_info: {
        alert_severity: "WARNING",
        alert_status: "ACTIVE",
        alert_type: "INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED",
        alert_description: "More messaging is not available yet.",
      },
    }),
  },
  security: {
    value: ({ waId }) => ({ display_phone_number: waId, event: "PIN_CHANGED", requester: "1" }),
  },
  messaging_handovers: {
    value: ({ phoneNumberId }) => ({ phone_number_id: phoneNumberId, control: "business_agent" }),
  },
  user_preferences: {
    list: "user_preferences",
    value: (_number, _ids, seconds) => ({
      wa_id: "15550200001",
      detail: "User requested to stop marketing messages",
      category: "marketing_messages",
      value: "stop",
      timestamp: seconds,
    }),
  },
  smb_message_echoes: { list: "message_echoes", value: echo },
  message_echoes: { list: "message_echoes", value: echo },
  errors: {
    list: "errors",
    webhookField: "messages",
    value: () => webhookError(130429),
  },
};

function echo({ waId }: BusinessNumber, ids: Ids, seconds: number): Value {
  return {
    from: waId,
    to: "15550200001",
    id: ids.wamid("15550200001", "from_business"),
    timestamp: String(seconds),
    type: "text",
    text: { body: "Written by our staff in the app" },
  };
}

/** Publishes an event; a field without a sample goes out with exactly the value given. */
export function createAccountEvents(
  deps: { clock: Clock; numbers: BusinessNumbers; delivery: Delivery; ids: Ids },
): (request: EventRequest) => void {
  return (request) => {
    const number = deps.numbers.resolve(request.phone_number_id);
    const seconds = Math.floor(deps.clock.now() / 1_000);
    const sample: Sample = samples[request.field] ?? { value: () => ({}) };
    const value = { ...sample.value(number, deps.ids, seconds), ...request.value };
    const accountId = request.business_account_id ?? number.businessAccountId;
    const field = sample.webhookField ?? request.field;
    const update: Update = sample.list === undefined
      ? { kind: "account", accountId, field, value, time: seconds }
      : { kind: "number", accountId, field, number, list: sample.list, item: value, contact: null };
    deps.delivery.publish(update);
  };
}

/** The fields that have a sample. */
export const sampledFields: readonly string[] = Object.keys(samples);
