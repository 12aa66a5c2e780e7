import type { GraphAnswer, GraphHeaders } from "./graph_answer.ts";
import { askedWaitMs, readAcceptance, readRefusal } from "./graph_answer_body.ts";
import type { Refusal } from "./graph_answer_body.ts";
import { FALLBACK_RULES } from "./graph_error_table.ts";
import type { ErrorScope, GraphErrorRule, Suppression } from "./graph_error_table.ts";
import { findGraphErrorRule } from "./graph_errors.ts";
import { storableText } from "./storable_text.ts";

/** What Meta said, for logs, attempts and dead letters. */
export interface ToldError {
  code: number | null;
  subcode: number | null;
  title: string;
  details: string | null;
  fbtrace_id: string | null;
  http_status: number | null;
}

/** What one attempt to send means, and nothing about what to do with queue, breaker or credential. */
export type SendOutcome =
  | {
    kind: "accepted";
    /** Null for read receipts, of which no status follows. */
    wamid: string | null;
    wa_id: string | null;
    user_id: string | null;
    /** accepted, held_for_quality_assessment or paused: templates only. */
    message_status: string | null;
  }
  | ToldError & {
    /** Known not to be sent, and may be tried again. */
    kind: "retry";
    cause: string;
    scope: ErrorScope;
    /** Wait before the second try; `retryDelayMs` says how it grows. */
    delay_ms: number;
    growth: number;
    /** Tries in all, the first included; Infinity: until the message expires. */
    max_tries: number;
    /** How long nothing of the scope is to be tried; null: go on. */
    pause_ms: number | null;
    throttled: boolean;
    alert: boolean;
  }
  | ToldError & {
    /** The token is refused: read it anew, try once more, then it is an operator's work. */
    kind: "credential_refused";
    cause: string;
    scope: ErrorScope;
    max_tries: number;
    alert: boolean;
  }
  | ToldError & {
    /** Never to be tried again. */
    kind: "rejected";
    cause: string;
    scope: ErrorScope;
    pause_ms: number | null;
    suppress: Suppression;
    alert: boolean;
  }
  | ToldError & {
    /** It may or may not have been sent: only a status webhook can tell. */
    kind: "unknown";
    reason: string;
  };

type GraphResponse = Extract<GraphAnswer, { kind: "response" }>;

const MAX_DETAILS_LENGTH = 1_000;
const MAX_DELAY_MS = 60_000;
const MAX_PAIR_DELAY_MS = 256_000;
const MAX_JITTER_MS = 1_000;

/**
 * Says what an answer to a send of this type means. The code decides, never the HTTP status alone: Meta answers
 * 400 for limits, 500 for missing permissions and 200 for errors. Whatever leaves open whether the
 * message was sent is unknown, so that nothing is sent twice.
 */
export function classifyGraphAnswer(answer: GraphAnswer, type: string): SendOutcome {
  switch (answer.kind) {
    case "response":
      return classifyResponse(answer, type);
    case "not_sent": {
      const isToken = answer.reason === "malformed_token";
      const rule = isToken ? FALLBACK_RULES.malformed_token : FALLBACK_RULES.not_sent;
      return applyRule(rule, { ...untold(rule.title), details: answer.detail }, {});
    }
    case "no_answer":
      return unknown(answer.reason, { ...untold("No answer came"), details: answer.detail });
  }
}

function classifyResponse(answer: GraphResponse, type: string): SendOutcome {
  const accepted = isSuccess(answer.status) ? readAcceptance(answer.body, type) : null;
  if (accepted !== null) return { kind: "accepted", ...accepted };
  const refusal = readRefusal(answer.body);
  return refusal === null ? classifyMute(answer) : classifyRefusal(refusal, answer);
}

// Meta took the trouble to say that it did not accept the message.
function classifyRefusal(error: Refusal, answer: GraphResponse): SendOutcome {
  if (error.code === null) return classifyMute(answer, error);
  const rule = findGraphErrorRule({ ...error, code: error.code }) ?? fallBack(error, answer.status);
  const told = toldBy(error, rule.title, answer.status);
  if (rule.unknown_on_5xx && answer.status >= 500) return unknown(rule.cause, told);
  return applyRule(rule, told, answer.headers);
}

function fallBack(error: Refusal, status: number): GraphErrorRule {
  if (error.is_transient) return FALLBACK_RULES.transient;
  if (status === 401) return FALLBACK_RULES.unauthorized;
  if (status === 429) return FALLBACK_RULES.rate_limited;
  return status >= 500 ? FALLBACK_RULES.server_error : FALLBACK_RULES.unknown_code;
}

// No code: something between us and Meta may have answered, before or after the message was taken.
function classifyMute(answer: GraphResponse, error?: Refusal): SendOutcome {
  const { status, headers } = answer;
  const told = error === undefined
    ? { ...untold("The answer says nothing"), details: answer.body.slice(0, 200) || null }
    : toldBy(error, "The answer says nothing", status);
  const withStatus = { ...told, details: storable(told.details), http_status: status };
  if (isSuccess(status)) return unknown("answer_without_wamid", withStatus);
  if (status >= 500 || status === 408) return unknown("server_error_without_code", withStatus);
  if (status === 401) return applyRule(FALLBACK_RULES.unauthorized, withStatus, headers);
  if (status === 429) return applyRule(FALLBACK_RULES.rate_limited, withStatus, headers);
  return applyRule(FALLBACK_RULES.unexpected_answer, withStatus, headers);
}

function applyRule(rule: GraphErrorRule, told: ToldError, headers: GraphHeaders): SendOutcome {
  const { cause, scope, alert, pause_ms, max_tries } = rule;
  switch (rule.outcome) {
    case "credential":
      return { kind: "credential_refused", ...told, cause, scope, max_tries, alert };
    case "dead":
      return { kind: "rejected", ...told, cause, scope, pause_ms, suppress: rule.suppress, alert };
    case "retry":
    case "pause": {
      const { growth, throttled } = rule;
      const delay_ms = Math.max(rule.delay_ms, askedWaitMs(headers));
      const when = { delay_ms, growth, max_tries, pause_ms };
      return { kind: "retry", ...told, cause, scope, ...when, throttled, alert };
    }
  }
}

/**
 * How long to wait after so many failures, from 1: the outcome's delay, grown from try to try up to a
 * minute (pairs: 256 s, as Meta's 4^n goes), and up to a second of jitter.
 */
export function retryDelayMs(
  { delay_ms, growth }: { delay_ms: number; growth: number },
  failures: number,
  random: () => number,
): number {
  const capMs = Math.max(growth > 2 ? MAX_PAIR_DELAY_MS : MAX_DELAY_MS, delay_ms);
  return Math.min(delay_ms * growth ** (failures - 1), capMs) +
    Math.floor(random() * MAX_JITTER_MS);
}

/** True where the same message may be sent again: after a wait, or with another token. */
export function isRetryable(outcome: SendOutcome): boolean {
  return outcome.kind === "retry" || outcome.kind === "credential_refused";
}

/** True where the credential is the cause; what is cached of it is to be dropped. */
export function isAuthError(outcome: SendOutcome): boolean {
  return outcome.kind === "credential_refused";
}

/** True where the scope sends too fast. */
export function isRateLimitError(outcome: SendOutcome): boolean {
  return outcome.kind === "retry" && outcome.throttled;
}

/** True where the message itself or its recipient is the cause: trying again cannot help. */
export function isClientError(outcome: SendOutcome): boolean {
  return outcome.kind === "rejected";
}

/** True where an operator has to know. */
export function shouldNotify(outcome: SendOutcome): boolean {
  return "alert" in outcome && outcome.alert;
}

function unknown(reason: string, told: ToldError): SendOutcome {
  return { kind: "unknown", reason, ...told };
}

function untold(title: string): ToldError {
  return { code: null, subcode: null, title, details: null, fbtrace_id: null, http_status: null };
}

function toldBy(error: Refusal, title: string, http_status: number): ToldError {
  return {
    code: error.code,
    subcode: error.subcode,
    title,
    details: storable(error.details),
    fbtrace_id: storable(error.fbtrace_id),
    http_status,
  };
}

function storable(text: string | null): string | null {
  return text === null ? null : storableText(text, MAX_DETAILS_LENGTH);
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
