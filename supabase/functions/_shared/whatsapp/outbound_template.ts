import * as z from "zod";
import { freeForm, isStorableJson, NOT_STORABLE, someText, storableText, text } from "../fields.ts";
import { plainDocument, plainMedia } from "./outbound_media.ts";
import { location } from "./outbound_simple.ts";
import { LIMITS } from "./outbound_limits.ts";

// Named or by position.
const parameter_name = someText().optional();
const fill = (max: number) =>
  z.strictObject({ type: z.literal("text"), parameter_name, text: text(max) });
const currency = z.strictObject({
  type: z.literal("currency"),
  parameter_name,
  currency: z.strictObject({
    fallback_value: someText(),
    code: z.string().regex(/^[A-Z]{3}$/, "must be a currency code, such as EUR"),
    amount_1000: z.int(),
  }),
});
const dateTime = z.strictObject({
  type: z.literal("date_time"),
  parameter_name,
  // Meta shows the fallback alone and ignores what else its own examples carry.
  date_time: z.looseObject({ fallback_value: someText() }).refine(isStorableJson, NOT_STORABLE),
});

const headerParameter = z.discriminatedUnion("type", [
  fill(LIMITS.template_header.max),
  z.strictObject({ type: z.literal("image"), parameter_name, image: plainMedia }),
  z.strictObject({ type: z.literal("video"), parameter_name, video: plainMedia }),
  z.strictObject({ type: z.literal("document"), parameter_name, document: plainDocument }),
  z.strictObject({ type: z.literal("location"), parameter_name, location }),
  z.strictObject({
    type: z.literal("product"),
    product: z.strictObject({ product_retailer_id: someText(), catalog_id: someText() }),
  }),
]);
const bodyParameter = z.discriminatedUnion("type", [
  fill(LIMITS.template_body.max),
  currency,
  dateTime,
]);

const buttonParameter = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("payload"), payload: text(LIMITS.reply_id.max) }),
  fill(LIMITS.template_url.max),
  z.strictObject({ type: z.literal("coupon_code"), coupon_code: text(LIMITS.coupon_code.max) }),
  z.strictObject({ type: z.literal("action"), action: freeForm() }),
  z.strictObject({ type: z.literal("ttl_minutes"), ttl_minutes: z.int().positive() }),
]);

/** What a button of each kind may be filled with. */
const BUTTON_FILLINGS = {
  quick_reply: ["payload"],
  url: ["text"],
  copy_code: ["coupon_code"],
  flow: ["action"],
  catalog: ["action"],
  mpm: ["action"],
  order_details: ["action"],
  voice_call: ["ttl_minutes", "payload"],
  booking_confirmation: ["payload", "text", "action"],
  reminder: ["payload", "text", "action"],
} as const satisfies Record<string, readonly z.infer<typeof buttonParameter>["type"][]>;

const lastButton = LIMITS.template_buttons.max - 1;
// Both are seen in the field (whatsapp-api-js#175).
const buttonIndex = z.union([z.int().min(0).max(lastButton), z.string().regex(/^[0-9]$/)], {
  error: ({ input }) =>
    input === undefined ? "is required" : `must be a number from 0 to ${lastButton}`,
});

const header = z.strictObject({
  type: z.literal("header"),
  parameters: z.array(headerParameter).min(1).max(1),
});
const body = z.strictObject({
  type: z.literal("body"),
  parameters: z.array(bodyParameter).min(1).refine(
    (given) => new Set(given.map((one) => one.parameter_name === undefined)).size <= 1,
    "are named either all or none",
  ),
});
const button = z.strictObject({
  type: z.literal("button"),
  sub_type: z.enum(Object.keys(BUTTON_FILLINGS) as (keyof typeof BUTTON_FILLINGS)[]),
  index: buttonIndex,
  parameters: z.array(buttonParameter).min(1),
}).superRefine(({ sub_type, parameters }, context) => {
  const fillings: readonly string[] = BUTTON_FILLINGS[sub_type];
  parameters.forEach(({ type }, index) => {
    if (fillings.includes(type)) return;
    const message = `must be ${fillings.join(" or ")} for a button of kind ${sub_type}`;
    context.addIssue({ code: "custom", path: ["parameters", index, "type"], message });
  });
});
const limitedTimeOffer = z.strictObject({
  type: z.literal("limited_time_offer"),
  parameters: z.array(z.strictObject({
    type: z.literal("limited_time_offer"),
    limited_time_offer: z.strictObject({ expiration_time_ms: z.int().positive() }),
  })).length(1),
});

const card = z.strictObject({
  card_index: z.int().min(0).max(LIMITS.template_cards.max - 1),
  components: components(z.discriminatedUnion("type", [header, body, button])),
});
const carousel = z.strictObject({
  type: z.literal("carousel"),
  cards: z.array(card).min(LIMITS.template_cards.min).max(LIMITS.template_cards.max),
});

export const template = z.strictObject({
  name: text(LIMITS.template_name.max).regex(
    /^[a-z0-9_]*$/,
    "may have small letters, digits and underscores only",
  ),
  language: z.strictObject({
    code: z.string().regex(/^[a-z]{2,3}(_[A-Z0-9]{2,4})?$/, "must be a language, such as en_US"),
    policy: z.literal("deterministic").optional(),
  }),
  namespace: storableText().optional(),
  components: components(
    z.discriminatedUnion("type", [header, body, button, carousel, limitedTimeOffer]),
  ).optional(),
});

/** At most one header and one body, and no more buttons than a template can have. */
function components<T extends z.ZodType<{ type: string }>>(component: T) {
  return z.array(z.preprocess(inSmallLetters, component)).superRefine((given, context) => {
    const seen = { header: 0, body: 0, button: 0 };
    const most = { header: 1, body: 1, button: LIMITS.template_buttons.max };
    given.forEach(({ type }, index) => {
      if (type !== "header" && type !== "body" && type !== "button") return;
      seen[type] += 1;
      if (seen[type] <= most[type]) return;
      const message = `is more than the ${most[type]} allowed`;
      context.addIssue({ code: "custom", path: [index], message });
    });
  });
}

// Meta writes these words in capitals where templates are made and small where they are sent.
function inSmallLetters(component: unknown): unknown {
  if (typeof component !== "object" || component === null) return component;
  const words = Object.entries(component).filter(([name, value]) =>
    (name === "type" || name === "sub_type") && typeof value === "string"
  );
  return {
    ...component,
    ...Object.fromEntries(words.map(([name, value]) => [name, value.toLowerCase()])),
  };
}
