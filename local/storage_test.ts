import { strict as assert } from "node:assert";

import { createStorage, type Storage } from "./storage.ts";

async function withStorage(test: (ask: Ask) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-" });
  const storage = createStorage({ dir: `${dir}/storage`, secretKey: "sb_secret_1" });
  try {
    await test((method, path, options) => ask(storage, method, path, options));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

interface AskOptions {
  body?: BodyInit;
  headers?: Record<string, string>;
}
type Ask = (method: string, path: string, options?: AskOptions) => Promise<Response>;

function ask(storage: Storage, method: string, path: string, options: AskOptions = {}) {
  const { body = null, headers = {} } = options;
  return storage.fetch(
    new Request(`http://localhost/storage/v1/object/${path}`, {
      method,
      body,
      headers: { apikey: "sb_secret_1", ...headers },
    }),
  );
}

async function meant(response: Response): Promise<string> {
  return (await response.json()).statusCode;
}

Deno.test("an object is written, read as it is, and gone once deleted", () =>
  withStorage(async (ask) => {
    const png = { "content-type": "image/png" };
    assert.equal((await ask("POST", "b/t/1", { body: "one", headers: png })).status, 200);
    const read = await ask("GET", "b/t/1");
    assert.deepEqual([await read.text(), read.headers.get("content-type")], ["one", "image/png"]);
    assert.equal((await ask("DELETE", "b/t/1")).status, 200);
    assert.equal(await meant(await ask("GET", "b/t/1")), "404");
    assert.equal(await meant(await ask("DELETE", "b/t/1")), "404");
  }));

Deno.test("an object is replaced only when that is wanted", () =>
  withStorage(async (ask) => {
    await ask("POST", "b/1", { body: "one" });
    assert.equal(await meant(await ask("POST", "b/1", { body: "two" })), "409");
    await ask("POST", "b/1", { body: "three", headers: { "x-upsert": "true" } });
    assert.equal(await (await ask("GET", "b/1")).text(), "three");
  }));

Deno.test("an upload that breaks off leaves what was there", () =>
  withStorage(async (ask) => {
    await ask("POST", "b/1", { body: "one" });
    const broken = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("tw"));
        controller.error(new Error("cut off"));
      },
    });
    await assert.rejects(ask("POST", "b/1", { body: broken, headers: { "x-upsert": "true" } }));
    assert.equal(await (await ask("GET", "b/1")).text(), "one");
  }));

Deno.test("nobody but the secret key, and no name that leads out of the folder", () =>
  withStorage(async (ask) => {
    const headers = { apikey: "sb_publishable_1" };
    assert.equal(await meant(await ask("POST", "b/1", { body: "x", headers })), "403");
    for (const path of ["b/..%2f..%2fenv", "b/.hidden", "b/1~type", "b", "../../env"]) {
      assert.equal((await ask("POST", path, { body: "x" })).status, 404, path);
    }
  }));
