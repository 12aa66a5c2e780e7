import { describeError } from "./error_table.ts";

/** Why the Graph API refuses a call; what is left out comes from the table of codes. */
export interface Refusal {
  code: number;
  details?: string | undefined;
  subcode?: number | undefined;
  http?: number | undefined;
  isTransient?: boolean | undefined;
}

/** Where `href` of an asynchronous error points; its slashes are escaped on the wire. */
const ERRORS_HREF =
  "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes";

const TOKEN_CODES = new Set([0, 102, 104, 190]);

/** The HTTP status that a refusal is answered with. */
export function httpStatus(refusal: Refusal): number {
  return refusal.http ?? describeError(refusal.code).http;
}

/**
 * The synchronous error body of the Graph API. Errors of the token are those of every Graph call:
 * no `(#code)` before the message and no `error_data`.
 */
export function errorBody(refusal: Refusal, traceId: string): { error: Record<string, unknown> } {
  const known = describeError(refusal.code);
  const details = refusal.details ?? known.details;
  const error: Record<string, unknown> = TOKEN_CODES.has(refusal.code)
    ? { message: refusal.details ?? known.title, type: "OAuthException", code: refusal.code }
    : {
      message: `(#${refusal.code}) ${known.title}`,
      type: "OAuthException",
      code: refusal.code,
      error_data: { messaging_product: "whatsapp", details },
    };
  if (refusal.subcode !== undefined) error.error_subcode = refusal.subcode;
  if (refusal.isTransient !== undefined) error.is_transient = refusal.isTransient;
  return { error: { ...error, fbtrace_id: traceId } };
}

/** The same failure as it stands in `errors[]` of a webhook. */
export function webhookError(code: number, details?: string): Record<string, unknown> {
  const known = describeError(code);
  return {
    code,
    title: known.title,
    message: known.title,
    error_data: { details: details ?? known.details },
    href: ERRORS_HREF,
  };
}
