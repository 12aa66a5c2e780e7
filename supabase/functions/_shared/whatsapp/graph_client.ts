import { withDeadline } from "../resilience/deadline.ts";
import { KEPT_HEADERS } from "./graph_answer.ts";
import type { GraphAnswer, GraphHeaders } from "./graph_answer.ts";
import { toGraphBody } from "./graph_body.ts";
import type { StoredMessage } from "./graph_body.ts";
import { describeFailure } from "./graph_failure.ts";

export interface GraphClientOptions {
  fetch: typeof globalThis.fetch;
  baseUrl: string;
  /** Such as v25.0. */
  version: string;
  now: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Default: 10,000. */
  timeoutMs?: number;
}

export interface SendRequest {
  phoneNumberId: string;
  accessToken: string;
  message: StoredMessage;
  signal?: AbortSignal;
}

export interface GraphClient {
  /** Calls once and never throws for what the network does. */
  sendMessage(request: SendRequest): Promise<GraphAnswer & { duration_ms: number }>;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 65_536;

// fetch throws for others, and its message may repeat the header.
const SENDABLE_TOKEN = /^[\x21-\x7e]+$/;

/** Speaks to the Graph API; throws when the address is none. */
export function createGraphClient(options: GraphClientOptions): GraphClient {
  const { now, version, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const root = new URL(options.baseUrl).href.replace(/\/+$/, "");
  return {
    async sendMessage(request) {
      const startedAt = now();
      const url = `${root}/${version}/${encodeURIComponent(request.phoneNumberId)}/messages`;
      const answer = await send(options, url, request, timeoutMs);
      return { ...answer, duration_ms: now() - startedAt };
    },
  };
}

async function send(
  { fetch, sleep }: GraphClientOptions,
  url: string,
  { accessToken, message, signal }: SendRequest,
  timeoutMs: number,
): Promise<GraphAnswer> {
  if (!SENDABLE_TOKEN.test(accessToken)) {
    const detail = "The access token has characters that no header can carry";
    return { kind: "not_sent", reason: "malformed_token", detail };
  }
  if (signal?.aborted) return { kind: "not_sent", reason: "aborted", detail: "Told to stop" };
  const init = {
    method: "POST",
    headers: { authorization: `Bearer ${accessToken}`, "content-type": "application/json" },
    body: bodyOf(message),
    // Sending on to another address would be a second attempt.
    redirect: "manual",
  } as const;
  const answered = await withDeadline(
    (stop) => exchange(fetch, url, { ...init, signal: eitherSignal(stop, signal) }),
    timeoutMs,
    sleep,
  );
  if (answered.ok) return answered.value;
  if (answered.timedOut) {
    return { kind: "no_answer", reason: "timeout", detail: `No answer in ${timeoutMs} ms` };
  }
  if (signal?.aborted) return { kind: "no_answer", reason: "aborted", detail: "Told to stop" };
  return describeFailure(answered.error);
}

// Deno from 2.7 on sends a request a second time by itself when a kept-alive connection closes
// without an answer, though it may have been read; not so with a body that it cannot copy, such as
// a blob. https://github.com/denoland/deno/pull/32566, https://github.com/denoland/deno/pull/36415
function bodyOf(message: StoredMessage): Blob {
  return new Blob([JSON.stringify(toGraphBody(message))]);
}

function eitherSignal(stop: AbortSignal, signal: AbortSignal | undefined): AbortSignal {
  return signal === undefined ? stop : AbortSignal.any([stop, signal]);
}

async function exchange(
  fetch: typeof globalThis.fetch,
  url: string,
  init: RequestInit,
): Promise<GraphAnswer> {
  const response = await fetch(url, init);
  const { status } = response;
  return { kind: "response", status, body: await readText(response), headers: keep(response) };
}

// A body that is cut off is no JSON any more, and classified as such.
async function readText(response: Response): Promise<string> {
  const length = response.headers.get("content-length");
  if (length !== null && Number(length) <= MAX_ANSWER_BYTES) return await response.text();
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk.subarray(0, MAX_ANSWER_BYTES - size), { stream: true });
    size += chunk.byteLength;
    if (size >= MAX_ANSWER_BYTES) break;
  }
  return text;
}

function keep(response: Response): GraphHeaders {
  const kept: GraphHeaders = {};
  for (const name of KEPT_HEADERS) {
    const value = response.headers.get(name);
    if (value !== null) kept[name] = value;
  }
  return kept;
}
