import { isObject } from "./field_rules.ts";

/** The `interactive` object of a message, each of whose fields is known to be good. */
export type Interactive = Record<string, unknown>;

const items = (node: unknown, key: string): unknown[] =>
  isObject(node) && Array.isArray(node[key]) ? node[key] : [];
/** What stands at the end of these keys, if all of them are there. */
export const nested = (node: unknown, ...keys: string[]): unknown =>
  keys.reduce((inner, key) => isObject(inner) ? inner[key] : undefined, node);

/** No two items of a list have the same id, or whatever `of` looks at. */
export function unique(list: string, of: (item: unknown) => unknown, what: string) {
  return ({ action }: Interactive): string | null => {
    const values = items(action, list).map(of);
    return new Set(values).size === values.length ? null : `Duplicate ${what} in ${list}.`;
  };
}

/** No two rows of a list message have the same id, whatever section they stand in. */
export function uniqueRowIds({ action }: Interactive): string | null {
  const ids = items(action, "sections").flatMap((section) => items(section, "rows"))
    .map((row) => nested(row, "id"));
  return new Set(ids).size === ids.length ? null : "Duplicate ids in rows.";
}

/** A single section may go without a title. */
export function titledSections({ action }: Interactive): string | null {
  const sections = items(action, "sections");
  return sections.length < 2 || sections.every((section) => nested(section, "title"))
    ? null
    : "Every section needs a title when there is more than one.";
}

/** The limit is on all sections together. */
export function countOf(list: string, max: number) {
  return ({ action }: Interactive): string | null => {
    const count = items(action, "sections").reduce(
      (sum: number, section) => sum + items(section, list).length,
      0,
    );
    return count <= max ? null : `Total count of ${list} must be at most ${max} - got ${count}.`;
  };
}

/** A flow is named by its id or by its name. */
export function flowIsNamedOnce({ action }: Interactive): string | null {
  const named = ["flow_id", "flow_name"].filter((key) => nested(action, "parameters", key));
  return named.length === 1 ? null : "Exactly one of flow_id and flow_name is required.";
}

/** A carousel has product cards of one catalogue, or media cards with the same header and action. */
export function cardsAreOfOneKind({ action }: Interactive): string | null {
  const kinds = items(action, "cards").map((card) =>
    nested(card, "action", "product_retailer_id")
      ? `product ${nested(card, "action", "catalog_id")}`
      : `media ${nested(card, "header", "type")} ${nested(card, "action", "name")}`
  );
  return new Set(kinds).size <= 1 ? null : "All cards of a carousel must be of one kind.";
}

/** At most two line breaks in the body of a card. */
export function cardsBreakFewLines({ action }: Interactive): string | null {
  const tooMany = items(action, "cards").some((card) =>
    String(nested(card, "body", "text") ?? "").split("\n").length > 3
  );
  return tooMany ? "The body of a card may have at most 2 line breaks." : null;
}
