import type { Refusal } from "./error_bodies.ts";
import {
  cardsAreOfOneKind,
  cardsBreakFewLines,
  countOf,
  flowIsNamedOnce,
  type Interactive,
  nested,
  titledSections,
  unique,
  uniqueRowIds,
} from "./interactive_cross_rules.ts";
import {
  checkFields,
  compileRules,
  type FieldRule,
  INVALID_VALUE,
  isObject,
  missing,
} from "./field_rules.ts";

interface InteractiveRules {
  headers: readonly string[];
  headerRequired?: boolean;
  bodyMax: number;
  bodyRequired?: boolean;
  fields: readonly FieldRule[];
  across?: readonly ((interactive: Interactive) => string | null)[];
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
export function checkInteractive(body: Interactive): Refusal | null {
  const interactive = body.interactive as Interactive;
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

function headerContent(interactive: Interactive): Refusal | null {
  if (!isObject(interactive.header)) return null;
  const type = String(interactive.header.type);
  return interactive.header[type] ? null : missing(`interactive['header']['${type}']`);
}

const refuse = (details: string): Refusal => ({ code: INVALID_VALUE, details });
