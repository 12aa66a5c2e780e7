import { strict as assert } from "node:assert";
import { countryOf, displayPhone, readRecipient, rewriteWaId } from "./phone_numbers.ts";

const rules = { countryCode: "1", missingPlus: "prepend_country_code", rewrite: true } as const;

const recipients: [string, string, string | null][] = [
  ["E.164", "+15550200001", "15550200001"],
  ["spaces, dashes, dots and brackets", "+1 (555) 020-00.01", "15550200001"],
  ["no plus: the business's calling code comes in front", "5550200001", "15550200001"],
  ["no plus although whole: in front all the same", "15550200001", "115550200001"],
  ["Brazil outside the south-east loses the ninth digit", "+5551987654321", "555187654321"],
  ["Brazil, area code 11, keeps it", "+5511987654321", "5511987654321"],
  ["Mexico gets its 1", "+525512345678", "5215512345678"],
  ["letters", "+1555CALLME", null],
  ["too short", "+12345", null],
  ["too long", "+1234567890123456", null],
  ["nothing", "", null],
];

for (const [label, to, expected] of recipients) {
  Deno.test(`readRecipient() of ${label}`, () => {
    assert.equal(readRecipient(to, rules), expected);
  });
}

Deno.test("readRecipient() can be told to take numbers without plus as they are", () => {
  const tolerant = { ...rules, missingPlus: "tolerate" } as const;
  assert.equal(readRecipient("15550200001", tolerant), "15550200001");
});

Deno.test("rewriteWaId() leaves a number alone that was rewritten before", () => {
  assert.equal(rewriteWaId("5215512345678"), "5215512345678");
  assert.equal(rewriteWaId("555187654321"), "555187654321");
});

Deno.test("countryOf() prefers the longest calling code", () => {
  assert.deepEqual(["971501234567", "4915123456789", "15550200001", "9991"].map(countryOf), [
    "AE",
    "DE",
    "US",
    "ZZ",
  ]);
});

Deno.test("displayPhone() groups North American numbers", () => {
  assert.equal(displayPhone("15550100001"), "+1 555 010 0001");
  assert.equal(displayPhone("4915123456789"), "+4915123456789");
});
