import { strict as assert } from "node:assert";
import { normalizePhone } from "./phone_number.ts";

const accepted: [label: string, written: string, e164: string][] = [
  ["E.164", "+4915112345678", "+4915112345678"],
  ["spaces, dashes and brackets", " +1 (650) 555-1234 ", "+16505551234"],
  ["international digits without plus", "4915112345678", "+4915112345678"],
  ["a national zero after the country code", "+44 (0) 20 7946 0958", "+442079460958"],
  ["a number that is not given out", "+1 555 010 0001", "+15550100001"],
  ["a Mexican id with its old digit", "5215512345678", "+5215512345678"],
  ["a Mexican number without it", "+525512345678", "+525512345678"],
  ["a Brazilian number without its ninth digit", "+551187654321", "+551187654321"],
  ["a non-breaking hyphen", "+49 151\u20111234\u20115678", "+4915112345678"],
];

for (const [label, written, e164] of accepted) {
  Deno.test(`normalizePhone reads ${label}`, () => {
    assert.deepEqual(normalizePhone(written), { ok: true, e164 });
  });
}

const refused: [label: string, written: string, reason: RegExp][] = [
  ["nothing", "", /must be a phone number/],
  ["words", "call me", /must be a phone number/],
  ["a user id", "DE.13491208655302741918", /user id/],
  ["a user id of a linked portfolio", "US.ENT.11815799212886844830", /user id/],
  ["a number of nobody's country", "+999123456789", /no possible/],
  ["a number that is too short", "+15551", /no possible/],
  ["a number that is too long", "+1650555123456", /no possible/],
  ["an extension", "+1 650 555 1234 ext. 5", /must be a phone number/],
  ["a domestic prefix", "0049 151 12345678", /no possible/],
  ["a second plus sign", "+1+6505551234", /must be a phone number/],
];

for (const [label, written, reason] of refused) {
  Deno.test(`normalizePhone refuses ${label}`, () => {
    const normalized = normalizePhone(written);
    assert.ok(!normalized.ok);
    assert.match(normalized.reason, reason);
  });
}
