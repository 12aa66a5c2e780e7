import type { Refusal } from "./error_bodies.ts";
import {
  checkFields,
  compileRules,
  type FieldRule,
  INVALID_VALUE,
  isObject,
  missing,
} from "./field_rules.ts";

type Node = Record<string, unknown>;

interface InteractiveRules {
  headers: readonly string[];
  headerRequired?: boolean;
  bodyMax: number;
  bodyRequired?: boolean;
  fields: readonly FieldRule[];
  across?: readonly ((interactive: Node) => string | null)[];
}

const ANY_HEADER = ["text", "image", "video", "document"];
const required = (at: string, kind: FieldRule["kind"], limits: Partial<FieldRule> = {}) => ({
  at: `action.${at}`,
  kind,
  required: true,
  ...limits,
});
const optional = (at: string, kind: FieldRule["kind"], limits: Partial<FieldRule> = {}) => ({
  at: `action.${at}`,
  kind,
  ...limits,
});
const named = (name: string) => required("name", "string", { oneOf: [name] });
const asking = (name: string): InteractiveRules => ({
  headers: [],
  bodyMax: 1_024,
  fields: [named(name)],
});

/** The kinds of interactive message and their limits. */
const interactiveRules: Readonly<Record<string, InteractiveRules>> = {
  button: {
    headers: ANY_HEADER,
    bodyMax: 1_024,
    fields: [
      required("buttons", "array", { min: 1, max: 3 }),
      required("buttons[].type", "string", { oneOf: ["reply"] }),
      required("buttons[].reply", "object"),
      required("buttons[].reply.id", "string", { max: 256 }),
      required("buttons[].reply.title", "string", { max: 20 }),
    ],
    across: [
      unique("buttons", (button) => nested(button, "reply", "id"), "ids"),
      unique("buttons", (button) => nested(button, "reply", "title"), "titles"),
    ],
  },
  list: {
    headers: ["text"],
    bodyMax: 4_096,
    fields: [
      required("button", "string", { max: 20 }),
      required("sections", "array", { min: 1, max: 10 }),
      optional("sections[].title", "string", { max: 24 }),
      required("sections[].rows", "array", { min: 1 }),
      required("sections[].rows[].id", "string", { max: 200 }),
      required("sections[].rows[].title", "string", { max: 24 }),
      optional("sections[].rows[].description", "string", { max: 72 }),
    ],
    across: [titledSections, countOf("rows", 10), uniqueRowIds],
  },
  cta_url: {
    headers: ANY_HEADER,
    bodyMax: 1_024,
    fields: [
      named("cta_url"),
      required("parameters.display_text", "string", { max: 20 }),
      required("parameters.url", "url", { max: 2_000 }),
    ],
  },
  flow: {
    headers: ANY_HEADER,
    bodyMax: 1_024,
    fields: [
      named("flow"),
      required("parameters.flow_message_version", "string", { oneOf: ["3"] }),
      // Sources say 20 or 30; the lower one is safe with both.
      required("parameters.flow_cta", "string", { max: 20 }),
      optional("parameters.mode", "string", { oneOf: ["draft", "published"] }),
      optional("parameters.flow_action", "string", { oneOf: ["navigate", "data_exchange"] }),
    ],
    across: [flowIsNamedOnce],
  },
  product: {
    headers: [],
    bodyMax: 1_024,
    bodyRequired: false,
    fields: [required("catalog_id", "string"), required("product_retailer_id", "string")],
  },
  product_list: {
    headers: ["text"],
    headerRequired: true,
    bodyMax: 1_024,
    fields: [
      required("catalog_id", "string"),
      required("sections", "array", { min: 1, max: 10 }),
      optional("sections[].title", "string", { max: 24 }),
      required("sections[].product_items", "array", { min: 1 }),
      required("sections[].product_items[].product_retailer_id", "string"),
    ],
    across: [titledSections, countOf("product_items", 30)],
  },
  catalog_message: asking("catalog_message"),
  location_request_message: asking("send_location"),
  address_message: {
    ...asking("address_message"),
    fields: [
      named("address_message"),
      required("parameters.country", "string", { oneOf: ["IN"] }),
    ],
  },
  carousel: {
    headers: [],
    bodyMax: 1_024,
    fields: [
      required("cards", "array", { min: 2, max: 10 }),
      optional("cards[].body.text", "string", { max: 160 }),
      optional("cards[].action.buttons[].quick_reply.id", "string", { max: 20 }),
      optional("cards[].action.buttons[].quick_reply.title", "string", { max: 20 }),
      optional("cards[].action.parameters.display_text", "string", { max: 20 }),
    ],
    across: [cardsAreOfOneKind, cardsBreakFewLines],
  },
  voice_call: asking("voice_call"),
  call_permission_request: asking("call_permission_request"),
  request_contact_info: asking("request_contact_info"),
};

const compiled = new Map(
  Object.entries(interactiveRules).map(([type, rules]) => [type, {
    ...rules,
    compiled: compileRules(([
      { at: "header", kind: "object", required: rules.headerRequired ?? false },
      { at: "header.type", kind: "string", required: true, oneOf: rules.headers },
      { at: "header.text", kind: "string", max: 60 },
      { at: "body", kind: "object", required: rules.bodyRequired ?? true },
      { at: "body.text", kind: "string", required: true, max: rules.bodyMax },
      { at: "footer", kind: "object" },
      { at: "footer.text", kind: "string", required: true, max: 60 },
      { at: "action", kind: "object", required: true },
      { at: "action.parameters", kind: "object", required: rules.fields.some(needsParameters) },
      ...rules.fields,
    ] satisfies FieldRule[]).map((rule) => ({ ...rule, at: `interactive.${rule.at}` }))),
  }]),
);

function needsParameters(rule: FieldRule): boolean {
  return rule.required === true && rule.at.startsWith("action.parameters.");
}

/** Why Meta refuses the `interactive` object of this message. */
export function checkInteractive(body: Node): Refusal | null {
  const interactive = body.interactive as Node;
  if (typeof interactive.type !== "string") return missing("interactive['type']");
  const rules = compiled.get(interactive.type);
  if (rules === undefined) {
    const known = [...compiled.keys()].join(", ");
    return refuse(`Param interactive['type'] must be one of {${known}}.`);
  }
  const refusal = checkFields(body, rules.compiled, INVALID_VALUE) ?? headerContent(interactive);
  if (refusal !== null) return refusal;
  for (const rule of rules.across ?? []) {
    const problem = rule(interactive);
    if (problem !== null) return refuse(problem);
  }
  return null;
}

function headerContent(interactive: Node): Refusal | null {
  if (!isObject(interactive.header)) return null;
  const type = String(interactive.header.type);
  return interactive.header[type] ? null : missing(`interactive['header']['${type}']`);
}

const refuse = (details: string): Refusal => ({ code: INVALID_VALUE, details });
const items = (node: unknown, key: string): unknown[] =>
  isObject(node) && Array.isArray(node[key]) ? node[key] : [];
const nested = (node: unknown, ...keys: string[]): unknown =>
  keys.reduce((inner, key) => isObject(inner) ? inner[key] : undefined, node);

function unique(list: string, of: (item: unknown) => unknown, what: string) {
  return ({ action }: Node): string | null => {
    const values = items(action, list).map(of);
    return new Set(values).size === values.length ? null : `Duplicate ${what} in ${list}.`;
  };
}

function uniqueRowIds({ action }: Node): string | null {
  const ids = items(action, "sections").flatMap((section) => items(section, "rows"))
    .map((row) => nested(row, "id"));
  return new Set(ids).size === ids.length ? null : "Duplicate ids in rows.";
}

function titledSections({ action }: Node): string | null {
  const sections = items(action, "sections");
  return sections.length < 2 || sections.every((section) => nested(section, "title"))
    ? null
    : "Every section needs a title when there is more than one.";
}

function countOf(list: string, max: number) {
  return ({ action }: Node): string | null => {
    const count = items(action, "sections").reduce(
      (sum: number, section) => sum + items(section, list).length,
      0,
    );
    return count <= max ? null : `Total count of ${list} must be at most ${max} - got ${count}.`;
  };
}

function flowIsNamedOnce({ action }: Node): string | null {
  const named = ["flow_id", "flow_name"].filter((key) => nested(action, "parameters", key));
  return named.length === 1 ? null : "Exactly one of flow_id and flow_name is required.";
}

function cardsAreOfOneKind({ action }: Node): string | null {
  const kinds = items(action, "cards").map((card) =>
    nested(card, "action", "product_retailer_id")
      ? `product ${nested(card, "action", "catalog_id")}`
      : `media ${nested(card, "header", "type")} ${nested(card, "action", "name")}`
  );
  return new Set(kinds).size <= 1 ? null : "All cards of a carousel must be of one kind.";
}

function cardsBreakFewLines({ action }: Node): string | null {
  const tooMany = items(action, "cards").some((card) =>
    String(nested(card, "body", "text") ?? "").split("\n").length > 3
  );
  return tooMany ? "The body of a card may have at most 2 line breaks." : null;
}
