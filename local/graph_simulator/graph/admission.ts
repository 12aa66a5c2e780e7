import type { BusinessNumber } from "./business_numbers.ts";
import type { Customers } from "../phone/customers.ts";
import type { Refusal } from "./error_bodies.ts";
import { INVALID_VALUE, isObject } from "./field_rules.ts";
import type { Limits } from "./limits.ts";
import { canBeSentAs, type MediaStore } from "./media.ts";
import { readRecipient } from "../phone_numbers.ts";
import { checkSendBody, messageType, type SendBody } from "./send_rules.ts";
import type { SettingsHolder } from "../script/settings.ts";
import type { SentTemplate } from "./template_rules.ts";
import type { Template, Templates } from "./templates.ts";

/** Who a valid message goes to, as what, and whether it will fail after it was accepted. */
export interface Admission {
  input: string;
  waId: string | null;
  userId: string;
  type: string;
  category: string;
  template: Template | undefined;
  sentTemplate: SentTemplate | undefined;
  failsWith: number | null;
}
export type Admitted = { ok: true; admission: Admission } | { ok: false; refusal: Refusal };

export interface AdmissionDeps {
  settings: SettingsHolder;
  customers: Customers;
  templates: Templates;
  limits: Limits;
  media: MediaStore;
}

type Addressee =
  | { ok: true; input: string; waId: string | null; userId: string }
  | { ok: false; refusal: Refusal };

/** Decides on a send in the order in which Meta does: body, recipient, template, limits. */
export function admit(deps: AdmissionDeps, number: BusinessNumber, body: SendBody): Admitted {
  const malformed = checkSendBody(body);
  if (malformed !== null) return { ok: false, refusal: malformed };
  const addressee = addresseeOf(deps, number, body);
  if (!addressee.ok) return addressee;
  const { waId } = addressee;
  const type = messageType(body);
  const sentTemplate = type === "template" ? body.template as SentTemplate : undefined;
  const template = sentTemplate &&
    deps.templates.find(number.businessAccountId, sentTemplate);
  const category = categoryOf(deps, body, sentTemplate, template);

  const refusal = numberRefusal(number, waId) ??
    templateRefusal(deps, number, waId, category, sentTemplate) ??
    windowRefusal(deps, number, waId, type) ??
    deps.limits.check(number, waId ?? addressee.userId, deps.settings.current.limits);
  if (refusal !== null) return { ok: false, refusal };
  const failsWith = laterFailure(deps, number, waId, type, category, body);
  return {
    ok: true,
    admission: { ...addressee, type, category, template, sentTemplate, failsWith },
  };
}

function addresseeOf(
  { settings, customers }: AdmissionDeps,
  number: BusinessNumber,
  body: SendBody,
): Addressee {
  // No group exists here, so none can be written to.
  if (body.recipient_type === "group") return { ok: false, refusal: { code: 131020 } };
  if (typeof body.to !== "string" || body.to === "") {
    const userId = String(body.recipient);
    return { ok: true, input: userId, waId: customers.findByUserId(userId) ?? null, userId };
  }
  const { missing_plus, rewrite_wa_id } = settings.current.recipients;
  const waId = readRecipient(body.to, {
    countryCode: number.countryCode,
    missingPlus: missing_plus,
    rewrite: rewrite_wa_id,
  });
  if (waId === null) {
    const details = `Param to must be a phone number - got "${body.to}".`;
    return { ok: false, refusal: { code: INVALID_VALUE, details } };
  }
  const userId = customers.userId(number.portfolioId, waId);
  return { ok: true, input: body.to, waId, userId };
}

function numberRefusal(number: BusinessNumber, waId: string | null): Refusal | null {
  if (!number.registered) return { code: 133010 };
  if (waId === number.waId) return { code: 131021 };
  const allowed = number.allowedRecipients;
  return allowed !== null && !allowed.has(String(waId)) ? { code: 131030 } : null;
}

function categoryOf(
  { settings }: AdmissionDeps,
  body: SendBody,
  sent: SentTemplate | undefined,
  template: Template | undefined,
): string {
  if (sent !== undefined) return template?.category ?? settings.current.pricing.template_category;
  // Direct Send: free-form text that is charged like a template.
  return typeof body.category === "string" ? body.category : "service";
}

function templateRefusal(
  { templates, settings }: AdmissionDeps,
  number: BusinessNumber,
  waId: string | null,
  category: string,
  sent: SentTemplate | undefined,
): Refusal | null {
  if (sent === undefined) return null;
  if (waId === null && category === "authentication") return { code: 131062 };
  return templates.check(number.businessAccountId, sent, settings.current.strict);
}

const needsWindow = (type: string) => type !== "template";

function windowRefusal(
  { settings, limits }: AdmissionDeps,
  number: BusinessNumber,
  waId: string | null,
  type: string,
): Refusal | null {
  if (settings.current.service_window !== "sync" || !needsWindow(type) || waId === null) {
    return null;
  }
  return limits.isWindowOpen(number, waId) ? null : { code: 131047 };
}

/** What Meta finds out only after it has accepted the message. */
function laterFailure(
  deps: AdmissionDeps,
  number: BusinessNumber,
  waId: string | null,
  type: string,
  category: string,
  body: SendBody,
): number | null {
  if (waId !== null) {
    const customer = deps.customers.look(waId);
    if (!customer.onWhatsapp) return 131026;
    if (customer.stoppedMarketing && category === "marketing") return 131050;
    const shut = deps.settings.current.service_window === "async" && needsWindow(type) &&
      !deps.limits.isWindowOpen(number, waId);
    if (shut) return 131047;
  }
  return isMediaUsable(deps, number, type, body[type]) ? null : 131053;
}

/** An id that this simulator never gave out passes, unless the settings are strict. */
function isMediaUsable(
  { media, settings }: AdmissionDeps,
  number: BusinessNumber,
  type: string,
  content: unknown,
): boolean {
  if (!isObject(content) || typeof content.id !== "string") return true;
  if (!["image", "video", "audio", "document", "sticker"].includes(type)) return true;
  const file = media.find(content.id);
  if (file === undefined) return !settings.current.strict;
  return file !== "expired" && file.phoneNumberId === number.phoneNumberId &&
    canBeSentAs(file.mimeType, type);
}
