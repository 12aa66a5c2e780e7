import { strict as assert } from "node:assert";
import { createSignatureVerifier, isSameSecret } from "./signature.ts";

const secret = "test_app_secret";
const encode = (text: string) => new TextEncoder().encode(text);

// Computed with another program over the bytes as they stand on the wire.
const vectors: [title: string, body: string, hex: string][] = [
  [
    "an empty notification",
    `{"object":"whatsapp_business_account","entry":[]}`,
    "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
  ],
  [
    "a body with escaped accents and emoji",
    String.raw`{"t":"caf\u00e9 \ud83d\ude00"}`,
    "b427313cb66d0c96fbec748eff174947f6f7a0958cf8cc06ffe3b6176555c50b",
  ],
  [
    "a body in plain UTF-8",
    `{"t":"café 😀"}`,
    "b3ac022ada28cfe337baa22c38018714ac6b7fe2651971ebe5de5f43ab96b8bd",
  ],
  [
    "a body with escaped slashes",
    String.raw`{"u":"https:\/\/a.b\/c"}`,
    "8a9c42d6b216f01ab47d204f14464cd6649e8120a2d90098e76523bb5d1b73c0",
  ],
];

for (const [title, body, hex] of vectors) {
  Deno.test(`signature of ${title} is accepted`, () => {
    const verify = createSignatureVerifier([secret]);
    assert.equal(verify(encode(body), `sha256=${hex}`), true);
  });
}

Deno.test("signature over reserialised bytes is refused", () => {
  const [, escaped, hex] = vectors[1]!;
  const verify = createSignatureVerifier([secret]);
  const reserialised = JSON.stringify(JSON.parse(escaped));
  assert.equal(reserialised, vectors[2]![1]);
  assert.equal(verify(encode(reserialised), `sha256=${hex}`), false);
});

Deno.test("signature under the previous secret is accepted while both are configured", () => {
  const [, body, hex] = vectors[0]!;
  const rotating = createSignatureVerifier(["new_app_secret", secret]);
  const rotated = createSignatureVerifier(["new_app_secret"]);
  assert.equal(rotating(encode(body), `sha256=${hex}`), true);
  assert.equal(rotated(encode(body), `sha256=${hex}`), false);
});

Deno.test("signature of other bytes or malformed is refused", () => {
  const [, body, hex] = vectors[0]!;
  const verify = createSignatureVerifier([secret]);
  const flipped = hex.replace(/^./, (first) => (first === "0" ? "1" : "0"));
  const headers = [
    null,
    "",
    hex,
    `sha1=${hex}`,
    `sha256=${hex.slice(1)}`,
    `sha256=${hex}0`,
    `sha256=${flipped}`,
    `sha256=${"g".repeat(64)}`,
    `sha256=${hex}, sha256=${hex}`,
  ];
  for (const header of headers) assert.equal(verify(encode(body), header), false);
  assert.equal(verify(encode(`${body} `), `sha256=${hex}`), false);
  assert.equal(verify(new Uint8Array(), `sha256=${hex}`), false);
});

Deno.test("signature verifier without a secret is refused when built", () => {
  assert.throws(() => createSignatureVerifier([]), RangeError);
  assert.throws(() => createSignatureVerifier(["current", ""]), RangeError);
});

Deno.test("secrets of equal and of other length are compared whole", () => {
  assert.equal(isSameSecret("token", "token"), true);
  assert.equal(isSameSecret("tokem", "token"), false);
  assert.equal(isSameSecret("toke", "token"), false);
  assert.equal(isSameSecret("", "token"), false);
});
