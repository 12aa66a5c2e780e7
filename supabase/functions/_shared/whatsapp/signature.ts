import { Buffer } from "node:buffer";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Bytes } from "../bytes.ts";

/** Says whether Meta signed exactly these bytes with a secret that is in use. */
export type VerifySignature = (body: Bytes, header: string | null) => boolean;

const SIGNATURE = /^sha256=([0-9a-f]{64})$/i;

/**
 * Verifies `X-Hub-Signature-256` over the raw body under any of the secrets (current, previous).
 * The bytes must be those of the wire: parsed and written again they have another signature.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint (2026-06)
 */
export function createSignatureVerifier(secrets: readonly string[]): VerifySignature {
  if (secrets.length === 0 || secrets.includes("")) {
    throw new RangeError("Cannot verify signatures: an app secret is empty or missing");
  }
  return (body, header) => {
    const [, hex] = SIGNATURE.exec(header ?? "") ?? [];
    if (hex === undefined) return false;
    const signature = Buffer.from(hex, "hex");
    // Not Web Crypto, which goes through a thread: with hundreds of requests at once that costs
    // eight times the processor time of the digest (61 µs against 8 µs, measured 2026-11-22).
    return secrets.some((secret) =>
      timingSafeEqual(createHmac("sha256", secret).update(body).digest(), signature)
    );
  };
}

/** Compares two secrets in a time that tells neither their content nor the expected length. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
