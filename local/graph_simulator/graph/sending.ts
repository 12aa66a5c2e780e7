import type { BusinessNumber, BusinessNumbers } from "./business_numbers.ts";
import type { Clock } from "../clock.ts";
import type { Refusal } from "./error_bodies.ts";
import { isObject } from "./field_rules.ts";
import { digitsOf } from "../phone_numbers.ts";
import type { ReceivedLog, ReceivedOutcome } from "../script/received_log.ts";
import type { Sendable } from "../script/rules.ts";
import { messageType, type SendBody } from "./send_rules.ts";
import type { SettingsHolder } from "../script/settings.ts";
import { bearerToken } from "./tokens.ts";

/** One call to `POST /{version}/{phone_number_id}/messages`. */
export interface SendCall {
  phoneNumberId: string;
  authorization: string | null;
  body: string;
}

/** A call as it arrived; the body is null where it is no JSON object. */
export interface Arrival {
  phoneNumberId: string;
  token: string | null;
  body: SendBody | null;
  text: string;
  at: number;
}

/** A call whose number is known and whose body can be read. */
export interface Sending extends Arrival {
  number: BusinessNumber;
  body: SendBody;
}
export type Opened =
  | { ok: true; sending: Sending }
  | { ok: false; arrival: Arrival; refusal: Refusal };

export function openCall(
  deps: { clock: Clock; numbers: BusinessNumbers; settings: SettingsHolder },
  call: SendCall,
): Opened {
  const body = parseObject(call.body);
  const arrival: Arrival = {
    phoneNumberId: call.phoneNumberId,
    token: bearerToken(call.authorization),
    body,
    text: call.body,
    at: deps.clock.now(),
  };
  const number = deps.settings.current.strict
    ? deps.numbers.find(call.phoneNumberId)
    : deps.numbers.resolve(call.phoneNumberId);
  if (number === undefined) {
    return { ok: false, arrival, refusal: unknownObject(call.phoneNumberId) };
  }
  if (body === null) {
    const refusal = { code: 100, details: "The body must be a JSON object." };
    return { ok: false, arrival, refusal };
  }
  return { ok: true, sending: { ...arrival, body, number } };
}

/** How the Graph API speaks of an object that is missing or not accessible. */
export function unknownObject(id: string): Refusal {
  const details = `Unsupported request. Object with ID '${id}' does not exist, cannot be ` +
    "loaded due to missing permissions, or does not support this operation.";
  return { code: 100, subcode: 33, details };
}

/** Writes a call into the log with what became of it. */
export function noteCall(
  received: ReceivedLog,
  { phoneNumberId, token, body, text, at }: Arrival,
  outcome: ReceivedOutcome,
  { code = null, wamid = null }: { code?: number | null; wamid?: string | null } = {},
): void {
  received.add({
    at,
    phone_number_id: phoneNumberId,
    to: typeof body?.to === "string" ? body.to : null,
    type: body === null ? "unreadable" : typeOfCall(body),
    access_token: token,
    outcome,
    code,
    wamid,
    body: text,
  });
}

/** Mark-as-read and typing bodies come to the same address as messages. */
function typeOfCall(body: SendBody): string {
  if (body.status === undefined) return messageType(body);
  return body.typing_indicator === undefined ? "read" : "typing";
}

/** What rules may look at. */
export function sendableOf({ phoneNumberId, body }: Sending): Sendable {
  const template = isObject(body.template) ? body.template.name : null;
  const opaqueCallback = body.biz_opaque_callback_data;
  return {
    phone_number_id: phoneNumberId,
    to: digitsOf(String(body.to ?? "")),
    type: typeOfCall(body),
    template: typeof template === "string" ? template : null,
    callback_data: typeof opaqueCallback === "string" ? opaqueCallback : null,
  };
}

function parseObject(text: string): SendBody | null {
  try {
    const body: unknown = JSON.parse(text);
    return isObject(body) ? body : null;
  } catch {
    // Not JSON: the caller is told so by an error body, as by Meta.
    return null;
  }
}
