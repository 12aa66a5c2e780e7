import type * as z from "zod";
import { phraseIssue } from "../fields.ts";
import { readJson } from "./body.ts";
import { tellFaults, toFieldErrors } from "./field_errors.ts";
import { problem } from "./problem.ts";

export type ParsedBody<T> = { ok: true; value: T } | { ok: false; response: Response };

/** The body as the schema has it, or the problem to answer: 413, 400, or 422 with what is wrong. */
export async function parseBody<T>(
  schema: z.ZodType<T>,
  request: Request,
  maxBytes: number,
): Promise<ParsedBody<T>> {
  const read = await readJson(request, maxBytes);
  if (!read.ok) return read;
  const parsed = schema.safeParse(read.value, { error: phraseIssue });
  if (parsed.success) return { ok: true, value: parsed.data };
  const errors = toFieldErrors(parsed.error);
  const detail = tellFaults("The body", errors);
  return { ok: false, response: problem(422, "invalid_request", detail, { errors }) };
}

/** The query as the schema has it, or 400 with what is wrong; a repeated name counts once. */
export function parseQuery<T>(schema: z.ZodType<T>, request: Request): ParsedBody<T> {
  const query = Object.fromEntries(new URL(request.url).searchParams);
  const parsed = schema.safeParse(query, { error: phraseIssue });
  if (parsed.success) return { ok: true, value: parsed.data };
  const errors = toFieldErrors(parsed.error);
  const detail = tellFaults("The query", errors);
  return { ok: false, response: problem(400, "malformed_request", detail, { errors }) };
}
