import * as z from "zod";

/** How deep free-form JSON may nest. */
const MAX_DEPTH = 32;
export const NOT_STORABLE =
  `is nested more than ${MAX_DEPTH} levels deep, or has a character that cannot be stored`;

/** Text of min to max characters (code points) that Postgres can store. */
export function text(max: number, min = 1): z.ZodString {
  return storableText()
    .refine((value) => countCharacters(value) >= min, {
      error: min === 1 ? "must not be empty" : `must have at least ${min} characters`,
    })
    .refine((value) => countCharacters(value) <= max, {
      error: ({ input }) =>
        `has ${countCharacters(String(input))} characters, at most ${max} are allowed`,
    });
}

/** Text that Postgres can store: jsonb knows neither the null character nor half a surrogate pair. */
export function storableText(): z.ZodString {
  return z.string().refine(isStorable, "has a character that cannot be stored");
}

/** Text that says something; what bounds it is the body that it comes in. */
export function someText(): z.ZodString {
  return storableText().refine((value) => value !== "", "must not be empty");
}

/** Any JSON object that can be stored, nested at most 32 levels. */
export function freeForm() {
  return z.record(z.string(), z.unknown()).refine(isStorableJson, NOT_STORABLE);
}

/** A time in ISO 8601 that says its offset from UTC. */
export function instant() {
  return z.iso.datetime({
    offset: true,
    error: "must be a time with offset, such as 2026-11-22T09:30:00+01:00",
  });
}

/** An http or https address. */
export function webAddress() {
  return storableText().refine(
    (value) => /^https?:\/\//i.test(value) && URL.canParse(value),
    "must be an http or https address",
  );
}

function countCharacters(value: string): number {
  let count = 0;
  for (const _ of value) count += 1;
  return count;
}

function isStorable(value: string): boolean {
  return !value.includes("\0") && value.isWellFormed();
}

/** Says whether JSON can be stored: its depth is bounded, and so is every text in it sound. */
export function isStorableJson(value: unknown): boolean {
  return isStorableWithin(MAX_DEPTH, value);
}

function isStorableWithin(depthLeft: number, value: unknown): boolean {
  if (typeof value === "string") return isStorable(value);
  if (typeof value !== "object" || value === null) return true;
  if (depthLeft === 0) return false;
  return Object.entries(value).every(([name, member]) =>
    isStorable(name) && isStorableWithin(depthLeft - 1, member)
  );
}

/** Phrases for what schemas refuse without words of their own; given to parse as its error map. */
export const phraseIssue: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? "is required" : `must be ${article(issue.expected)}`;
    case "invalid_value":
      return issue.input === undefined ? "is required" : `must be ${oneOf(issue.values)}`;
    case "invalid_union":
      if (isMissingDiscriminator(issue)) return "is required";
      if (issue.input === undefined) return "is required";
      return Array.isArray(issue.options)
        ? `must be ${oneOf(issue.options)}`
        : "is none of the known kinds";
    case "too_big":
      return `must ${bound(issue.origin, "most", issue.maximum)}`;
    case "too_small":
      return `must ${bound(issue.origin, "least", issue.minimum)}`;
    case "unrecognized_keys":
      return "is not a known field";
    default:
      return "is not valid";
  }
};

function bound(origin: string, which: "most" | "least", limit: number | bigint): string {
  if (origin !== "array") return `be at ${which} ${limit}`;
  return `have at ${which} ${limit} ${limit === 1 ? "item" : "items"}`;
}

function oneOf(values: readonly unknown[]): string {
  return new Intl.ListFormat("en", { type: "disjunction" }).format(values.map(String));
}

function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;
}

function isMissingDiscriminator(
  issue: { discriminator?: string | undefined; input?: unknown },
): boolean {
  const { discriminator, input } = issue;
  if (discriminator === undefined || typeof input !== "object" || input === null) return false;
  return !(discriminator in input);
}
