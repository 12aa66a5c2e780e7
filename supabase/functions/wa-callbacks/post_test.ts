import { strict as assert } from "node:assert";
import type { Connection } from "../_shared/runtime.ts";
import { createPost, type PostDeps, TIMEOUT_MS } from "./post.ts";

const OK = "HTTP/1.1 200 OK\r\n\r\n";
const never = () => new Promise<never>(() => {});

/** A world in which every host has one public address, whose server answers with `answer`. */
function world(overrides: Partial<PostDeps> & { answer?: string | null } = {}) {
  const { answer = OK, ...deps } = overrides;
  const calls: string[] = [];
  const written = Promise.withResolvers<void>();
  const connection = (): Connection => {
    let left = answer;
    return {
      read(into) {
        if (left === null) return never();
        const bytes = new TextEncoder().encode(left);
        left = "";
        into.set(bytes);
        return Promise.resolve(bytes.length === 0 ? null : bytes.length);
      },
      write(bytes) {
        calls.push(/^host: .*$/m.exec(new TextDecoder().decode(bytes))?.[0]?.trim() ?? "");
        written.resolve();
        return Promise.resolve(bytes.length);
      },
      close: () => void calls.push("close"),
    };
  };
  const post = createPost({
    resolve: (host) => Promise.resolve((calls.push(`resolve ${host}`), ["8.8.8.8"])),
    connect: (address, port) =>
      Promise.resolve((calls.push(`connect ${address} ${port}`), connection())),
    secure: (secured, name) => Promise.resolve((calls.push(`secure ${name}`), secured)),
    sleep: never,
    reach: "public",
    ...deps,
  });
  return { calls, written: written.promise, post: (url: string) => post(url, {}, "{}") };
}

Deno.test("a call goes to the address that was resolved and checked, under the name of its host", async () => {
  const { calls, post } = world();
  assert.deepEqual(await post("https://hooks.example.com:8443/x"), {
    answered: true,
    status: 200,
    retryAfter: null,
  });
  assert.deepEqual(calls, [
    "resolve hooks.example.com",
    "connect 8.8.8.8 8443",
    "secure hooks.example.com",
    "host: hooks.example.com:8443",
    "close",
  ]);
});

for (
  const [what, addresses] of [
    ["a private address", ["10.0.0.1"]],
    ["the metadata service", ["169.254.169.254"]],
    ["a public and a private address", ["8.8.8.8", "127.0.0.1"]],
    ["a mapped loopback", ["::ffff:127.0.0.1"]],
  ] as [string, string[]][]
) {
  Deno.test(`a host that leads to ${what} is not connected to`, async () => {
    const { calls, post } = world({ resolve: () => Promise.resolve(addresses) });
    assert.deepEqual(await post("https://example.com/"), {
      answered: false,
      cause: "address_refused",
    });
    assert.deepEqual(calls, []);
  });
}

Deno.test("an address that was stored and may not be called any more is refused without a look-up", async () => {
  for (const url of ["http://example.com/", "https://127.0.0.1/", "https://example.com:22/"]) {
    const { calls, post } = world();
    assert.deepEqual(await post(url), { answered: false, cause: "address_refused" });
    assert.deepEqual(calls, []);
  }
});

Deno.test("a name that leads elsewhere a moment later cannot move a call: it is resolved once", async () => {
  const answers = [["8.8.8.8"], ["127.0.0.1"]];
  const { calls, post } = world({ resolve: () => Promise.resolve(answers.shift()!) });
  assert.equal((await post("https://example.com/")).answered, true);
  assert.equal(calls[0], "connect 8.8.8.8 443");
  assert.deepEqual(await post("https://example.com/"), {
    answered: false,
    cause: "address_refused",
  });
});

Deno.test("a platform of one's own reaches itself, without TLS where the address says so", async () => {
  const { calls, post } = world({ reach: "any", resolve: () => Promise.resolve(["127.0.0.1"]) });
  assert.equal((await post("http://localhost:9999/")).answered, true);
  assert.deepEqual(calls, ["connect 127.0.0.1 9999", "host: localhost:9999", "close"]);
});

Deno.test("version 4 is tried before version 6, and the next address when one does not answer", async () => {
  const tried: string[] = [];
  const { post } = world({
    resolve: () => Promise.resolve(["2606:4700::1111", "8.8.4.4", "8.8.8.8"]),
    connect: (address) => {
      tried.push(address);
      return Promise.reject(new Error("refused"));
    },
  });
  assert.deepEqual(await post("https://example.com/"), {
    answered: false,
    cause: "connection_failed",
  });
  assert.deepEqual(tried, ["8.8.4.4", "8.8.8.8", "2606:4700::1111"]);
});

Deno.test("what goes wrong has a name", async (t) => {
  const refuse = () => Promise.reject(new Error("no"));
  const cases: [string, Parameters<typeof world>[0]][] = [
    ["host_not_found", { resolve: refuse }],
    ["host_not_found", { resolve: () => Promise.resolve([]) }],
    ["connection_failed", { connect: refuse }],
    ["tls_failed", { secure: refuse }],
    ["connection_closed", { answer: "" }],
    ["not_http", { answer: "220 mail.example.com\r\n\r\n" }],
  ];
  for (const [cause, overrides] of cases) {
    await t.step(cause, async () => {
      const { post } = world(overrides);
      assert.deepEqual(await post("https://example.com/"), { answered: false, cause });
    });
  }
});

Deno.test("a receiver that does not answer within 10 s is given up, and its connection closed", async () => {
  assert.equal(TIMEOUT_MS, 10_000);
  const sleep = (ms: number) => ms === TIMEOUT_MS ? it.written : never();
  const it = world({ answer: null, sleep });
  assert.deepEqual(await it.post("https://example.com/"), { answered: false, cause: "timeout" });
  assert.deepEqual(it.calls.slice(-2), ["host: example.com", "close"]);
});

Deno.test("a redirect is an answer, and nobody follows it", async () => {
  const answer = "HTTP/1.1 307 Over There\r\nlocation: https://10.0.0.1/\r\n\r\n";
  const { calls, post } = world({ answer });
  assert.deepEqual(await post("https://example.com/"), {
    answered: true,
    status: 307,
    retryAfter: null,
  });
  assert.equal(calls.filter((call) => call.startsWith("connect")).length, 1);
});
