import type { Bytes } from "../bytes.ts";
import type { JsonObject } from "./webhook_json.ts";

// Valid bodies as Meta sends them, for tests to start from and break one thing.

export const BUSINESS_ACCOUNT_ID = "102290129340398";
export const PHONE_NUMBER_ID = "106540352242922";

/** An inbound text message, as it stands in `messages[]`. */
export function exampleMessage(overrides: JsonObject = {}): JsonObject {
  return {
    from: "16505551234",
    id: "wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
    timestamp: "1749416383",
    type: "text",
    text: { body: "Does it come in another color?" },
    ...overrides,
  };
}

/** A delivery report with its price, as it stands in `statuses[]`. */
export function exampleStatus(overrides: JsonObject = {}): JsonObject {
  return {
    id: "wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI3MTE5MjY3MEU4OTMxRkM0MzgA",
    status: "delivered",
    timestamp: "1750030073",
    recipient_id: "16505551234",
    biz_opaque_callback_data: "0198f2f4-7c6e-7d3a-9d0e-6a8f2f4c1b11",
    pricing: { billable: true, pricing_model: "PMP", type: "regular", category: "utility" },
    ...overrides,
  };
}

/** The value of field `messages`: metadata, the contact of the examples, and the given members. */
export function exampleValue(members: JsonObject): JsonObject {
  return {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: "15550783881", phone_number_id: PHONE_NUMBER_ID },
    contacts: [{ profile: { name: "Sheena Nelson" }, wa_id: "16505551234" }],
    ...members,
  };
}

/** One change of a business account as a whole notification. */
export function exampleNotification(
  value: unknown,
  overrides: { id?: unknown; field?: unknown; time?: unknown } = {},
): JsonObject {
  const { id = BUSINESS_ACCOUNT_ID, field = "messages", time } = overrides;
  const entry = { id, ...(time === undefined ? {} : { time }), changes: [{ field, value }] };
  return { object: "whatsapp_business_account", entry: [entry] };
}

/** The bytes of the body, written as JSON unless it is text already. */
export function toBody(body: unknown): Bytes {
  return new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
}

/** What Meta puts into X-Hub-Signature-256 for these bytes. */
export async function signBody(body: Bytes, secret: string): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const bytes = new TextEncoder().encode(secret);
  const key = await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign"]);
  const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, body));
  return `sha256=${Array.from(signature, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
