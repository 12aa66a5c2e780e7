import type { Refusal } from "./error_bodies.ts";

export type Kind = "string" | "number" | "boolean" | "object" | "array" | "url";

/** What one place of a request body must look like. `[]` in a path stands for every item. */
export interface FieldRule {
  at: string;
  kind: Kind;
  required?: boolean;
  /** Characters of a string, items of an array. An empty string counts as missing unless min is 0. */
  min?: number;
  max?: number;
  oneOf?: readonly string[];
}

/** A rule about several fields at once. */
export type CrossRule<B = unknown> = (body: B) => Refusal | null;

/** Rules compiled once, at load: the sending path must stay cheap. */
export type CompiledRule = FieldRule & { path: readonly string[] };

export const MISSING = 131008;
export const INVALID_PARAMETER = 100;
export const INVALID_VALUE = 131009;

export function compileRules(rules: readonly FieldRule[]): CompiledRule[] {
  return rules.map((rule) => ({
    ...rule,
    path: rule.at.replaceAll("[]", ".[]").split("."),
  }));
}

/** The first field that breaks a rule; a wrong value is refused with `invalidCode`. */
export function checkFields(
  body: unknown,
  rules: readonly CompiledRule[],
  invalidCode: number,
): Refusal | null {
  for (const rule of rules) {
    const refusal = checkAt(body, rule, 0, [], invalidCode);
    if (refusal !== null) return refusal;
  }
  return null;
}

function checkAt(
  value: unknown,
  rule: CompiledRule,
  depth: number,
  trail: (string | number)[],
  invalidCode: number,
): Refusal | null {
  const segment = rule.path[depth];
  if (segment === undefined) return checkValue(value, rule, trail, invalidCode);
  if (segment === "[]") {
    if (!Array.isArray(value)) return null;
    for (const [index, item] of value.entries()) {
      const refusal = checkAt(item, rule, depth + 1, [...trail, index], invalidCode);
      if (refusal !== null) return refusal;
    }
    return null;
  }
  // A parent of the wrong kind is reported by its own rule.
  if (!isObject(value)) return null;
  trail.push(segment);
  const refusal = checkAt(value[segment], rule, depth + 1, trail, invalidCode);
  trail.pop();
  return refusal;
}

function checkValue(
  value: unknown,
  rule: FieldRule,
  trail: (string | number)[],
  invalidCode: number,
): Refusal | null {
  if (value === undefined || value === null || (value === "" && rule.min !== 0)) {
    return rule.required ? missing(trail) : null;
  }
  const problem = problemOf(value, rule);
  return problem === null
    ? null
    : { code: invalidCode, details: `Param ${labelOf(trail)} ${problem}` };
}

function problemOf(value: unknown, rule: FieldRule): string | null {
  if (!kinds[rule.kind](value)) return `must be ${rule.kind === "url" ? "a URL" : rule.kind}.`;
  if (rule.oneOf && !rule.oneOf.includes(String(value))) {
    return `must be one of {${rule.oneOf.join(", ")}} - got "${value}".`;
  }
  const { min = 0, max = Infinity } = rule;
  const size = sizeOf(value, max);
  if (size === null || (size >= min && size <= max)) return null;
  const unit = Array.isArray(value) ? "items" : "characters long";
  return size > max ? `must be at most ${max} ${unit}.` : `must be at least ${min} ${unit}.`;
}

const kinds: Record<Kind, (value: unknown) => boolean> = {
  string: (value) => typeof value === "string",
  // Meta's own samples write coordinates as strings.
  number: (value) => value !== "" && Number.isFinite(Number(value)) && typeof value !== "boolean",
  boolean: (value) => typeof value === "boolean" || value === "true" || value === "false",
  object: isObject,
  array: Array.isArray,
  url: (value) => typeof value === "string" && /^https?:\/\/[^\s/]+/.test(value),
};

/** Counts characters rather than UTF-16 units, but only where that can make a difference. */
function sizeOf(value: unknown, max: number): number | null {
  if (Array.isArray(value)) return value.length;
  if (typeof value !== "string") return null;
  return value.length > max ? [...value].length : value.length;
}

export function missing(trail: readonly (string | number)[] | string): Refusal {
  const label = typeof trail === "string" ? trail : labelOf(trail);
  return { code: MISSING, details: `The parameter ${label} is required.` };
}

/** `interactive['action']['buttons'][0]`: how Meta names a place in the body. */
function labelOf([first, ...rest]: readonly (string | number)[]): string {
  return first + rest.map((key) => typeof key === "number" ? `[${key}]` : `['${key}']`).join("");
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
