import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Bytes } from "../bytes.ts";

/** Says whether Stripe signed exactly these bytes, not long ago, with a secret that is in use. */
export type VerifyStripeSignature = (body: Bytes, header: string | null, nowMs: number) => boolean;

/** As far as Stripe's own libraries let the clocks differ, and a captured request live. */
const TOLERANCE_SECONDS = 300;
const MAX_HEADER_CHARACTERS = 2_048;
const SIGNATURE = /^[0-9a-f]{64}$/i;

/**
 * Verifies `Stripe-Signature`: `t=<seconds>,v1=<hex>[,v1=<hex>…]`, where each v1 is the HMAC-SHA256 of
 * `<seconds>.<body>`; one of them under one of the secrets is enough, other schemes count for nothing.
 * https://docs.stripe.com/webhooks#verify-manually (2026-11)
 */
export function createStripeVerifier(secrets: readonly string[]): VerifyStripeSignature {
  if (secrets.length === 0 || secrets.includes("")) {
    throw new RangeError("Cannot verify signatures: a webhook secret is empty or missing");
  }
  return (body, header, nowMs) => {
    const { time, signatures } = readHeader(header);
    if (time === null || signatures.length === 0) return false;
    if (Math.abs(nowMs / 1_000 - Number(time)) > TOLERANCE_SECONDS) return false;
    const expected = secrets.map((secret) =>
      createHmac("sha256", secret).update(`${time}.`).update(body).digest()
    );
    return signatures.some((signature) =>
      expected.some((digest) => timingSafeEqual(digest, signature))
    );
  };
}

function readHeader(header: string | null): { time: string | null; signatures: Buffer[] } {
  let time: string | null = null;
  const signatures: Buffer[] = [];
  if (header === null || header.length > MAX_HEADER_CHARACTERS) return { time, signatures };
  for (const part of header.split(",")) {
    const [scheme, value = ""] = part.trim().split("=", 2);
    if (scheme === "t" && /^\d{1,12}$/.test(value)) time = value;
    if (scheme === "v1" && SIGNATURE.test(value)) signatures.push(Buffer.from(value, "hex"));
  }
  return { time, signatures };
}
