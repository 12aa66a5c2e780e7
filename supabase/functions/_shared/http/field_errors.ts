import type * as z from "zod";
import type { FieldError } from "./problem.ts";

/** Enough to correct a body by; a body of nothing but faults has thousands. */
const MAX_ERRORS = 50;

/** Says the faults of a failed parse, each at its place; an unknown field is pointed at itself. */
export function toFieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.slice(0, MAX_ERRORS).flatMap(pointAt).slice(0, MAX_ERRORS);
}

function pointAt(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code !== "unrecognized_keys") {
    return [{ pointer: toPointer(issue.path), detail: issue.message }];
  }
  return issue.keys.map((key) => ({
    pointer: toPointer([...issue.path, key]),
    detail: "is not a known field",
  }));
}

function toPointer(path: readonly PropertyKey[]): string {
  const escape = (step: string) => step.replaceAll("~", "~0").replaceAll("/", "~1");
  return path.map((step) => `/${escape(String(step))}`).join("");
}
