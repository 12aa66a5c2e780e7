import { strict as assert } from "node:assert";
import { hmacHex, signatureHeader, signatureModes } from "./signature.ts";
import { toWireJson } from "./wire_json.ts";

const SECRET = "test_app_secret";

/** Body bytes and digests that were computed with other tools. */
const vectors: [string, string][] = [
  [
    '{"object":"whatsapp_business_account","entry":[]}',
    "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
  ],
  [
    '{"t":"caf\\u00e9 \\ud83d\\ude00"}',
    "b427313cb66d0c96fbec748eff174947f6f7a0958cf8cc06ffe3b6176555c50b",
  ],
  ['{"t":"café 😀"}', "b3ac022ada28cfe337baa22c38018714ac6b7fe2651971ebe5de5f43ab96b8bd"],
  [
    '{"u":"https:\\/\\/a.b\\/c"}',
    "8a9c42d6b216f01ab47d204f14464cd6649e8120a2d90098e76523bb5d1b73c0",
  ],
];

for (const [body, digest] of vectors) {
  Deno.test(`hmacHex() of ${body}`, () => assert.equal(hmacHex(body, SECRET), digest));
}

Deno.test("hmacHex() agrees with Web Crypto", async () => {
  const bytes = new TextEncoder().encode('{"a":"\\u00e9"}');
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const secret = new TextEncoder().encode(SECRET);
  const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
  const digest = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes));
  const hex = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  assert.equal(hmacHex(bytes, SECRET), hex);
});

Deno.test("toWireJson() escapes what is not ASCII and every slash, and parses to the same", () => {
  const value = { t: "café 😀", u: "https://a.b/c", n: [1, null, "\u2028"] };
  const text = toWireJson(value);
  assert.equal(
    text,
    '{"t":"caf\\u00e9 \\ud83d\\ude00","u":"https:\\/\\/a.b\\/c","n":[1,null,"\\u2028"]}',
  );
  assert.deepEqual(JSON.parse(text), value);
});

Deno.test("only the valid mode signs with the current secret over the bytes sent", () => {
  const body = toWireJson({ t: "é" });
  const secrets = { current: SECRET, previous: "older" };
  const good = `sha256=${hmacHex(body, SECRET)}`;
  const matching = signatureModes.filter((mode) => signatureHeader(body, secrets, mode) === good);
  assert.deepEqual(matching, ["valid"]);
  assert.equal(signatureHeader(body, secrets, "none"), null);
  assert.equal(signatureHeader(body, secrets, "old_secret"), `sha256=${hmacHex(body, "older")}`);
});
