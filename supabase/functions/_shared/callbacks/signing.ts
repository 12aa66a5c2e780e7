import { Webhook } from "standardwebhooks";

/** What a tenant is told, before it is signed. */
export interface CallbackEvent {
  id: string;
  type: string;
  /** ISO 8601. */
  at: string;
  payload: unknown;
}

export const SECRET_PREFIX = "whsec_";

/** The body of a callback: the same bytes at every try. */
export function bodyOf({ type, at, payload }: CallbackEvent): string {
  return JSON.stringify({ type, timestamp: new Date(at).toISOString(), data: payload });
}

/**
 * The headers of Standard Webhooks, signed with each of the secrets: a receiver that knows one of them
 * accepts. The id is the same at every try, the timestamp is that of the try.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (2026-11)
 */
export function signedHeaders(
  { id, body, secrets, nowMs }: {
    id: string;
    body: string;
    secrets: readonly string[];
    nowMs: number;
  },
): Record<string, string> {
  const at = new Date(nowMs);
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(nowMs / 1_000)),
    "webhook-signature": secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(" "),
  };
}
