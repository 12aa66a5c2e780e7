import type { FunctionAnswer } from "../functions/process.ts";

export interface ForwardOptions {
  /** The path that the function sees, beginning with its name. */
  path: string;
  /** Looks up the process that takes the request. */
  find: () => Promise<FunctionAnswer>;
  clientAddress: string;
  bootTimeoutMs: number;
}

/**
 * Sends a request to a function's process and its answer back, both as streams and byte for byte.
 * Answers what the hosted platform does when the function does not start (503) or its process dies
 * before it has answered (546: whatever it was doing may be done or not).
 */
export async function forward(request: Request, options: ForwardOptions): Promise<Response> {
  const answer = await within(options.bootTimeoutMs, options.find());
  if (answer === null) return platformError(503, "BOOT_ERROR", "Function does not start in time");
  if (answer.kind === "boot_failed") {
    return platformError(503, "BOOT_ERROR", "Function failed to start (please check logs)");
  }
  const { search } = new URL(request.url);
  try {
    return await fetch(`${answer.url}${options.path}${search}`, {
      method: request.method,
      headers: forwardedHeaders(request, options.clientAddress),
      body: hasBody(request) ? request.body : null,
      redirect: "manual",
    });
  } catch (error) {
    if (wasNeverSent(error)) {
      return platformError(503, "SUPABASE_EDGE_RUNTIME_SERVICE_DEGRADED", "Function is restarting");
    }
    return platformError(546, "WORKER_LIMIT", "Function ended before it answered");
  }
}

// Deno says in the cause how far it came.
function wasNeverSent(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message.includes("client error (Connect)");
}

/** An answer of the platform itself, shaped and marked as a hosted project's. */
export function platformError(status: number, code: string, message: string): Response {
  const headers = new Headers({ "sb-error-code": code });
  if (status === 503) headers.set("retry-after", "1");
  return Response.json({ code, message }, { status, headers });
}

// Without either header there is no body, though the stream of a DELETE is not null.
function hasBody({ headers }: Request): boolean {
  return headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) > 0;
}

// https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
const HOP_BY_HOP = ["connection", "keep-alive", "te", "trailer", "upgrade", "proxy-authorization"];

function forwardedHeaders(request: Request, clientAddress: string): Headers {
  const headers = new Headers(request.headers);
  for (const name of HOP_BY_HOP) headers.delete(name);
  const setIfAbsent = (name: string, value: string) => {
    if (!headers.has(name)) headers.set(name, value);
  };
  const { host, protocol } = new URL(request.url);
  setIfAbsent("x-forwarded-for", clientAddress);
  setIfAbsent("x-forwarded-host", host);
  setIfAbsent("x-forwarded-proto", protocol.slice(0, -1));
  setIfAbsent("x-request-id", crypto.randomUUID());
  // fetch() undoes any compression that it was asked to take, and the client sees other bytes.
  headers.set("accept-encoding", "identity");
  return headers;
}

/** What the promise resolves with, or null when that takes longer. */
export async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
