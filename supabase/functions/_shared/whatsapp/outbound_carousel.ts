import * as z from "zod";
import { someText, text, webAddress } from "../fields.ts";
import { body, unique } from "./outbound_interactive_parts.ts";
import { LIMITS } from "./outbound_limits.ts";
import { plainMedia } from "./outbound_media.ts";

const card_index = z.int().min(0).max(LIMITS.carousel_cards.max - 1);

const quickReply = z.strictObject({
  type: z.literal("quick_reply"),
  quick_reply: z.strictObject({
    id: text(LIMITS.card_button_id.max),
    title: text(LIMITS.card_button_title.max),
  }),
});
const linkAction = z.strictObject({
  name: z.literal("cta_url"),
  parameters: z.strictObject({
    display_text: text(LIMITS.card_button_title.max),
    url: webAddress(),
  }),
});
const repliesAction = z.strictObject({ buttons: z.array(quickReply).min(1) });

// Meta's own examples call a card with quick replies cta_url too: the action tells them apart.
const mediaCard = z.strictObject({
  card_index,
  type: z.literal("cta_url"),
  header: z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("image"), image: plainMedia }),
    z.strictObject({ type: z.literal("video"), video: plainMedia }),
  ]),
  body: z.strictObject({
    text: text(LIMITS.card_body.max).refine(
      (value) => value.split("\n").length - 1 <= LIMITS.card_line_breaks.max,
      `has more than ${LIMITS.card_line_breaks.max} line breaks`,
    ),
  }).optional(),
  action: z.union([linkAction, repliesAction]),
});

const productCard = z.strictObject({
  card_index,
  type: z.literal("product"),
  action: z.strictObject({ catalog_id: someText(), product_retailer_id: someText() }),
});

const card = z.discriminatedUnion("type", [mediaCard, productCard]);
type Card = z.output<typeof card>;

/** What must be the same of every card: kind, header and buttons, or the catalog. */
function kindOf(one: Card): string {
  if (one.type === "product") return `product ${one.action.catalog_id}`;
  const pressed = "buttons" in one.action ? `${one.action.buttons.length} replies` : "link";
  return `${one.header.type} ${pressed}`;
}

export const carousel = z.strictObject({
  type: z.literal("carousel"),
  body,
  action: z.strictObject({
    cards: z.array(card)
      .min(LIMITS.carousel_cards.min).max(LIMITS.carousel_cards.max)
      .superRefine(unique((index) => [index, "card_index"], (one: Card) => one.card_index))
      .refine(
        (cards) => new Set(cards.map(kindOf)).size <= 1,
        "must all have the same kind of header and buttons, or the same catalog",
      ),
  }),
});
