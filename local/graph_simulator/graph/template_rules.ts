import type { Refusal } from "./error_bodies.ts";
import { checkFields, compileRules, INVALID_PARAMETER, isObject, MISSING } from "./field_rules.ts";

const COMPONENTS = ["header", "body", "button", "carousel", "limited_time_offer"];
const BUTTONS = [
  "quick_reply",
  "url",
  "copy_code",
  "flow",
  "catalog",
  "mpm",
  "order_details",
  "voice_call",
  "booking_confirmation",
  "reminder",
];
const PARAMETERS = [
  "text",
  "currency",
  "date_time",
  "image",
  "video",
  "document",
  "location",
  "payload",
  "coupon_code",
  "action",
  "product",
  "ttl",
  "limited_time_offer",
];

const shape = compileRules([
  { at: "template.name", kind: "string", required: true, max: 512 },
  { at: "template.language", kind: "object", required: true },
  { at: "template.language.code", kind: "string", required: true },
  { at: "template.components", kind: "array" },
  { at: "template.components[]", kind: "object", required: true },
  { at: "template.components[].type", kind: "string", required: true },
  { at: "template.components[].parameters", kind: "array" },
  { at: "template.components[].parameters[]", kind: "object", required: true },
  { at: "template.components[].parameters[].type", kind: "string", required: true },
]);

interface Parameter {
  type: string;
  parameter_name?: unknown;
  [content: string]: unknown;
}
export interface Component {
  type: string;
  sub_type?: unknown;
  index?: unknown;
  parameters?: Parameter[];
}
/** The `template` object once its shape is known to be good. */
export interface SentTemplate {
  name: string;
  language: { code: string };
  components?: Component[];
}

/** Why Meta refuses a template message whatever the template says. */
export function checkTemplateShape(body: Record<string, unknown>): Refusal | null {
  const refusal = checkFields(body, shape, INVALID_PARAMETER);
  if (refusal !== null) return refusal;
  const template = body.template as SentTemplate;
  if (!/^[a-z0-9_]+$/.test(template.name)) {
    return invalid("Param template['name'] may have lowercase letters, digits and underscores.");
  }
  for (const [index, component] of (template.components ?? []).entries()) {
    const problem = checkComponent(component, `components[${index}]`);
    if (problem !== null) return problem;
  }
  return null;
}

function checkComponent(component: Component, at: string): Refusal | null {
  const type = component.type.toLowerCase();
  if (!COMPONENTS.includes(type)) {
    return invalid(`${at}: type must be one of {${COMPONENTS.join(", ")}}.`);
  }
  if (type === "button") {
    if (!BUTTONS.includes(String(component.sub_type).toLowerCase())) {
      return invalid(`${at}: sub_type must be one of {${BUTTONS.join(", ")}}.`);
    }
    // Both "0" and 0 are seen in the field.
    if (!/^\d$/.test(String(component.index))) return invalid(`${at}: index must be 0 to 9.`);
  }
  for (const [index, parameter] of (component.parameters ?? []).entries()) {
    const problem = checkParameter(parameter, `${at}['parameters'][${index}]`);
    if (problem !== null) return problem;
  }
  return null;
}

function checkParameter(parameter: Parameter, at: string): Refusal | null {
  if (!PARAMETERS.includes(parameter.type)) {
    return invalid(`${at}: type must be one of {${PARAMETERS.join(", ")}}.`);
  }
  const content = parameter[parameter.type];
  if (content === undefined || content === null || content === "") {
    const details = `${at}: Parameter of type ${parameter.type} is missing ${parameter.type} value`;
    return { code: MISSING, details };
  }
  const isMedia = ["image", "video", "document"].includes(parameter.type);
  return isMedia && isObject(content) && !content.id && !content.link
    ? { code: MISSING, details: `${at}: one of id and link is required.` }
    : null;
}

const invalid = (details: string): Refusal => ({ code: INVALID_PARAMETER, details });
