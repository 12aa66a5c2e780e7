import * as z from "zod";
import { instant, phraseIssue, text } from "../fields.ts";
import { interactive } from "./outbound_interactive.ts";
import { audio, document, image, sticker, video } from "./outbound_media.ts";
import {
  contacts,
  location,
  reaction,
  readReceipt,
  textContent,
  wamid,
} from "./outbound_simple.ts";
import { template } from "./outbound_template.ts";
import { recipient } from "./recipient.ts";

/** The database allows this much; it is ours, not Meta's. */
const MAX_CLIENT_REF_CHARACTERS = 200;

const envelope = {
  from: z.string().regex(
    /^\d{1,32}$/,
    "must be a sender's phone_number_id: Meta's digits for it, not its number",
  ),
  to: recipient,
  lane: z.enum(["urgent", "normal", "bulk"]).optional(),
  send_at: instant().optional(),
  expires_at: instant().optional(),
  client_ref: text(MAX_CLIENT_REF_CHARACTERS).optional(),
  on_unknown: z.enum(["resend", "dead_letter"]).optional(),
  // What examples of Meta's send API begin with; it says nothing here.
  messaging_product: z.literal("whatsapp").optional(),
  recipient_type: z.literal("individual").optional(),
  biz_opaque_callback_data: z.undefined({ error: "is set by Switchyard; use client_ref" })
    .optional(),
};
const context = { context: z.strictObject({ message_id: wamid }).optional() };
const noContext = (plural: string) => ({
  context: z.undefined({ error: `is not for ${plural}` }).optional(),
});

const message = z.discriminatedUnion("type", [
  z.strictObject({ ...envelope, ...context, type: z.literal("text"), text: textContent }),
  z.strictObject({ ...envelope, ...context, type: z.literal("template"), template }),
  z.strictObject({ ...envelope, ...context, type: z.literal("image"), image }),
  z.strictObject({ ...envelope, ...context, type: z.literal("audio"), audio }),
  z.strictObject({ ...envelope, ...context, type: z.literal("video"), video }),
  z.strictObject({ ...envelope, ...context, type: z.literal("document"), document }),
  z.strictObject({ ...envelope, ...context, type: z.literal("sticker"), sticker }),
  z.strictObject({ ...envelope, ...context, type: z.literal("location"), location }),
  z.strictObject({ ...envelope, ...context, type: z.literal("contacts"), contacts }),
  z.strictObject({
    ...envelope,
    ...noContext("reactions"),
    type: z.literal("reaction"),
    reaction,
  }),
  z.strictObject({ ...envelope, ...context, type: z.literal("interactive"), interactive }),
  // No message for Meta: `to` says whose turn it takes, so that it stands in line with the others.
  z.strictObject({
    ...envelope,
    ...noContext("read receipts"),
    type: z.literal("read"),
    read: readReceipt,
  }),
]);

/** A valid request to send one message, its recipient in E.164 or a business-scoped user id. */
export type MessageRequest = z.output<typeof message>;

export type ParsedMessage =
  | { ok: true; request: MessageRequest }
  | { ok: false; error: z.ZodError };

/** Checks a message against every rule that can be known before it is sent. */
export function parseMessage(value: unknown, now: number): ParsedMessage {
  const parsed = message.safeParse(value, { error: phraseIssue });
  if (!parsed.success) return { ok: false, error: parsed.error };
  const { messaging_product: _product, recipient_type: _type, ...request } = parsed.data;
  const fault = findTimeFault(request, now);
  if (fault === null) return { ok: true, request: request as MessageRequest };
  const issue = { code: "custom", path: ["expires_at"], message: fault, input: value } as const;
  return { ok: false, error: new z.ZodError([{ ...issue, path: [...issue.path] }]) };
}

function findTimeFault(
  { send_at, expires_at }: { send_at?: string | undefined; expires_at?: string | undefined },
  now: number,
): string | null {
  if (expires_at === undefined) return null;
  if (Date.parse(expires_at) <= now) return "is in the past";
  const isAfterSending = send_at === undefined || Date.parse(expires_at) > Date.parse(send_at);
  return isAfterSending ? null : "is not after send_at";
}

/** The object that the message's type names. */
export function contentOf(request: MessageRequest): unknown {
  return (request as Record<string, unknown>)[request.type];
}
