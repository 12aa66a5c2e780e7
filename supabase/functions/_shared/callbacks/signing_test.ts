import { strict as assert } from "node:assert";
import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { bodyOf, signedHeaders } from "./signing.ts";

const CURRENT = `whsec_${btoa("the current secret, 32 bytes....")}`;
const PREVIOUS = `whsec_${btoa("the previous secret, 32 bytes...")}`;
const EVENT = {
  id: "019aab4e-0000-7000-8000-000000000001",
  type: "message.status",
  at: "2026-11-22T12:00:00+00:00",
  payload: { status: "sent" },
};

Deno.test("bodyOf() says type, time and what happened", () => {
  assert.equal(
    bodyOf(EVENT),
    '{"type":"message.status","timestamp":"2026-11-22T12:00:00.000Z","data":{"status":"sent"}}',
  );
});

Deno.test("signedHeaders() signs id, time and body as the specification says", () => {
  const nowMs = Date.parse("2026-11-22T12:00:01.900Z");
  const headers = signedHeaders({ id: EVENT.id, body: "{}", secrets: [CURRENT], nowMs });
  const timestamp = String(Math.floor(nowMs / 1_000));
  const expected = createHmac("sha256", "the current secret, 32 bytes....")
    .update(`${EVENT.id}.${timestamp}.{}`).digest("base64");
  assert.deepEqual(headers, {
    "webhook-id": EVENT.id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${expected}`,
  });
});

Deno.test("signedHeaders() signs with the previous secret too, for who does not know the current one yet", () => {
  const body = bodyOf(EVENT);
  const secrets = [CURRENT, PREVIOUS];
  const headers = signedHeaders({ id: EVENT.id, body, secrets, nowMs: Date.now() });
  for (const secret of secrets) new Webhook(secret).verify(body, headers);
  const other = `whsec_${btoa("a secret that nobody signs with.")}`;
  assert.throws(() => new Webhook(other).verify(body, headers));
  assert.throws(() => new Webhook(CURRENT).verify(body.replace("sent", "read"), headers));
});
