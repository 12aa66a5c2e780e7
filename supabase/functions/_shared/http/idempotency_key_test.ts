import { strict as assert } from "node:assert";
import { readIdempotencyKey, requireIdempotencyKey } from "./idempotency_key.ts";

function withKey(key?: string): Request {
  return new Request(
    "http://localhost/",
    key === undefined ? {} : {
      headers: { "idempotency-key": key },
    },
  );
}

const accepted: [label: string, header: string, key: string][] = [
  ["a bare key", "order-4711", "order-4711"],
  ["a quoted key", `"order-4711"`, "order-4711"],
  ["a key of one character", "a", "a"],
  ["a key of 255 characters", "a".repeat(255), "a".repeat(255)],
  [
    "every visible character",
    `!"#$%&'()*+,-./:;<=>?@[\\]^_\`{|}~`,
    `!"#$%&'()*+,-./:;<=>?@[\\]^_\`{|}~`,
  ],
];

for (const [label, header, key] of accepted) {
  Deno.test(`requireIdempotencyKey takes ${label}`, () => {
    assert.deepEqual(requireIdempotencyKey(withKey(header)), { ok: true, key });
  });
}

for (
  const [label, header] of [
    ["quotes around nothing", `""`],
    ["256 characters", "a".repeat(256)],
    ["a space", "order 4711"],
    ["a letter beyond ASCII", "ordré"],
  ] as const
) {
  Deno.test(`readIdempotencyKey refuses a key of ${label} with 400`, async () => {
    const read = readIdempotencyKey(withKey(header));
    assert.ok(!read.ok);
    assert.equal(read.response.status, 400);
    assert.equal((await read.response.json()).code, "invalid_idempotency_key");
  });
}

Deno.test("readIdempotencyKey tells that there is no key", () => {
  assert.deepEqual(readIdempotencyKey(withKey()), { ok: true, key: null });
  assert.deepEqual(readIdempotencyKey(withKey("")), { ok: true, key: null });
});

Deno.test("requireIdempotencyKey answers a missing key with 400 and its code", async () => {
  const read = requireIdempotencyKey(withKey());
  assert.ok(!read.ok);
  assert.equal(read.response.status, 400);
  assert.equal((await read.response.json()).code, "missing_idempotency_key");
});
