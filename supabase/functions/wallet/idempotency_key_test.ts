import { strict as assert } from "node:assert";
import { readIdempotencyKey } from "./idempotency_key.ts";

function withKey(key: string | null): Request {
  const headers = key === null ? {} : { "idempotency-key": key };
  return new Request("http://localhost/", { headers });
}

const accepted: [title: string, header: string, key: string][] = [
  ["16 characters", "k".repeat(16), "k".repeat(16)],
  ["255 characters", "k".repeat(255), "k".repeat(255)],
  ["a quoted key as the key itself", `"${"k".repeat(16)}"`, "k".repeat(16)],
];
for (const [title, header, key] of accepted) {
  Deno.test(`readIdempotencyKey() accepts ${title}`, () => {
    assert.deepEqual(readIdempotencyKey(withKey(header)), { ok: true, key });
  });
}

const refused: [title: string, header: string | null, error: string][] = [
  ["no header", null, "missing_idempotency_key"],
  ["an empty header", "", "missing_idempotency_key"],
  ["15 characters", "k".repeat(15), "invalid_idempotency_key"],
  ["256 characters", "k".repeat(256), "invalid_idempotency_key"],
  ["14 quoted characters", `"${"k".repeat(14)}"`, "invalid_idempotency_key"],
];
for (const [title, header, error] of refused) {
  Deno.test(`readIdempotencyKey() refuses ${title} as ${error}`, () => {
    assert.deepEqual(readIdempotencyKey(withKey(header)), { ok: false, error });
  });
}
