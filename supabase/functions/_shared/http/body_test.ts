import { strict as assert } from "node:assert";
import { readBytes, readJson } from "./body.ts";

function post(body: BodyInit | null, headers: HeadersInit = {}): Request {
  return new Request("http://localhost/x", { method: "POST", body, headers });
}

function stream(chunks: string[], end: "close" | "error" = "close"): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk !== undefined) controller.enqueue(encoder.encode(chunk));
      else if (end === "close") controller.close();
      else controller.error(new Error("connection reset"));
    },
  });
}

async function refusal(request: Request, maxBytes = 100) {
  const read = await readJson(request, maxBytes);
  assert.ok(!read.ok);
  return { status: read.response.status, code: (await read.response.json()).code };
}

Deno.test("readBytes joins the chunks of a body of exactly the limit", async () => {
  const read = await readBytes(post(stream(["abc", "def"])), 6);
  assert.ok(read.ok);
  assert.equal(new TextDecoder().decode(read.bytes), "abcdef");
});

Deno.test("readBytes stops at the limit without an honest Content-Length", async () => {
  const chunks = Array<string>(1_000).fill("abc");
  const read = await readBytes(post(stream(chunks), { "content-length": "1" }), 7);
  assert.deepEqual(read, { ok: false, reason: "too_large" });
  assert.ok(chunks.length > 900);
});

Deno.test("readBytes refuses by Content-Length before it reads", async () => {
  const request = post("abcdef", { "content-length": "6" });
  assert.deepEqual(await readBytes(request, 5), { ok: false, reason: "too_large" });
  assert.equal(request.bodyUsed, false);
});

Deno.test("readBytes tells a body that broke off from a whole one", async () => {
  assert.deepEqual(await readBytes(post(stream(["abc"], "error")), 10), {
    ok: false,
    reason: "aborted",
  });
});

Deno.test("readBytes reads no body as no bytes", async () => {
  const read = await readBytes(new Request("http://localhost/"), 10);
  assert.ok(read.ok);
  assert.equal(read.bytes.length, 0);
});

Deno.test("readJson parses what it is sent", async () => {
  const read = await readJson(post(`{"a":"é"}`), 100);
  assert.ok(read.ok);
  assert.deepEqual(read.value, { a: "é" });
});

Deno.test("readJson answers 413 over the limit", async () => {
  assert.deepEqual(await refusal(post("x".repeat(101))), {
    status: 413,
    code: "payload_too_large",
  });
});

for (
  const [label, body] of [
    ["text that is not JSON", "{"],
    ["an empty body", ""],
    ["bytes that are not UTF-8", new Uint8Array([0x22, 0xff, 0x22])],
  ] as const
) {
  Deno.test(`readJson answers 400 to ${label}`, async () => {
    assert.deepEqual(await refusal(post(body)), { status: 400, code: "malformed_json" });
  });
}

for (
  const [body, detail] of [
    ["", "The body must be JSON text in UTF-8, and it is empty."],
    ['{\n  "to": 1,\n}', "The body must be JSON text in UTF-8: look at line 3 column 1."],
    ["to=+1555", "The body must be JSON text in UTF-8."],
  ] as const
) {
  Deno.test(`readJson says where the fault of ${JSON.stringify(body)} is, and quotes nothing`, async () => {
    const read = await readJson(post(body), 100);
    assert.ok(!read.ok);
    assert.equal((await read.response.json()).detail, detail);
  });
}

Deno.test("readJson answers 400 to a body that broke off", async () => {
  assert.deepEqual(await refusal(post(stream(["{"], "error"))), {
    status: 400,
    code: "malformed_request",
  });
});
