import { strict as assert } from "node:assert";
import type { Log } from "../_shared/telemetry/log.ts";
import { createSignatureVerifier } from "../_shared/whatsapp/signature.ts";
import type { WebhookEvent } from "../_shared/whatsapp/webhook_events.ts";
import {
  exampleNotification,
  exampleStatus,
  exampleValue,
  signBody,
  toBody,
} from "../_shared/whatsapp/webhook_examples.ts";
import type { StoreAnswer } from "./event_store.ts";
import { createHandler, isStored } from "./webhook.ts";

const appSecret = "current-app-secret";
const verifyToken = "a-long-verify-token";
const address = "http://localhost/wa-webhook";
const threeMib = 3_145_728;
const silent: Log = { info() {}, warn() {}, error() {}, with: () => silent };

function setup(answer: StoreAnswer = "stored") {
  const stored: { events: WebhookEvent[]; bodyBytes: number }[] = [];
  const refusals: string[] = [];
  const handler = createHandler({
    verifyToken,
    verifySignature: createSignatureVerifier([appSecret, "previous-app-secret"]),
    storeEvents: (events, bodyBytes) => {
      stored.push({ events, bodyBytes });
      return Promise.resolve(answer);
    },
    reportRefusal: (event) => refusals.push(event),
  });
  const send = async (request: Request) =>
    await handler(request, { requestId: "request-1", log: silent });
  return { send, stored, refusals };
}

function post(body: ReturnType<typeof toBody>, signature: string | null): Request {
  const headers: HeadersInit = signature === null ? {} : { "x-hub-signature-256": signature };
  return new Request(address, { method: "POST", body, headers });
}

async function signedPost(body: unknown, secret = appSecret): Promise<Request> {
  const bytes = toBody(body);
  return post(bytes, await signBody(bytes, secret));
}

function handshake(query: Record<string, string>): Request {
  return new Request(`${address}?${new URLSearchParams(query)}`);
}

const validHandshake = {
  "hub.mode": "subscribe",
  "hub.verify_token": verifyToken,
  "hub.challenge": "1158201444",
};
const notification = exampleNotification(exampleValue({ statuses: [exampleStatus()] }));
const escaped = JSON.stringify(notification).replace("delivered", String.raw`del\u0069vered`);

async function codeOf(response: Response): Promise<unknown> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  return (await response.json()).code;
}

Deno.test("GET with the verify token answers the challenge as plain text and nothing else", async () => {
  const response = await setup().send(handshake(validHandshake));
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type")!, /^text\/plain/);
  assert.equal(await response.text(), "1158201444");
});

const refusedHandshakes: [title: string, query: Record<string, string>][] = [
  ["another token", { ...validHandshake, "hub.verify_token": "guess" }],
  ["an empty token", { ...validHandshake, "hub.verify_token": "" }],
  ["another mode", { ...validHandshake, "hub.mode": "unsubscribe" }],
  ["no challenge", { "hub.mode": "subscribe", "hub.verify_token": verifyToken }],
  ["nothing", {}],
];

for (const [title, query] of refusedHandshakes) {
  Deno.test(`GET with ${title} answers 403 and repeats nothing`, async () => {
    const { send, refusals } = setup();
    const response = await send(handshake(query));
    assert.equal(response.status, 403);
    assert.doesNotMatch(await response.text(), /1158201444|verify-token|guess/);
    assert.deepEqual(refusals, ["webhook.handshake_refused"]);
  });
}

Deno.test("POST with a signature answers 200 once its events are stored", async () => {
  const { send, stored } = setup();
  const response = await send(await signedPost(notification));
  assert.deepEqual([response.status, await response.text()], [200, ""]);
  assert.deepEqual(stored.map(({ events }) => events.map(({ kind }) => kind)), [["status"]]);
  assert.equal(stored[0]!.bodyBytes, toBody(notification).byteLength);
});

Deno.test("POST signed with the previous secret is accepted while it is configured", async () => {
  const response = await setup().send(await signedPost(notification, "previous-app-secret"));
  assert.equal(response.status, 200);
});

Deno.test("POST with escapes on the wire is verified over those bytes", async () => {
  const { send, stored } = setup();
  assert.equal((await send(await signedPost(escaped))).status, 200);
  assert.equal(stored[0]!.events[0]!.kind, "status");
});

Deno.test("POST with no signature stores nothing and answers 401", async () => {
  const { send, stored, refusals } = setup();
  const response = await send(post(toBody(notification), null));
  assert.deepEqual([response.status, await codeOf(response)], [401, "invalid_signature"]);
  assert.deepEqual([stored, refusals], [[], ["webhook.signature_refused"]]);
});

Deno.test("POST with another app's signature stores nothing and answers 401", async () => {
  const { send, stored } = setup();
  const response = await send(await signedPost(notification, "another-app-secret"));
  assert.equal(response.status, 401);
  assert.deepEqual(stored, []);
});

Deno.test("POST whose signature is over reserialised bytes stores nothing and answers 401", async () => {
  const { send, stored } = setup();
  const signature = await signBody(toBody(notification), appSecret);
  assert.equal((await send(post(toBody(escaped), signature))).status, 401);
  assert.deepEqual(stored, []);
});

Deno.test("POST of exactly 3 MiB is stored and of one byte more answers 413", async () => {
  const { send, stored } = setup();
  const frame = JSON.stringify(exampleNotification({ text: "" }, { field: "account_update" }));
  const filled = (size: number) =>
    frame.replace('"text":""', `"text":"${"x".repeat(size - frame.length)}"`);
  assert.equal((await send(await signedPost(filled(threeMib)))).status, 200);
  assert.equal(stored[0]!.bodyBytes, threeMib);
  const response = await send(await signedPost(filled(threeMib + 1)));
  assert.deepEqual([response.status, await codeOf(response)], [413, "payload_too_large"]);
  assert.equal(stored.length, 1);
});

Deno.test("POST over 3 MiB without a length is cut off while it streams and answers 413", async () => {
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 1;
      controller.enqueue(new Uint8Array(1024 * 1024));
    },
  });
  const { send } = setup();
  const response = await send(new Request(address, { method: "POST", body: endless }));
  assert.equal(response.status, 413);
  assert.ok(pulled < 10, `read ${pulled} MiB`);
});

Deno.test("POST of signed nonsense is quarantined and answers 200", async () => {
  const { send, stored } = setup();
  assert.equal((await send(await signedPost("<html>nonsense</html>"))).status, 200);
  const [event] = stored[0]!.events;
  assert.deepEqual([event!.kind, event!.reason], ["unknown", "not_json"]);
  assert.equal(event!.payload.text, "<html>nonsense</html>");
});

Deno.test("POST of 1,000 items is one store of 1,000 events", async () => {
  const statuses = Array.from(
    { length: 1_000 },
    (_, index) => exampleStatus({ id: `wamid.${index}` }),
  );
  const { send, stored } = setup();
  await send(await signedPost(exampleNotification(exampleValue({ statuses }))));
  assert.deepEqual(stored.map(({ events }) => events.length), [1_000]);
});

for (
  const [answer, code] of [["failed", "database_unavailable"], [
    "overloaded",
    "overloaded",
  ]] as const
) {
  Deno.test(`POST whose store answers ${answer} answers 503 with Retry-After`, async () => {
    const response = await setup(answer).send(await signedPost(notification));
    assert.deepEqual([response.status, await codeOf(response)], [503, code]);
    assert.equal(response.headers.get("retry-after"), "5");
  });
}

for (const method of ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]) {
  Deno.test(`${method} answers 405 and allows no other origin`, async () => {
    const response = await setup().send(new Request(address, { method }));
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "GET, POST");
    assert.equal(response.headers.get("access-control-allow-origin"), null);
  });
}

for (
  const [method, status, expected] of [
    ["POST", 200, true],
    ["POST", 401, false],
    ["POST", 503, false],
    ["GET", 200, false],
  ] as const
) {
  const rule = expected ? "leaves the log to the line of its commit" : "has its line in the log";
  Deno.test(`an answer ${status} to ${method} ${rule}`, () => {
    const request = new Request("http://localhost/wa-webhook", { method });
    assert.equal(isStored(request, new Response(null, { status })), expected);
  });
}
