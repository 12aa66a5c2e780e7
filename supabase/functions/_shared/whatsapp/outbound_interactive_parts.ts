import * as z from "zod";
import { text } from "../fields.ts";
import { plainDocument, plainMedia } from "./outbound_media.ts";
import { LIMITS } from "./outbound_limits.ts";

export const textHeader = z.strictObject({
  type: z.literal("text"),
  text: text(LIMITS.header_text.max),
});

export const header = z.discriminatedUnion("type", [
  textHeader,
  z.strictObject({ type: z.literal("image"), image: plainMedia }),
  z.strictObject({ type: z.literal("video"), video: plainMedia }),
  z.strictObject({ type: z.literal("document"), document: plainDocument }),
]);

export const body = z.strictObject({ text: text(LIMITS.interactive_body.max) });
export const footer = z.strictObject({ text: text(LIMITS.footer_text.max) });

/** Points at each item whose name was given to an earlier one already. */
export function unique<T>(
  pathOf: (index: number) => (string | number)[],
  nameOf: (item: T) => string | number,
) {
  return (items: T[], context: z.core.$RefinementCtx) => {
    const seen = new Set<string | number>();
    items.forEach((item, index) => {
      const name = nameOf(item);
      if (seen.has(name)) {
        context.addIssue({ code: "custom", path: pathOf(index), message: "is used twice" });
      }
      seen.add(name);
    });
  };
}

/** Points at each section without a title where there are several. */
export function titledIfMany(
  sections: { title?: string | undefined }[],
  context: z.core.$RefinementCtx,
): void {
  if (sections.length < 2) return;
  sections.forEach(({ title }, index) => {
    if (title !== undefined) return;
    const message = "is required where there are several sections";
    context.addIssue({ code: "custom", path: [index, "title"], message });
  });
}
