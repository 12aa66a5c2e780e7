import * as z from "zod";
import type { JsonObject } from "./webhook_json.ts";

/**
 * What customers write, type by type, as Meta documents it. Members that Meta adds later pass through.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages (2026-09)
 */

const word = z.string().min(1);
const anyText = z.string();
const errors = z.array(z.looseObject({ code: z.number() }));

const file = z.looseObject({
  // Absent where Meta could not take the file over; errors say why.
  id: word.optional(),
  mime_type: anyText.optional(),
  sha256: anyText.optional(),
  caption: anyText.optional(),
}).transform(withoutAddress);

const answer = z.looseObject({ id: word, title: anyText });
const flowReply = z.looseObject({
  name: anyText.optional(),
  body: anyText.optional(),
  response_json: anyText,
}).transform((reply) => ({ ...reply, response: parseObject(reply.response_json) }));

const interactive = z.union([
  z.looseObject({ type: z.literal("button_reply"), button_reply: answer }),
  z.looseObject({ type: z.literal("list_reply"), list_reply: answer }),
  z.looseObject({ type: z.literal("nfm_reply"), nfm_reply: flowReply }),
  z.looseObject({ type: word }).refine(({ type }) => !/^(button|list|nfm)_reply$/.test(type)),
]);

// Meta gives prices as numbers, and as text in older versions.
const amount = z.union([z.number(), z.string().regex(/^\d+(\.\d+)?$/).transform(Number)]);
const orderedItem = z.looseObject({
  product_retailer_id: word,
  quantity: amount,
  item_price: amount,
  currency: anyText,
});

const revised = z.looseObject({ type: word }).transform(({ type, ...content }) => {
  const typed = typeInbound(type, content);
  return { type: typed.type, ...typed.content };
});

const SCHEMAS: ReadonlyMap<string, z.ZodType<unknown>> = new Map(Object.entries({
  text: z.looseObject({ body: anyText }),
  image: file,
  video: file,
  audio: file,
  document: file,
  sticker: file,
  location: z.looseObject({ latitude: z.number(), longitude: z.number() }),
  contacts: z.array(z.looseObject({})),
  interactive,
  button: z.looseObject({ text: anyText, payload: anyText.optional() }),
  reaction: z.looseObject({ message_id: word, emoji: anyText.nullish() })
    // No emoji takes the reaction back.
    .transform((reaction) => ({ ...reaction, emoji: reaction.emoji || null })),
  order: z.looseObject({ product_items: z.array(orderedItem) }),
  system: z.looseObject({ type: anyText.optional() }),
  edit: z.looseObject({ original_message_id: word, message: revised }),
  revoke: z.looseObject({ original_message_id: word }),
  unsupported: z.looseObject({ type: anyText.optional() }).prefault({}),
}));

/** The types whose content is known; any other passes through as Meta sent it. */
export const INBOUND_TYPES: readonly string[] = [...SCHEMAS.keys()];

/** A message's type, and its content: the member named by the type beside context and others. */
export interface TypedInbound {
  type: string;
  content: JsonObject;
}

/**
 * The content of a customer's message as the API tells it. Never throws: what is not as documented
 * becomes `unsupported` and keeps what came under `malformed`.
 */
export function typeInbound(type: string, content: JsonObject): TypedInbound {
  const schema = SCHEMAS.get(type);
  if (schema === undefined) return { type, content };
  const parsed = schema.safeParse(content[type]);
  const isTyped = parsed.success && errors.optional().safeParse(content.errors).success;
  if (isTyped) return { type, content: { ...content, [type]: parsed.data } };
  return { type: "unsupported", content: { unsupported: { type }, malformed: content } };
}

// The address is good for minutes and for who holds the token: nobody who reads this later.
function withoutAddress({ url: _url, ...rest }: JsonObject): JsonObject {
  return rest;
}

function parseObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value as JsonObject : null;
  } catch {
    return null;
  }
}
