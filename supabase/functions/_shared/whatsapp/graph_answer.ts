/** The headers of an answer that decide anything; the rest is dropped. */
export const KEPT_HEADERS = [
  "retry-after",
  "x-app-usage",
  "x-business-use-case-usage",
  "x-fb-trace-id",
] as const;

export type GraphHeaders = { [name in (typeof KEPT_HEADERS)[number]]?: string };

/**
 * What came of one call to the Graph API. The difference between `not_sent` and `no_answer` is the
 * difference between sending again and sending twice: only the first is known to have had no effect.
 */
export type GraphAnswer =
  | { kind: "response"; status: number; body: string; headers: GraphHeaders }
  | { kind: "not_sent"; reason: NotSentReason; detail: string }
  | { kind: "no_answer"; reason: "timeout" | "reset" | "aborted"; detail: string };

/** Why not one byte of the request can have reached Meta. */
export type NotSentReason = "refused" | "dns" | "tls" | "connect" | "aborted" | "malformed_token";
