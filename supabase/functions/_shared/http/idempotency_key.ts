import { problem } from "./problem.ts";

export type ReadKey = { ok: true; key: string } | { ok: false; response: Response };

const MAX_CHARACTERS = 255;

/** What a request names as its key, bare or quoted as the IETF draft has it; null when it names none. */
export function namedIdempotencyKey(request: Request): string | null {
  const header = request.headers.get("idempotency-key");
  if (header === null || header === "") return null;
  return /^"(.*)"$/.exec(header)?.[1] ?? header;
}

/** The Idempotency-Key of a request, 1 to 255 visible ASCII characters; null when there is none. */
export function readIdempotencyKey(
  request: Request,
): { ok: true; key: string | null } | { ok: false; response: Response } {
  const key = namedIdempotencyKey(request);
  if (key === null) return { ok: true, key };
  if (/^[\x21-\x7e]+$/.test(key) && key.length <= MAX_CHARACTERS) return { ok: true, key };
  const detail = `Idempotency-Key must be 1 to ${MAX_CHARACTERS} visible ASCII characters.`;
  return { ok: false, response: problem(400, "invalid_idempotency_key", detail) };
}

/** As readIdempotencyKey, for requests that must have one. */
export function requireIdempotencyKey(request: Request): ReadKey {
  const read = readIdempotencyKey(request);
  if (!read.ok) return read;
  if (read.key !== null) return { ok: true, key: read.key };
  const detail = "The header Idempotency-Key is required, so that a repetition is safe: " +
    "send a new one for each request, and the same when you repeat it.";
  return { ok: false, response: problem(400, "missing_idempotency_key", detail) };
}
