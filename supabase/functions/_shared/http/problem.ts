import { PROBLEMS } from "./problem_codes.ts";
import type { ProblemCode } from "./problem_codes.ts";

/** One fault in the body; the pointer is a JSON pointer (RFC 6901). */
export interface FieldError {
  pointer: string;
  detail: string;
}

export interface ProblemExtra {
  errors?: FieldError[];
  headers?: HeadersInit;
  [member: string]: unknown;
}

/** The members of an RFC 9457 problem, for answers that carry problems inside. */
export function problemBody(
  status: number,
  code: ProblemCode,
  detail: string,
  members: Record<string, unknown> = {},
): Record<string, unknown> {
  const type = `urn:problem-type:switchyard:${code}`;
  const { title } = PROBLEMS[code];
  return { type, title, status, detail, code, ...members };
}

/** An error answer of media type application/problem+json. */
export function problem(
  status: number,
  code: ProblemCode,
  detail: string,
  extra: ProblemExtra = {},
): Response {
  const { headers, ...members } = extra;
  const all = new Headers(headers);
  all.set("content-type", "application/problem+json");
  return new Response(JSON.stringify(problemBody(status, code, detail, members)), {
    status,
    headers: all,
  });
}
