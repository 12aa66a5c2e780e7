import { createHash } from "node:crypto";

/** JSON text with sorted keys and no white space (RFC 8785), so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    // By UTF-16 code units, as the RFC asks: the default comparison of strings.
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
}

export interface RequestDigest {
  /** SHA-256 of the whole request. */
  fingerprint: string;
  /** SHA-256 of each top-level field, to name those in which two requests differ. */
  field_digests: Record<string, string>;
}

/** Recognises a request by what it says, not by how it was written. */
export function digestRequest(request: Record<string, unknown>): RequestDigest {
  const fields = Object.entries(request).filter(([, value]) => value !== undefined);
  return {
    fingerprint: sha256(request),
    field_digests: Object.fromEntries(fields.map(([name, value]) => [name, sha256(value)])),
  };
}

// Not web crypto: a batch of 1,000 takes 8,000 digests, and each would cost a promise and ten times
// the processor time (140 ms against 15 ms, measured 2026-11-22).
function sha256(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}
