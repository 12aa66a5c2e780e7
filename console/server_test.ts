import { strict as assert } from "node:assert";
import { type ConsoleOptions, createConsole } from "./server.ts";

function ask(path: string, init: RequestInit = {}, overrides: Partial<ConsoleOptions> = {}) {
  const asked: Request[] = [];
  const console = createConsole({
    port: 0,
    apiUrl: "http://api.test",
    secretKey: "sb_secret_1",
    tenantId: "t1",
    phoneUrl: "http://127.0.0.1:9/phone/1",
    fetch: (input, init) => {
      asked.push(new Request(input, init));
      return Promise.resolve(Response.json({ status: "ok" }));
    },
    ...overrides,
  }, `<script nonce="{{nonce}}"></script>`);
  const request = new Request(new URL(path, "http://127.0.0.1:5"), init);
  return { response: console(request), asked };
}

Deno.test("the console asks for health with the secret key, which the answer does not show", async () => {
  const { response, asked } = ask("/api/health");
  assert.equal(await (await response).text(), `{"status":"ok"}`);
  assert.equal(asked[0]?.url, "http://api.test/functions/v1/health/detailed");
  assert.equal(asked[0]?.headers.get("apikey"), "sb_secret_1");
});

Deno.test("the console asks for the messages of its tenant", async () => {
  const { response, asked } = ask("/api/messages");
  await response;
  assert.equal(asked[0]?.headers.get("x-tenant-id"), "t1");
});

Deno.test("the console without a tenant shows no messages", async () => {
  const { response, asked } = ask("/api/messages", {}, { tenantId: null });
  assert.deepEqual(await (await response).json(), { messages: [] });
  assert.equal(asked.length, 0);
});

Deno.test("the console's page runs its own script alone and frames the phone alone", async () => {
  const answer = await ask("/").response;
  const [, nonce] = /nonce="([^"]+)"/.exec(await answer.text()) ?? [];
  const policy = answer.headers.get("content-security-policy") ?? "";
  assert(policy.includes(`script-src 'nonce-${nonce}'`));
  assert(policy.includes("frame-src http://127.0.0.1:9;"));
});

const refusals: [title: string, path: string, init: RequestInit, status: number][] = [
  ["another host name", "http://evil.test/api/health", {}, 403],
  ["a call that changes something", "/api/messages", { method: "POST" }, 405],
  ["an unknown path", "/api/secrets", {}, 404],
];
for (const [title, path, init, status] of refusals) {
  Deno.test(`the console refuses ${title}`, async () => {
    const { response, asked } = ask(path, init);
    assert.equal((await response).status, status);
    assert.equal(asked.length, 0);
  });
}

Deno.test("the console says so when the API does not answer", async () => {
  const { response } = ask("/api/health", {}, { fetch: () => Promise.reject(new TypeError("no")) });
  assert.equal((await response).status, 502);
});
