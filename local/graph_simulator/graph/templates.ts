import { z } from "zod";
import type { Refusal } from "./error_bodies.ts";
import { RecentMap } from "../recent_map.ts";
import type { Component, SentTemplate } from "./template_rules.ts";

const button = z.strictObject({
  type: z.enum(["QUICK_REPLY", "URL", "PHONE_NUMBER", "COPY_CODE", "FLOW", "CATALOG"]),
  text: z.string().max(25),
  url: z.string().max(2_000).optional(),
});

/** A template of a business account, as `PUT /_control/templates` takes it. */
export const templateSchema = z.strictObject({
  business_account_id: z.string().min(1),
  name: z.string().regex(/^[a-z0-9_]{1,512}$/),
  language: z.string().min(2),
  category: z.enum(["marketing", "utility", "authentication"]).default("utility"),
  status: z.enum(["APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED"]).default("APPROVED"),
  header: z.strictObject({
    format: z.enum(["TEXT", "IMAGE", "VIDEO", "DOCUMENT", "LOCATION"]),
    text: z.string().max(60).optional(),
  }).optional(),
  body: z.string().min(1).max(1_024),
  footer: z.string().max(60).optional(),
  buttons: z.array(button).max(10).default([]),
  /** Held messages answer `held_for_quality_assessment`, and later go out or fail with 132015. */
  pacing: z.enum(["none", "held_then_sent", "held_then_dropped"]).default("none"),
});
export type Template = z.output<typeof templateSchema>;

/** The templates of all business accounts. An account without any accepts every template. */
export interface Templates {
  put(template: Template): void;
  find(accountId: string, sent: SentTemplate): Template | undefined;
  check(accountId: string, sent: SentTemplate, strict: boolean): Refusal | null;
  all(): Template[];
  clear(): void;
}

const REMEMBERED_TEMPLATES = 10_000;

export function createTemplates(): Templates {
  const templates = new RecentMap<string, Template>(REMEMBERED_TEMPLATES);
  const accounts = new Set<string>();
  const keyOf = (accountId: string, name: string, language: string) =>
    [accountId, name, language.replace("-", "_").toLowerCase()].join(" ");
  const find = (accountId: string, sent: SentTemplate) =>
    templates.get(keyOf(accountId, sent.name, sent.language.code));

  return {
    put(template) {
      const { business_account_id, name, language } = template;
      templates.set(keyOf(business_account_id, name, language), template);
      accounts.add(business_account_id);
    },
    find,
    check(accountId, sent, strict) {
      const template = find(accountId, sent);
      if (template !== undefined) return checkAgainst(template, sent.components ?? []);
      if (!strict && !accounts.has(accountId)) return null;
      const details = `template name (${sent.name}) does not exist in ${sent.language.code}`;
      return { code: 132001, details };
    },
    all: () => [...templates.values()],
    clear() {
      templates.clear();
      accounts.clear();
    },
  };
}

const refusedStates: Partial<Record<Template["status"], number>> = {
  PENDING: 132001,
  REJECTED: 132001,
  PAUSED: 132015,
  DISABLED: 132016,
};
const MOST_FILLED_CHARACTERS = 1_024;

function checkAgainst(template: Template, components: Component[]): Refusal | null {
  const code = refusedStates[template.status];
  if (code !== undefined) return { code };
  const body = parametersOf(components, "body");
  return countMismatch("body", template.body, body.length) ?? checkHeader(template, components) ??
    checkUrlButtons(template, components) ??
    (fillTemplate(template.body, body).length > MOST_FILLED_CHARACTERS ? { code: 132005 } : null);
}

function countMismatch(part: string, text: string, got: number): Refusal | null {
  const expected = variablesOf(text).length;
  if (expected === got) return null;
  const details =
    `${part}: number of localizable_params (${got}) does not match the expected number of params (${expected})`;
  return { code: 132000, details };
}

function checkHeader(template: Template, components: Component[]): Refusal | null {
  if (template.header === undefined) return null;
  const parameters = parametersOf(components, "header");
  const format = template.header.format.toLowerCase();
  if (format === "text") {
    return countMismatch("header", template.header.text ?? "", parameters.length);
  }
  if (parameters[0]?.type === format) return null;
  const got = parameters[0]?.type.toUpperCase() ?? "UNKNOWN";
  const details = `header: Format mismatch, expected ${template.header.format}, received ${got}`;
  return { code: 132012, details };
}

function checkUrlButtons(template: Template, components: Component[]): Refusal | null {
  for (const [index, { type, url }] of template.buttons.entries()) {
    if (type !== "URL" || !url?.includes("{{")) continue;
    const filled = components.some((component) =>
      component.type.toLowerCase() === "button" && Number(component.index) === index &&
      (component.parameters ?? []).length > 0
    );
    if (filled) continue;
    const details = `buttons: Button at index ${index} of type Url requires a parameter`;
    return { code: 131008, details };
  }
  return null;
}

function parametersOf(components: Component[], type: string) {
  return components.find((component) => component.type.toLowerCase() === type)?.parameters ?? [];
}

function variablesOf(text: string): string[] {
  return [...new Set([...text.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, name]) => String(name)))];
}

/** The text with its variables filled by position or by `parameter_name`. */
export function fillTemplate(
  text: string,
  parameters: NonNullable<Component["parameters"]>,
): string {
  return text.replace(/\{\{\s*(\w+)\s*\}\}/g, (variable, name) => {
    const parameter = parameters.find((one) => one.parameter_name === name) ??
      parameters[Number(name) - 1];
    return parameter === undefined ? variable : parameterText(parameter);
  });
}

function parameterText(parameter: { type: string; [content: string]: unknown }): string {
  const content = parameter[parameter.type];
  if (typeof content === "object" && content !== null && "fallback_value" in content) {
    return String(content.fallback_value);
  }
  return typeof content === "string" ? content : `[${parameter.type}]`;
}
