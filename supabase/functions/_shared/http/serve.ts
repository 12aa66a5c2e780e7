import { toHex } from "../bytes.ts";
import { DatabaseError } from "../database.ts";
import type { Log } from "../telemetry/log.ts";
import { problem } from "./problem.ts";

/** What the wrapper knows of a request: its id, and a log that carries it. */
export interface ServeContext {
  requestId: string;
  log: Log;
}

export interface ServeDeps {
  log: Log;
  now: () => number;
  newRequestId?: () => string;
  /** Says which answers have no line of their own; default: none. */
  isQuiet?: (request: Request, response: Response) => boolean;
}

export type Handler = (request: Request, context: ServeContext) => Promise<Response> | Response;

const RETRY_AFTER_SECONDS = 5;

/**
 * The outermost wrapper: every answer has x-request-id, every throw is a problem, one log line.
 * At thousands of requests a second what is done here for each counts: a URL is parsed, and what
 * cannot be changed copied, only where it must be.
 */
export function serve(
  name: string,
  handler: Handler,
  deps: ServeDeps,
): (request: Request) => Promise<Response> {
  const { now, newRequestId = numberRequests(), isQuiet = () => false } = deps;
  return async (request) => {
    const startedAt = now();
    const requestId = echoedRequestId(request) ?? newRequestId();
    const log = deps.log.with({ function: name, request_id: requestId });
    const response = await answer(handler, request, { requestId, log });
    if (!isQuiet(request, response)) {
      log.info("request.answered", {
        method: request.method,
        path: new URL(request.url).pathname,
        status: response.status,
        duration_ms: now() - startedAt,
      });
    }
    return withHeader(response, "x-request-id", requestId);
  };
}

async function answer(
  handler: Handler,
  request: Request,
  context: ServeContext,
): Promise<Response> {
  try {
    return await handler(request, context);
  } catch (error) {
    context.log.error("request.failed", { error });
    if (error instanceof DatabaseError && error.unavailable) return databaseUnavailable();
    return problem(500, "internal_error", "The request failed here; the log knows its id.");
  }
}

/** 503: nothing was done, the same request may be sent again. */
function databaseUnavailable(): Response {
  return problem(503, "database_unavailable", "The database does not answer; try again.", {
    headers: { "retry-after": String(RETRY_AFTER_SECONDS) },
  });
}

function echoedRequestId(request: Request): string | null {
  const given = request.headers.get("x-request-id");
  return given !== null && /^[\w.-]{1,128}$/.test(given) ? given : null;
}

// One isolate's requests are recognised by the first half, and no two have the same.
function numberRequests(): () => string {
  const isolate = toHex(crypto.getRandomValues(new Uint8Array(8)));
  let count = 0;
  return () => `${isolate}-${++count}`;
}

// Headers of an answer that was passed on from a fetch cannot be changed in place.
function withHeader(response: Response, name: string, value: string): Response {
  try {
    response.headers.set(name, value);
    return response;
  } catch {
    const headers = new Headers(response.headers);
    headers.set(name, value);
    const { body, status, statusText } = response;
    return new Response(body, { status, statusText, headers });
  }
}
