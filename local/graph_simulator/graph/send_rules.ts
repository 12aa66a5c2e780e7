import type { Refusal } from "./error_bodies.ts";
import {
  checkFields,
  compileRules,
  type CrossRule,
  type FieldRule,
  INVALID_PARAMETER,
  isObject,
  missing,
} from "./field_rules.ts";
import { checkInteractive } from "./interactive_rules.ts";
import { checkTemplateShape } from "./template_rules.ts";

/** A request body whose shape has not been checked beyond being an object. */
export type SendBody = Record<string, unknown>;

const sharedRules = compileRules([
  { at: "messaging_product", kind: "string", required: true, oneOf: ["whatsapp"] },
  { at: "recipient_type", kind: "string", oneOf: ["individual", "group"] },
  { at: "to", kind: "string" },
  { at: "recipient", kind: "string" },
  { at: "context", kind: "object" },
  { at: "context.message_id", kind: "string", required: true },
  { at: "biz_opaque_callback_data", kind: "string", max: 512 },
  { at: "category", kind: "string", oneOf: ["utility", "authentication"] },
]);

const readRules = compileRules([
  { at: "messaging_product", kind: "string", required: true, oneOf: ["whatsapp"] },
  { at: "status", kind: "string", required: true, oneOf: ["read"] },
  { at: "message_id", kind: "string", required: true },
  { at: "typing_indicator", kind: "object" },
  { at: "typing_indicator.type", kind: "string", required: true, oneOf: ["text"] },
]);

interface TypeRules {
  fields: readonly FieldRule[];
  across?: readonly CrossRule<SendBody>[];
}

const CAPTION: FieldRule = { at: "caption", kind: "string", max: 1_024 };

/** The message types and their limits. */
const typeRules: Readonly<Record<string, TypeRules>> = {
  text: {
    fields: [
      { at: "text.body", kind: "string", required: true, max: 4_096 },
      { at: "text.preview_url", kind: "boolean" },
    ],
  },
  image: media("image", [CAPTION]),
  video: media("video", [CAPTION]),
  audio: media("audio", [{ at: "voice", kind: "boolean" }], ["caption", "filename"]),
  document: media("document", [CAPTION, { at: "filename", kind: "string", max: 240 }]),
  sticker: media("sticker", [], ["caption", "filename"]),
  location: {
    fields: [
      { at: "location.latitude", kind: "number", required: true },
      { at: "location.longitude", kind: "number", required: true },
      { at: "location.name", kind: "string", max: 1_000 },
      { at: "location.address", kind: "string", max: 1_000 },
    ],
    across: [coordinatesAreOnEarth],
  },
  contacts: {
    fields: [
      { at: "contacts[]", kind: "object", required: true },
      { at: "contacts[].name", kind: "object", required: true },
      { at: "contacts[].name.formatted_name", kind: "string", required: true },
      { at: "contacts[].phones", kind: "array" },
      { at: "contacts[].phones[].phone", kind: "string" },
    ],
    across: [contactsHaveTwoNameParts],
  },
  reaction: {
    fields: [
      { at: "reaction.message_id", kind: "string", required: true },
      // An empty emoji takes the reaction back.
      { at: "reaction.emoji", kind: "string", required: true, min: 0 },
    ],
    across: [reactionQuotesNothing],
  },
  template: { fields: [], across: [checkTemplateShape] },
  interactive: { fields: [], across: [checkInteractive] },
};

const KNOWN_TYPES = Object.keys(typeRules);
/** Meta allows 257 contacts in a message (its page of November 2025). */
const MOST_CONTACTS = 257;

const compiledTypes = new Map(
  Object.entries(typeRules).map(([type, rules]) => [type, {
    fields: compileRules([
      type === "contacts"
        ? { at: type, kind: "array", required: true, min: 1, max: MOST_CONTACTS }
        : { at: type, kind: "object", required: true },
      ...rules.fields,
    ]),
    across: rules.across ?? [],
  }]),
);

/** Why Meta refuses this message before looking at anything but the body; null when it is valid. */
export function checkSendBody(body: SendBody): Refusal | null {
  const refusal = checkFields(body, sharedRules, INVALID_PARAMETER);
  if (refusal !== null) return refusal;
  if (!body.to && !body.recipient) return missing("to");
  const rules = compiledTypes.get(messageType(body));
  if (rules === undefined) return unknownType(body.type);
  return checkFields(body, rules.fields, INVALID_PARAMETER) ??
    firstRefusal(rules.across, body);
}

/** Why Meta refuses a mark-as-read or typing body. */
export function checkReadBody(body: SendBody): Refusal | null {
  return checkFields(body, readRules, INVALID_PARAMETER);
}

/** `type` may be left out of a text message. */
export function messageType(body: SendBody): string {
  return body.type === undefined ? "text" : String(body.type);
}

function unknownType(type: unknown): Refusal {
  const known = KNOWN_TYPES.map((name) => name.toUpperCase()).join(", ");
  return {
    code: INVALID_PARAMETER,
    details: `Param type must be one of {${known}} - got "${type}".`,
  };
}

function firstRefusal(rules: readonly CrossRule<SendBody>[], body: SendBody): Refusal | null {
  for (const rule of rules) {
    const refusal = rule(body);
    if (refusal !== null) return refusal;
  }
  return null;
}

function media(type: string, fields: FieldRule[], unexpected: string[] = []): TypeRules {
  return {
    fields: [
      { at: `${type}.id`, kind: "string" },
      { at: `${type}.link`, kind: "url" },
      ...fields.map((field) => ({ ...field, at: `${type}.${field.at}` })),
    ],
    across: [(body) => {
      const content = body[type];
      if (!isObject(content)) return null;
      for (const key of unexpected) {
        if (key in content) return refuse(`Unexpected key "${key}" on param "${type}".`);
      }
      if (!content.id && !content.link) return missing(`${type}['id'] or ${type}['link']`);
      return content.id && content.link
        ? refuse(`Only one of ${type}['id'] and ${type}['link'] is allowed.`)
        : null;
    }],
  };
}

function coordinatesAreOnEarth(body: SendBody): Refusal | null {
  const { latitude, longitude } = body.location as Record<string, unknown>;
  return Math.abs(Number(latitude)) <= 90 && Math.abs(Number(longitude)) <= 180
    ? null
    : refuse("Param location must have a latitude within 90 and a longitude within 180 degrees.");
}

const NAME_PARTS = ["first_name", "last_name", "middle_name", "suffix", "prefix"];

function contactsHaveTwoNameParts(body: SendBody): Refusal | null {
  const contacts = body.contacts as { name: Record<string, unknown> }[];
  const index = contacts.findIndex(({ name }) => !NAME_PARTS.some((part) => name[part]));
  return index < 0 ? null : missing(`contacts[${index}]['name']: one of ${NAME_PARTS.join(", ")}`);
}

function reactionQuotesNothing(body: SendBody): Refusal | null {
  return body.context === undefined ? null : refuse('Unexpected key "context" on a reaction.');
}

function refuse(details: string): Refusal {
  return { code: INVALID_PARAMETER, details };
}
