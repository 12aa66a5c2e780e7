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
  }, { breakers: "Wait." });
  const request = new Request(new URL(path, "http://127.0.0.1:5"), init);
  return { response: console(request), asked };
}

const ID = "01a202d7-064f-7079-84f5-73eaf18b6a5b";
const questions: [path: string, asked: string, tenant?: string][] = [
  ["/api/health", "/health/detailed"],
  ["/api/attention", "/admin/attention"],
  ["/api/dead-letters", "/admin/dead-letters?limit=1"],
  ["/api/quarantine?limit=200", "/admin/quarantine?limit=1"],
  ["/api/tenants?search=a%26b", "/admin/tenants?limit=200&search=a%26b"],
  ["/api/messages?tenant=t2&status=", "/wa-messages?limit=25", "t2"],
  ["/api/messages?tenant=t2&cursor=c", "/wa-messages?limit=25&cursor=c", "t2"],
  [`/api/messages/${ID}?tenant=t2`, `/wa-messages/${ID}`, "t2"],
];
for (const [path, url, tenant = null] of questions) {
  Deno.test(`the console answers ${path} with the secret key, which the answer does not show`, async () => {
    const { response, asked } = ask(path);
    assert.equal(await (await response).text(), `{"status":"ok"}`);
    assert.equal(asked[0]?.url, `http://api.test/functions/v1${url}`);
    assert.equal(asked[0]?.headers.get("apikey"), "sb_secret_1");
    assert.equal(asked[0]?.headers.get("x-tenant-id"), tenant);
  });
}

Deno.test("the console tells the page where it is, and the runbook", async () => {
  assert.deepEqual(await (await ask("/api/setup").response).json(), {
    phone_url: "http://127.0.0.1:9/phone/1",
    tenant_id: "t1",
    api_url: "http://api.test",
  });
  assert.deepEqual(await (await ask("/api/runbook").response).json(), { breakers: "Wait." });
});

for (
  const [phoneUrl, frames] of [
    ["http://127.0.0.1:9/phone/1", "http://127.0.0.1:9"],
    [null, "'none'"],
  ] as const
) {
  Deno.test(`the console's page runs its own script alone and frames ${frames}`, async () => {
    const answer = await ask("/", {}, { phoneUrl }).response;
    await answer.body?.cancel();
    const policy = answer.headers.get("content-security-policy")?.split("; ") ?? [];
    assert(policy.includes("default-src 'none'"));
    assert(policy.includes("script-src 'self'"));
    assert(policy.includes(`frame-src ${frames}`));
  });
}

Deno.test("the console serves the files that its page names", async () => {
  const page = await (await ask("/").response).text();
  const files = [...page.matchAll(/"(\/page\/[^"]+)"/g)].map(([, path]) => path!);
  assert.equal(files.length, 2);
  for (const path of files) {
    const file = await ask(path).response;
    assert.equal(file.status, 200);
    assert.match(file.headers.get("content-type") ?? "", /^text\/(css|javascript)/);
    await file.body?.cancel();
  }
});

const refusals: [title: string, path: string, init: RequestInit, status: number][] = [
  ["another host name", "http://evil.test/api/health", {}, 403],
  ["a call that changes something", "/api/messages", { method: "POST" }, 405],
  ["an unknown path", "/api/secrets", {}, 404],
  ["a message that is no message", "/api/messages/..%2f..%2fhealth", {}, 404],
  ["a file that is not there", "/page/missing.js", {}, 404],
  ["a file of another folder", "/page/..%2fserver.ts", {}, 404],
];
for (const [title, path, init, status] of refusals) {
  Deno.test(`the console refuses ${title}`, async () => {
    const { response, asked } = ask(path, init);
    assert.equal((await response).status, status);
    assert.equal(asked.length, 0);
  });
}

Deno.test("the console passes a refusal of the API on", async () => {
  const refuse = () => Promise.resolve(Response.json({ code: "x" }, { status: 401 }));
  const { response } = ask("/api/health", {}, { fetch: refuse });
  assert.equal((await response).status, 401);
});

Deno.test("the console says so when the API does not answer", async () => {
  const { response } = ask("/api/health", {}, { fetch: () => Promise.reject(new TypeError("no")) });
  assert.equal((await response).status, 502);
});
