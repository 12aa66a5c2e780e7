import type * as z from "zod";
import type { FieldError } from "./problem.ts";

/** Enough to correct a body by; a body of nothing but faults has thousands. */
const MAX_ERRORS = 50;

/** Says the faults of a failed parse, each at its place; an unknown field is pointed at itself. */
export function toFieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.slice(0, MAX_ERRORS).flatMap(pointAt).slice(0, MAX_ERRORS);
}

/** What a person reads first: the one fault, or how many there are and the first of them. */
export function tellFaults(subject: string, errors: readonly FieldError[]): string {
  const [first] = errors;
  if (first === undefined) return `${subject} is not valid.`;
  const place = first.pointer === "" ? "it" : first.pointer;
  return errors.length === 1
    ? `${subject} has 1 fault: ${place} ${first.detail}.`
    : `${subject} has ${errors.length} faults, the first: ${place} ${first.detail}.`;
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
