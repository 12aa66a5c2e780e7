import { strict as assert } from "node:assert";
import { readBody } from "./read_body.ts";

const MAX_BYTES = 100_000;

function aRequest(body: string, contentLength: number | null): Request {
  const headers = contentLength === null ? {} : { "content-length": String(contentLength) };
  return new Request("http://localhost/", { method: "POST", body, headers });
}

Deno.test("a body is read whole, whether or not it says how long it is", async () => {
  for (const size of [0, 600, 70_000]) {
    const text = "x".repeat(size);
    for (const declared of [null, size]) {
      const read = await readBody(aRequest(text, declared), MAX_BYTES);
      assert.ok(read.ok);
      assert.equal(new TextDecoder().decode(read.bytes), text);
    }
  }
});

Deno.test("a body that is too large is refused, whatever it says of its length", async () => {
  const text = "x".repeat(MAX_BYTES + 1);
  for (const declared of [null, 5, MAX_BYTES, MAX_BYTES + 1]) {
    const read = await readBody(aRequest(text, declared), MAX_BYTES);
    assert.deepEqual(read, { ok: false, reason: "too_large" });
  }
});

Deno.test("a body that ends before it is complete is told as aborted", async () => {
  for (const headers of [{}, { "content-length": "600" }]) {
    const body = new ReadableStream({ pull: (it) => it.error(new Error("reset")) });
    const request = new Request("http://localhost/", { method: "POST", body, headers });
    assert.deepEqual(await readBody(request, MAX_BYTES), { ok: false, reason: "aborted" });
  }
});
