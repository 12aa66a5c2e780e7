import * as z from "zod";
import { someText, text, webAddress } from "../fields.ts";
import { LIMITS } from "./outbound_limits.ts";

const source = { id: someText().optional(), link: webAddress().optional() };
const caption = text(LIMITS.media_caption.max).optional();

// Meta takes an uploaded file or an address, not both and not neither.
function fromOneSource<T extends z.ZodType<{ id?: string | undefined; link?: string | undefined }>>(
  schema: T,
): T {
  return schema.refine(
    ({ id, link }) => (id === undefined) !== (link === undefined),
    "needs either id or link",
  );
}

export const image = fromOneSource(z.strictObject({ ...source, caption }));
export const video = fromOneSource(z.strictObject({ ...source, caption }));
export const audio = fromOneSource(z.strictObject({ ...source, voice: z.boolean().optional() }));
export const sticker = fromOneSource(z.strictObject(source));
export const document = fromOneSource(
  z.strictObject({ ...source, caption, filename: someText().optional() }),
);

/** Media of a header or a card: the same source, without a caption. */
export const plainMedia = fromOneSource(z.strictObject(source));
export const plainDocument = fromOneSource(
  z.strictObject({ ...source, filename: someText().optional() }),
);
