import { namedIdempotencyKey } from "../_shared/http/idempotency_key.ts";

const MIN_CHARACTERS = 16;
const MAX_CHARACTERS = 255;

export type ReadIdempotencyKey =
  | { ok: true; key: string }
  | { ok: false; error: "missing_idempotency_key" | "invalid_idempotency_key" };

/** The key of a financial operation, which must have one: 16 to 255 characters. */
export function readIdempotencyKey(request: Request): ReadIdempotencyKey {
  const key = namedIdempotencyKey(request);
  if (key === null) return { ok: false, error: "missing_idempotency_key" };
  const fits = key.length >= MIN_CHARACTERS && key.length <= MAX_CHARACTERS;
  return fits ? { ok: true, key } : { ok: false, error: "invalid_idempotency_key" };
}
