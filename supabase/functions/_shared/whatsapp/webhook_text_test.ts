import { strict as assert } from "node:assert";
import { toBody } from "./webhook_examples.ts";
import { parseWebhookText } from "./webhook_text.ts";

function parse(text: string): unknown {
  const parsed = parseWebhookText(toBody(text));
  assert.ok(parsed.ok, `not parsed: ${text}`);
  return parsed.value;
}

const kept: [title: string, text: string, value: unknown][] = [
  ["an integer beyond 2^53 as its digits", `{"id":12345678901234567890}`, {
    id: "12345678901234567890",
  }],
  ["a negative integer beyond 2^53", `[-9007199254740993]`, ["-9007199254740993"]],
  ["a number too large for a double", `[1e400]`, ["1e400"]],
  ["the largest exact integer as a number", `[9007199254740991]`, [9007199254740991]],
  ["a coordinate with seventeen digits as a number", `[37.483307000000003]`, [37.483307000000003]],
  ["a small number with an exponent", `[1.5e3]`, [1500]],
  ["digits inside a string", `{"a":"x: 12345678901234567890 , \\"1e400\\""}`, {
    a: `x: 12345678901234567890 , "1e400"`,
  }],
  ["large numbers after an escaped quote", `["\\"",12345678901234567890]`, [
    `"`,
    "12345678901234567890",
  ]],
  ["escaped accents and emoji", String.raw`["caf\u00e9 \ud83d\ude00"]`, ["café 😀"]],
  ["escaped slashes", String.raw`["https:\/\/a.b\/c"]`, ["https://a.b/c"]],
  ["an escaped backslash before u0000", String.raw`["\\u0000"]`, ["\\u0000"]],
  ["NUL as the replacement character", String.raw`["a\u0000b"]`, ["a\ufffdb"]],
  ["half a surrogate pair as the replacement character", String.raw`["\ud83d!","\ude00"]`, [
    "\ufffd!",
    "\ufffd",
  ]],
  ["a low before a high surrogate as two replacement characters", String.raw`["\ude00\ud83d"]`, [
    "\ufffd\ufffd",
  ]],
  ["NUL in a member's name", String.raw`{"a\u0000":1}`, { "a\ufffd": 1 }],
];

for (const [title, text, value] of kept) {
  Deno.test(`webhook text keeps ${title}`, () => assert.deepEqual(parse(text), value));
}

const nestings: [text: string, nesting: number][] = [
  ["1", 0],
  ["{}", 1],
  ["[[],[[]]]", 3],
  [`["[[[[","]]"]`, 1],
  [String.raw`["\"[[[["]`, 1],
  ["[".repeat(5000) + "]".repeat(5000), 5000],
];

for (const [text, nesting] of nestings) {
  Deno.test(`webhook text of ${text.slice(0, 12)} nests ${nesting} levels`, () => {
    const parsed = parseWebhookText(toBody(text));
    assert.equal(parsed.ok && parsed.nesting, nesting);
  });
}

Deno.test("webhook text that is not JSON is handed back as text", () => {
  for (const text of ["", "{", "nonsense", `{"a":1}x`, "[".repeat(3_000_000)]) {
    assert.deepEqual(parseWebhookText(toBody(text)), { ok: false, text });
  }
});
