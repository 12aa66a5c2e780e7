import * as z from "zod";
import { someText, storableText, text, webAddress } from "../fields.ts";
import { LIMITS } from "./outbound_limits.ts";

export const textContent = z.strictObject({
  body: text(LIMITS.text_body.max),
  preview_url: z.boolean().optional(),
});

/** Another message, by the id that Meta gave it. */
export const wamid = someText();

/** An empty emoji takes the reaction back. */
export const reaction = z.strictObject({
  message_id: wamid,
  emoji: storableText().refine(isOneEmoji, "must be one emoji, or empty to take it back"),
});

/** Marks a message of the customer as read, and those before it; the indicator shows for 25 s at most. */
export const readReceipt = z.strictObject({
  message_id: wamid,
  typing_indicator: z.strictObject({ type: z.literal("text") }).optional(),
});

export const location = z.strictObject({
  latitude: coordinate(90),
  longitude: coordinate(180),
  name: storableText().optional(),
  address: storableText().optional(),
});

const NAME_PARTS = ["first_name", "middle_name", "last_name", "prefix", "suffix"] as const;
const optional = storableText().optional();
const name = z.strictObject({
  formatted_name: someText(),
  first_name: optional,
  middle_name: optional,
  last_name: optional,
  prefix: optional,
  suffix: optional,
}).refine((given) => NAME_PARTS.some((part) => given[part]), {
  error: `needs one of ${NAME_PARTS.join(", ")} beside formatted_name`,
});

const contact = z.strictObject({
  name,
  phones: z.array(z.strictObject({ phone: optional, type: optional, wa_id: optional })).optional(),
  emails: z.array(z.strictObject({ email: optional, type: optional })).optional(),
  urls: z.array(z.strictObject({ url: webAddress().optional(), type: optional })).optional(),
  addresses: z.array(z.strictObject({
    street: optional,
    city: optional,
    state: optional,
    zip: optional,
    country: optional,
    country_code: optional,
    type: optional,
  })).optional(),
  org: z.strictObject({ company: optional, department: optional, title: optional }).optional(),
  birthday: z.iso.date("must be a date, such as 1999-01-23").optional(),
});

export const contacts = z.array(contact).min(LIMITS.contacts.min).max(LIMITS.contacts.max);

// Meta's own examples write coordinates as numbers and as text.
function coordinate(max: number) {
  const range = `must be a number from -${max} to ${max}`;
  return z.union([z.number(), z.string()], {
    error: ({ input }) => (input === undefined ? "is required" : range),
  }).refine((value) => isDecimal(value) && Math.abs(Number(value)) <= max, range);
}

function isDecimal(value: number | string): boolean {
  return typeof value === "number" || /^-?\d+(\.\d+)?$/.test(value);
}

const EMOJI = /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3/u;

function isOneEmoji(value: string): boolean {
  if (value === "") return true;
  return EMOJI.test(value) && [...new Intl.Segmenter().segment(value)].length === 1;
}
