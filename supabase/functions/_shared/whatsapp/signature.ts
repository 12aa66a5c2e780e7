import { createHash, timingSafeEqual } from "node:crypto";
import type { Bytes } from "../bytes.ts";

/** Says whether Meta signed exactly these bytes with a secret that is in use. */
export type VerifySignature = (body: Bytes, header: string | null) => Promise<boolean>;

const SIGNATURE = /^sha256=([0-9a-f]{64})$/i;
const HMAC = { name: "HMAC", hash: "SHA-256" };

/**
 * Verifies `X-Hub-Signature-256` over the raw body under any of the secrets (current, previous).
 * The bytes must be those of the wire: parsed and written again they have another signature.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint (2026-06)
 */
export function createSignatureVerifier(secrets: readonly string[]): VerifySignature {
  if (secrets.length === 0 || secrets.includes("")) {
    throw new RangeError("Cannot verify signatures: an app secret is empty or missing");
  }
  const importing = Promise.all(secrets.map(importKey));
  // Reported where a verification awaits it, not as an unhandled rejection at start.
  importing.catch(() => {});
  return async (body, header) => {
    const [, hex] = SIGNATURE.exec(header ?? "") ?? [];
    if (hex === undefined) return false;
    const signature = fromHex(hex);
    for (const key of await importing) {
      // Web Crypto compares in constant time.
      if (await crypto.subtle.verify("HMAC", key, signature, body)) return true;
    }
    return false;
  };
}

/** Compares two secrets in a time that tells neither their content nor the expected length. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function importKey(secret: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", new TextEncoder().encode(secret), HMAC, false, ["verify"]);
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function fromHex(hex: string): Bytes {
  const bytes = new Uint8Array(hex.length / 2);
  bytes.forEach((_, index) => {
    bytes[index] = Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16);
  });
  return bytes;
}
