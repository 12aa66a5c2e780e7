import type { GraphAnswer, NotSentReason } from "./graph_answer.ts";

const MAX_DETAIL_LENGTH = 500;

// hyper, beneath Deno's fetch, says Connect of everything before a connection stands. Deno until
// 2.8 puts it into the message, from 2.9 on into the cause; tried on 2.1.14 and 2.9.6.
const BEFORE_CONNECTION = /client error \(Connect\)/;

const REASONS: readonly [NotSentReason, RegExp][] = [
  ["dns", /dns error/],
  ["refused", /connection refused/i],
  ["tls", /certificate|handshake|corrupt message|tls|alert/i],
];

/**
 * What a failed fetch tells: either no connection ever stood, or the request may have been read.
 * Whatever is not known to be the first is taken for the second.
 */
export function describeFailure(error: unknown): GraphAnswer {
  const text = messagesOf(error).join(": ");
  const detail = text.slice(0, MAX_DETAIL_LENGTH);
  if (!BEFORE_CONNECTION.test(text)) return { kind: "no_answer", reason: "reset", detail };
  const [reason] = REASONS.find(([, pattern]) => pattern.test(text)) ?? ["connect" as const];
  return { kind: "not_sent", reason, detail };
}

function messagesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  return error.cause === undefined ? [error.message] : [error.message, ...messagesOf(error.cause)];
}
