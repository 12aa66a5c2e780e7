import { strict as assert } from "node:assert";
import { createHmac } from "node:crypto";
import { createStripeVerifier } from "./stripe_signature.ts";

const body = new TextEncoder().encode('{"id":"evt_1"}');
const seconds = 1_795_348_800;
const nowMs = seconds * 1_000;

function sign(secret: string, { at = String(seconds), bytes = body } = {}): string {
  return createHmac("sha256", secret).update(`${at}.`).update(bytes).digest("hex");
}
const verify = createStripeVerifier(["whsec_new", "whsec_old"]);
const good = `t=${seconds},v1=${sign("whsec_new")}`;

const accepted: [title: string, header: string][] = [
  ["the current secret", good],
  ["the previous secret", `t=${seconds},v1=${sign("whsec_old")}`],
  ["one of several signatures", `t=${seconds},v1=${"0".repeat(64)},v1=${sign("whsec_new")}`],
  ["another scheme beside it", `t=${seconds},v0=${sign("x")},v1=${sign("whsec_new")}`],
];
for (const [title, header] of accepted) {
  Deno.test(`a webhook signed under ${title} is Stripe's`, () => {
    assert.equal(verify(body, header, nowMs), true);
  });
}

const refused: [title: string, header: string | null][] = [
  ["without a header", null],
  ["with an empty header", ""],
  ["under another secret", `t=${seconds},v1=${sign("whsec_other")}`],
  ["under another scheme alone", `t=${seconds},v0=${sign("whsec_new")}`],
  ["without a time", `v1=${sign("whsec_new")}`],
  ["with another time than the one signed", `t=${seconds + 1},v1=${sign("whsec_new")}`],
  ["with a time that is no number", `t=now,v1=${sign("whsec_new", { at: "now" })}`],
  ["with half a signature", `t=${seconds},v1=${sign("whsec_new").slice(0, 32)}`],
  ["with a header without end", `${good},${"v1=0,".repeat(1_000)}`],
];
for (const [title, header] of refused) {
  Deno.test(`a webhook ${title} is not Stripe's`, () => {
    assert.equal(verify(body, header, nowMs), false);
  });
}

Deno.test("other bytes than those signed are not Stripe's, be it the same JSON", () => {
  const spaced = new TextEncoder().encode('{"id": "evt_1"}');
  assert.equal(verify(spaced, good, nowMs), false);
});

Deno.test("a signature lives for five minutes, before and after its time", () => {
  for (const [shift, lives] of [[300, true], [-300, true], [301, false], [-301, false]] as const) {
    assert.equal(verify(body, good, nowMs + shift * 1_000), lives, `${shift} s`);
  }
});

Deno.test("an empty secret is a mistake of who starts it", () => {
  assert.throws(() => createStripeVerifier([]), RangeError);
  assert.throws(() => createStripeVerifier(["whsec_new", ""]), RangeError);
});
