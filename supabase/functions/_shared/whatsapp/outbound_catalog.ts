import * as z from "zod";
import { someText, text } from "../fields.ts";
import { body, footer, textHeader, titledIfMany } from "./outbound_interactive_parts.ts";
import { LIMITS } from "./outbound_limits.ts";

/** One product; the picture is the header, so that there is no other. */
export const product = z.strictObject({
  type: z.literal("product"),
  body: body.optional(),
  footer: footer.optional(),
  action: z.strictObject({ catalog_id: someText(), product_retailer_id: someText() }),
});

const section = z.strictObject({
  title: text(LIMITS.section_title.max).optional(),
  product_items: z.array(z.strictObject({ product_retailer_id: someText() })).min(1),
});
const sections = z.array(section)
  .min(LIMITS.product_sections.min).max(LIMITS.product_sections.max)
  .superRefine(titledIfMany)
  .refine(
    (given) => given.flatMap(({ product_items }) => product_items).length <= LIMITS.products.max,
    `have more than ${LIMITS.products.max} products together`,
  );

export const productList = z.strictObject({
  type: z.literal("product_list"),
  header: textHeader,
  body,
  footer: footer.optional(),
  action: z.strictObject({ catalog_id: someText(), sections }),
});

export const catalogMessage = z.strictObject({
  type: z.literal("catalog_message"),
  body,
  footer: footer.optional(),
  action: z.strictObject({
    name: z.literal("catalog_message"),
    parameters: z.strictObject({ thumbnail_product_retailer_id: someText().optional() }).optional(),
  }),
});
