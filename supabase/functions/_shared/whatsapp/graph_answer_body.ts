import * as z from "zod";
import type { GraphHeaders } from "./graph_answer.ts";

const MAX_WAIT_MS = 3_600_000;

const optionalText = z.string().nullable().catch(null);
const optionalNumber = z.union([z.int(), z.string().regex(/^\d{1,15}$/).transform(Number)])
  .nullable().catch(null);

// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages (2026-09)
const acceptance = z.object({
  messages: z.tuple([
    z.object({ id: z.string().min(1).max(512), message_status: optionalText }),
  ]).rest(z.unknown()),
  contacts: z.tuple([z.object({ wa_id: optionalText, user_id: optionalText })]).rest(z.unknown())
    .nullable().catch(null),
}).transform(({ messages: [{ id, message_status }], contacts }) => {
  const { wa_id = null, user_id = null } = contacts?.[0] ?? {};
  return { wamid: id, wa_id, user_id, message_status };
});

const receipt = z.object({ success: z.literal(true) }).transform(() => ({
  wamid: null,
  wa_id: null,
  user_id: null,
  message_status: null,
}));

const refusal = z.object({
  error: z.object({
    code: optionalNumber,
    error_subcode: optionalNumber,
    message: optionalText,
    is_transient: z.boolean().catch(false),
    error_data: z.object({ details: optionalText }).nullable().catch(null),
    fbtrace_id: optionalText,
  }),
}).transform(({ error: { error_subcode, error_data, message, ...error } }) => ({
  ...error,
  subcode: error_subcode,
  details: error_data?.details ?? message,
}));

/** What Meta says of a message that it took; a read receipt has no id of its own. */
export type Acceptance = z.output<typeof acceptance> | z.output<typeof receipt>;
/** What Meta says of a message that it did not take; the code is null where it gives none. */
export type Refusal = z.output<typeof refusal>;

/** Null unless the body names the message that was taken or, of a read receipt, says that it was. */
export function readAcceptance(body: string, type: string): Acceptance | null {
  const schema = type === "read" ? receipt : acceptance;
  return schema.safeParse(parseJson(body)).data ?? null;
}

/** Null unless the body is an error of the Graph API. */
export function readRefusal(body: string): Refusal | null {
  return refusal.safeParse(parseJson(body)).data ?? null;
}

const businessUsage = z.record(
  z.string(),
  z.array(z.object({ estimated_time_to_regain_access: z.number().min(0).catch(0) })),
);

/**
 * How long Meta asks to wait, at most an hour: seconds in Retry-After, minutes in its own header.
 * https://developers.facebook.com/docs/graph-api/overview/rate-limiting (2026-09)
 */
export function askedWaitMs(headers: GraphHeaders): number {
  const seconds = Number(headers["retry-after"] ?? 0);
  const usage = businessUsage.safeParse(parseJson(headers["x-business-use-case-usage"] ?? ""));
  const minutes = Object.values(usage.data ?? {}).flat()
    .map((used) => used.estimated_time_to_regain_access);
  const waitMs = Math.max(seconds >= 0 ? seconds * 1_000 : 0, ...minutes.map((n) => n * 60_000));
  return Math.min(waitMs, MAX_WAIT_MS);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
