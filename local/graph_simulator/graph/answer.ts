import { errorBody, httpStatus, type Refusal } from "./error_bodies.ts";
import type { Ids } from "../ids.ts";

/** What goes back over the connection, which is not always an HTTP response. */
export type Answer =
  | { kind: "json"; status: number; text: string }
  | { kind: "page"; status: number; text: string }
  /** Closed without a byte. */
  | { kind: "closed" }
  /** Closed in the middle of a body that was announced to be longer. */
  | { kind: "cut"; text: string; length: number };

export function jsonAnswer(status: number, text: string): Answer {
  return { kind: "json", status, text };
}

export function refusalAnswer(refusal: Refusal, ids: Ids): Answer {
  return jsonAnswer(httpStatus(refusal), JSON.stringify(errorBody(refusal, ids.trace())));
}

/**
 * The answer as a `Response`. What HTTP cannot say is `Response.error()`, which the server turns
 * into a broken connection.
 */
export function toResponse(answer: Answer, headers: HeadersInit = {}): Response {
  switch (answer.kind) {
    case "json":
      return respond(answer, "application/json; charset=UTF-8", headers);
    case "page":
      return respond(answer, "text/html; charset=utf-8", headers);
    case "closed":
    case "cut":
      return Response.error();
  }
}

function respond(answer: { status: number; text: string }, type: string, extra: HeadersInit) {
  const headers = new Headers(extra);
  headers.set("content-type", type);
  return new Response(answer.text, { status: answer.status, headers });
}
