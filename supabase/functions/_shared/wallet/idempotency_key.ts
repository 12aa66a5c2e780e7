import { sha256Hex } from "../bytes.ts";
import { canonicalJson } from "../canonical_json.ts";

const MIN_CHARACTERS = 16;
const MAX_CHARACTERS = 255;

export type ReadIdempotencyKey =
  | { ok: true; key: string }
  | { ok: false; error: "missing_idempotency_key" | "invalid_idempotency_key" };

/** The key of a financial operation: 16 to 255 characters, bare or quoted as the IETF draft has it. */
export function readIdempotencyKey(header: string | null): ReadIdempotencyKey {
  const key = /^"(.*)"$/.exec(header ?? "")?.[1] ?? header;
  if (key === null || key === "") return { ok: false, error: "missing_idempotency_key" };
  const fits = key.length >= MIN_CHARACTERS && key.length <= MAX_CHARACTERS;
  return fits ? { ok: true, key } : { ok: false, error: "invalid_idempotency_key" };
}

/** What tells one request from another: of the whole, and of each field for naming what differs. */
export type Fingerprint = {
  fingerprint: string;
  field_digests: Record<string, string>;
};

/** SHA-256 of the request's canonical JSON; the order of its fields makes no difference. */
export async function fingerprintFields(fields: Record<string, unknown>): Promise<Fingerprint> {
  const digests = await Promise.all(
    Object.entries(fields).map(async ([name, value]) =>
      [name, await sha256Hex(canonicalJson(value))] as const
    ),
  );
  return {
    fingerprint: await sha256Hex(canonicalJson(fields)),
    field_digests: Object.fromEntries(digests),
  };
}
