import { strict as assert } from "node:assert";
import { createMediaStore } from "./media_store.ts";

function setup(answers: Response[]) {
  const asked: { method: string; url: string; headers: Record<string, string> }[] = [];
  const fetch = ((url: string, init: RequestInit) => {
    const headers = Object.fromEntries(new Headers(init.headers));
    asked.push({ method: String(init.method), url, headers });
    const answer = answers.shift();
    return answer === undefined ? Promise.reject(new Error("away")) : Promise.resolve(answer);
  }) as unknown as typeof globalThis.fetch;
  const deadline = () => new AbortController().signal;
  const store = createMediaStore({ url: "https://p.test", secretKey: "k", fetch, deadline });
  return { store, asked };
}

// As Storage answers: 400 whatever it means, with the status that it means in the body.
const meaning = (statusCode: number) =>
  Response.json({ statusCode: String(statusCode), error: "e", message: "m" }, { status: 400 });

Deno.test("a file is written over whatever is there, with the secret key", async () => {
  const { store, asked } = setup([Response.json({})]);
  assert.equal(await store.write("t/c/1", "image/png", new Uint8Array([1])), "written");
  assert.deepEqual(asked, [{
    method: "POST",
    url: "https://p.test/storage/v1/object/wa-media/t/c/1",
    headers: {
      apikey: "k",
      authorization: "Bearer k",
      "content-type": "image/png",
      "x-upsert": "true",
    },
  }]);
});

Deno.test("what Storage finds too large is told apart from what failed", async () => {
  const { store } = setup([meaning(413), meaning(500)]);
  const write = () => store.write("t/c/1", "image/png", new Uint8Array([1]));
  assert.equal(await write(), "too_large");
  await assert.rejects(write(), /Storage says 500/);
  await assert.rejects(write(), /away/);
});

Deno.test("removing what is not there is no failure, and a refusal is", async () => {
  const { store } = setup([Response.json({}), meaning(404), meaning(403)]);
  await store.remove("t/c/1");
  await store.remove("t/c/1");
  await assert.rejects(store.remove("t/c/1"), /Storage says 403/);
});

Deno.test("a file that Storage does not give is null", async () => {
  const { store } = setup([new Response("bytes"), meaning(404)]);
  assert.equal(await new Response(await store.read("t/c/1")).text(), "bytes");
  assert.equal(await store.read("t/c/1"), null);
  assert.equal(await store.read("t/c/1"), null);
});
