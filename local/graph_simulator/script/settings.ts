import { z } from "zod";
import { signatureModes } from "../webhooks/signature.ts";

const milliseconds = z.number().int().nonnegative();
const DAY_MS = 86_400_000;

const statuses = z.strictObject({
  sent_after_ms: milliseconds.default(20),
  delivered_after_ms: milliseconds.default(60),
  read_after_delivery_ms: milliseconds.nullable().default(150),
});

const retry = z.strictObject({
  first_ms: milliseconds.default(1_000),
  factor: z.number().min(1).default(2),
  longest_ms: milliseconds.default(DAY_MS / 4),
  give_up_after_ms: milliseconds.default(7 * DAY_MS),
});

const webhooks = z.strictObject({
  version: z.string().regex(/^v\d+\.\d+$/).default("v25.0"),
  flush_ms: milliseconds.default(5),
  max_updates: z.number().int().min(1).max(1_000).default(1_000),
  max_bytes: z.number().int().min(1_000).default(3 * 1024 * 1024),
  concurrency: z.number().int().min(1).max(1_000).default(32),
  timeout_ms: milliseconds.default(10_000),
  signature: z.enum(signatureModes).default("valid"),
  duplicates: z.number().int().min(0).max(100).default(0),
  shuffle: z.boolean().default(false),
  retry: retry.prefault({}),
  also_subscribed: z.array(z.strictObject({ url: z.url(), app_secret: z.string() })).default([]),
});

const limits = z.strictObject({
  throughput_mps: z.number().positive().nullable().default(null),
  pair: z.boolean().default(false),
  daily_users: z.number().int().positive().nullable().default(null),
  daily_users_code: z.number().int().default(131048),
  rate_error_http: z.union([z.literal(400), z.literal(429)]).default(400),
  usage_percent: z.number().min(0).max(100).nullable().default(null),
});

const pricing = z.strictObject({
  free_service_messages: z.number().int().nonnegative().default(1_000),
  template_category: z.enum(["marketing", "utility", "authentication"]).default("utility"),
});

const recipients = z.strictObject({
  missing_plus: z.enum(["prepend_country_code", "tolerate"]).default("prepend_country_code"),
  rewrite_wa_id: z.boolean().default(true),
});

/** Every switch of the simulator with its default; `PATCH /_control/settings` takes any part. */
export const settingsSchema = z.strictObject({
  strict: z.boolean().default(false),
  fetch_media_links: z.boolean().default(false),
  service_window: z.enum(["ignored", "sync", "async"]).default("ignored"),
  statuses: statuses.prefault({}),
  webhooks: webhooks.prefault({}),
  limits: limits.prefault({}),
  pricing: pricing.prefault({}),
  recipients: recipients.prefault({}),
});
export type Settings = z.output<typeof settingsSchema>;

/** Holds the settings in force; `current` is replaced, never changed in place. */
export interface SettingsHolder {
  readonly current: Settings;
  patch(part: unknown): Settings;
  reset(): void;
}

/** Begins with the defaults; a patch that is not valid throws `z.ZodError` and changes nothing. */
export function createSettings(): SettingsHolder {
  let current = settingsSchema.parse({});
  return {
    get current() {
      return current;
    },
    patch(part) {
      return current = settingsSchema.parse(merge(current, part));
    },
    reset() {
      current = settingsSchema.parse({});
    },
  };
}

function merge(whole: unknown, part: unknown): unknown {
  if (!isRecord(whole) || !isRecord(part)) return part;
  const merged: Record<string, unknown> = { ...whole };
  for (const [key, value] of Object.entries(part)) merged[key] = merge(whole[key], value);
  return merged;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
