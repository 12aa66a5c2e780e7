import { strict as assert } from "node:assert";
import { maskPhone, redact } from "./redact.ts";

const cases: [label: string, fields: unknown, expected: unknown][] = [
  ["an access token", { access_token: "EAAGm0PX4ZCpsBAKZ" }, { access_token: "[redacted]" }],
  ["a password", { password: "hunter2" }, { password: "[redacted]" }],
  ["a header", { Authorization: "Bearer x" }, { Authorization: "[redacted]" }],
  ["an API key", { apikey: "k", api_key: "k" }, { apikey: "[redacted]", api_key: "[redacted]" }],
  ["a whole credential", { credential: { a: 1 } }, { credential: "[redacted]" }],
  ["a list of secrets", { app_secret: ["a", "b"] }, { app_secret: "[redacted]" }],
  ["a secret at depth", { a: [{ b: { secret: "x" } }] }, { a: [{ b: { secret: "[redacted]" } }] }],
  ["the text of a message", { text: { body: "hello" } }, { text: "[redacted]" }],
  ["our API key in a sentence", { detail: "key swy_abcdefgh1234 failed" }, {
    detail: "key [redacted] failed",
  }],
  ["Meta's token in a sentence", { detail: "token EAAGm0PX4ZCpsBA is old" }, {
    detail: "token [redacted] is old",
  }],
  ["a JSON Web Token in a sentence", { detail: "eyJhbGciOi.eyJzdWIiOi.c2ln bad" }, {
    detail: "[redacted] bad",
  }],
  ["a secret in a query", { url: "https://x/?hub.verify_token=abc&a=1" }, {
    url: "https://x/?hub.verify_token=[redacted]&a=1",
  }],
  ["a phone number by name", { to: "+4915112345678" }, { to: "+49…78" }],
  ["a phone number in a sentence", { detail: "no user +49 151 1234 5678 here" }, {
    detail: "no user +49…78 here",
  }],
  ["a phone number without plus", { detail: "recipient 4915112345678 not allowed" }, {
    detail: "recipient 491…78 not allowed",
  }],
  ["a mail address", { detail: "ann.o@example.com bounced" }, { detail: "[mail address] bounced" }],
  ["a row that broke a constraint", { detail: "Failing row contains (1, hello\nthere)." }, {
    detail: "Failing row contains [redacted]",
  }],
  ["an idempotency key", { idempotency_key: "order-4711-a" }, { idempotency_key: "orde…" }],
  ["a number under a secret's name", { token_count: 5, has_token: true }, {
    token_count: 5,
    has_token: true,
  }],
  ["Meta's ids", { phone_number_id: "100000000000001", waba_id: "200000000000001" }, {
    phone_number_id: "100000000000001",
    waba_id: "200000000000001",
  }],
  ["a version", { credential_version: 3 }, { credential_version: 3 }],
  ["a UUID in a path", { path: "/x/123e4567-e89b-12d3-a456-426614174000" }, {
    path: "/x/123e4567-e89b-12d3-a456-426614174000",
  }],
  ["a time", { at: "2026-11-22T04:00:00+00:00" }, { at: "2026-11-22T04:00:00+00:00" }],
];

for (const [label, fields, expected] of cases) {
  Deno.test(`redact treats ${label}`, () => assert.deepEqual(redact(fields), expected));
}

Deno.test("redact keeps an error's kind and cause, and masks what it says", () => {
  const cause = new TypeError("cannot reach +4915112345678");
  const error = Object.assign(new Error("Cannot send", { cause }), { code: 7 });
  const text = JSON.stringify(redact({ error }));
  assert.match(text, /"name":"TypeError"/);
  assert.match(text, /"code":7/);
  assert.doesNotMatch(text, /15112345678/);
});

Deno.test("redact ends at a bounded depth, also in a circle", () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  assert.match(JSON.stringify(redact(circle)), /\[deep\]/);
});

Deno.test("redact bounds long lists and long texts", () => {
  const redacted = redact({ list: Array(60).fill("a"), long: "x".repeat(5_000) });
  const { list, long } = redacted as { list: string[]; long: string };
  assert.equal(list.at(-1), "[10 more]");
  assert.equal(long.length, 2_001);
});

Deno.test("maskPhone shows nothing of a short number", () => {
  assert.equal(maskPhone("12345"), "…");
});
