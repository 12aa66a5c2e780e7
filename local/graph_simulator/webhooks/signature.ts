import { createHmac } from "node:crypto";

/** The ways a webhook may be signed; all but `valid` must be refused by the receiver. */
export const signatureModes = [
  "valid",
  "none",
  "wrong_secret",
  "old_secret",
  "reserialised",
  "malformed",
] as const;
export type SignatureMode = (typeof signatureModes)[number];

/** What one subscribed app signs with; `previous` is what it signed with before a rotation. */
export interface Secrets {
  current: string;
  previous: string | null;
}

/** HMAC-SHA256 of exactly these bytes, as 64 lowercase hex digits. */
export function hmacHex(body: string | Uint8Array, secret: string): string {
  return createHmac("sha256", secret).update(body).digest("hex");
}

type Signer = (body: string | Uint8Array, secrets: Secrets) => string | null;

const signers: Record<SignatureMode, Signer> = {
  valid: (body, { current }) => `sha256=${hmacHex(body, current)}`,
  none: () => null,
  wrong_secret: (body, { current }) => `sha256=${hmacHex(body, `not ${current}`)}`,
  old_secret: (body, { current, previous }) =>
    `sha256=${hmacHex(body, previous ?? `before ${current}`)}`,
  // What a receiver computes that parses the body before it verifies it.
  reserialised: (body, { current }) => `sha256=${hmacHex(reserialise(body), current)}`,
  malformed: () => "sha256=not-a-digest",
};

/** The value of `X-Hub-Signature-256`, or null where the header is to be left out. */
export function signatureHeader(
  body: string | Uint8Array,
  secrets: Secrets,
  mode: SignatureMode,
): string | null {
  return signers[mode](body, secrets);
}

function reserialise(body: string | Uint8Array): string {
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  return JSON.stringify(JSON.parse(text));
}
