import * as z from "zod";
import type { AccountUpdate } from "../_shared/queue/inbound.ts";
import { ACCOUNT_EVENTS, ALERTS, NUMBER_EVENTS, TEMPLATE_STATUSES } from "./account_events.ts";
import type { Attention } from "./account_events.ts";

type Value = Record<string, unknown>;

const word = z.string().min(1);
const metaId = z.union([word, z.number().transform(String)]);
const limitName = z.union([word, z.number().transform(String)]);

const template = z.looseObject({
  message_template_id: metaId.optional(),
  message_template_name: word,
  message_template_language: word,
  message_template_category: word.optional(),
});
const templateStatus = template.extend({
  event: word,
  reason: word.nullish(),
  other_info: z.looseObject({ title: word.optional() }).nullish(),
});
const templateQuality = template.extend({ new_quality_score: word });
// While a change is announced, new_category is the present one.
const templateCategory = template.extend({ new_category: word });

const numberQuality = z.looseObject({
  display_phone_number: word,
  event: word.optional(),
  max_daily_conversations_per_business: limitName.optional(),
  current_limit: limitName.optional(),
});
const numberName = z.looseObject({
  display_phone_number: word,
  decision: word,
  requested_verified_name: word.optional(),
  rejection_reason: word.nullish(),
});
const capability = z.looseObject({
  max_daily_conversations_per_business: limitName.optional(),
  max_daily_conversation_per_phone: limitName.optional(),
});
const accountUpdate = z.looseObject({
  event: word,
  restriction_info: z.array(z.looseObject({
    restriction_type: word,
    expiration: z.coerce.number().min(0).max(253_402_300_799).nullish().catch(null),
  })).optional(),
  ban_info: z.looseObject({ waba_ban_state: z.union([word, z.array(word)]) }).optional(),
});
const alert = z.looseObject({
  alert_info: z.looseObject({ alert_severity: word, alert_type: word.optional() }),
});
const review = z.looseObject({ decision: word });
const preferences = z.looseObject({
  user_preferences: z.array(z.looseObject({
    wa_id: word.optional(),
    user_id: word.optional(),
    category: word,
    value: z.enum(["stop", "resume"]),
  })),
});

/** What each field of an account says; a field that is not here is kept and does nothing. */
const READERS: ReadonlyMap<string, (value: Value) => AccountUpdate[]> = new Map(Object.entries({
  message_template_status_update: read(templateStatus, readTemplateStatus),
  message_template_quality_update: read(templateQuality, (value) => [
    { kind: "template", ...nameOf(value), quality: value.new_quality_score },
  ]),
  template_category_update: read(templateCategory, (value) => [
    { kind: "template", ...nameOf(value), category: value.new_category },
  ]),
  phone_number_quality_update: read(numberQuality, readNumberQuality),
  phone_number_name_update: read(numberName, (value) => [{
    kind: "number",
    number: digits(value.display_phone_number),
    name: { decision: value.decision, requested: value.requested_verified_name ?? null },
  }]),
  business_capability_update: read(capability, (value) => {
    const limit = value.max_daily_conversations_per_business ??
      value.max_daily_conversation_per_phone;
    return limit === undefined ? [] : [{ kind: "number", number: null, messaging_limit: limit }];
  }),
  account_update: read(accountUpdate, readAccountUpdate),
  account_review_update: read(
    review,
    ({ decision }) =>
      decision === "REJECTED" ? [raise("review", { cause: "account_review_rejected" })] : [],
  ),
  account_alerts: read(
    alert,
    ({ alert_info: info }) =>
      ALERTS.has(info.alert_severity)
        ? [raise(`alert:${info.alert_type ?? ""}`, {
          cause: "account_alert",
          detail: { type: info.alert_type ?? null },
        })]
        : [],
  ),
  user_preferences: read(preferences, (value) =>
    value.user_preferences
      .filter(({ category }) => category === "marketing_messages")
      .map((one) => ({
        kind: "preference" as const,
        phone: one.wa_id === undefined ? null : `+${digits(one.wa_id)}`,
        user_id: one.user_id ?? null,
        stopped: one.value === "stop",
      }))),
}));

/** What an event of the account changes here; nothing where it is news for people alone. */
export function readAccountEvent(field: string, value: unknown): AccountUpdate[] {
  const reader = READERS.get(field);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return reader === undefined || !isObject ? [] : reader(value as Value);
}

// What is not as documented changes nothing: the event is kept, and Meta's answers still decide.
function read<T>(schema: z.ZodType<T>, updatesOf: (value: T) => AccountUpdate[]) {
  return (value: Value): AccountUpdate[] => {
    const parsed = schema.safeParse(value);
    return parsed.success ? updatesOf(parsed.data) : [];
  };
}

function nameOf(value: z.output<typeof template>) {
  return {
    template_id: value.message_template_id ?? null,
    name: value.message_template_name,
    // Meta writes en-US here and en_US there.
    language: value.message_template_language.replace("-", "_"),
  };
}

function readTemplateStatus(value: z.output<typeof templateStatus>): AccountUpdate[] {
  const title = value.other_info?.title;
  const name = title === "UNPAUSE" ? "APPROVED" : value.event;
  const meaning = TEMPLATE_STATUSES.get(name);
  const category = value.message_template_category;
  return [{
    kind: "template",
    ...nameOf(value),
    ...(category === undefined ? {} : { category }),
    status: {
      name,
      reason: title ?? value.reason ?? null,
      effect: meaning?.effect ?? "none",
      pause_hours: meaning?.pauseHours?.(title) ?? null,
    },
  }];
}

function readNumberQuality(value: z.output<typeof numberQuality>): AccountUpdate[] {
  const number = digits(value.display_phone_number);
  const limit = value.max_daily_conversations_per_business ?? value.current_limit;
  const meaning = NUMBER_EVENTS.get(value.event ?? "");
  return [
    {
      kind: "number",
      number,
      ...(limit === undefined ? {} : { messaging_limit: limit }),
      ...(meaning?.throughputPerSecond === undefined
        ? {}
        : { throughput_per_second: meaning.throughputPerSecond }),
    },
    ...(meaning?.attention === undefined ? [] : [raise("quality", meaning.attention, number)]),
    ...(meaning?.ends === undefined ? [] : [end("quality", meaning.ends, number)]),
  ];
}

function readAccountUpdate(value: z.output<typeof accountUpdate>): AccountUpdate[] {
  const states = [value.ban_info?.waba_ban_state ?? []].flat();
  const restrictions = value.restriction_info ?? [];
  return [
    ...[value.event, ...states].flatMap((name) => follow(name, null)),
    ...restrictions.flatMap(({ restriction_type, expiration }) =>
      follow(restriction_type, expiration ?? null)
    ),
  ];
}

function follow(name: string, expiration: number | null): AccountUpdate[] {
  const meaning = ACCOUNT_EVENTS.get(name);
  if (meaning === undefined) return [];
  const until = expiration === null ? null : new Date(expiration * 1000).toISOString();
  return [
    ...(meaning.attention === undefined
      ? []
      : [{ ...raise(meaning.subject, meaning.attention), until }]),
    ...(meaning.ends === undefined ? [] : [end(meaning.subject, meaning.ends)]),
  ];
}

function raise(subject: string, attention: Attention, number: string | null = null) {
  const { cause, stops = "nothing", detail = {} } = attention;
  return { kind: "attention" as const, subject, number, cause, stops, detail, until: null };
}

function end(subject: string, causes: readonly string[], number: string | null = null) {
  return { kind: "attention_over" as const, subject, number, causes };
}

function digits(text: string): string {
  return text.replace(/\D/g, "");
}
