import { strict as assert } from "node:assert";
import { get } from "node:http";

import { type Gateway, type GatewayOptions, startGateway } from "./gateway.ts";

// Real processes. Each function is told apart by what its module does.
const modules: Record<string, string> = {
  echo: `export default {
    async fetch(request) {
      const url = new URL(request.url);
      const bytes = new Uint8Array(await request.arrayBuffer());
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      return Response.json({
        path: url.pathname + url.search,
        method: request.method,
        length: bytes.length,
        digest: digest.toHex(),
        headers: Object.fromEntries(request.headers),
        greeting: Deno.env.get("GREETING") ?? null,
        foreign: Deno.env.get("SWITCHYARD_TEST_FOREIGN") ?? null,
        pid: Deno.pid,
      });
    },
  };`,
  stream: `export default {
    fetch(request) {
      const url = new URL(request.url);
      if (url.searchParams.has("refuse")) return new Response("too large", { status: 413 });
      return new Response(request.body, { headers: { "x-streamed": "yes" } });
    },
  };`,
  gzip: `export default {
    fetch() {
      const body = new Blob(["x".repeat(3000)]).stream().pipeThrough(new CompressionStream("gzip"));
      return new Response(body, { headers: { "content-encoding": "gzip" } });
    },
  };`,
  dies: `export default { fetch: () => Deno.exit(7) };`,
  broken: `throw new Error("WHATSAPP_APP_SECRET is missing");`,
  locked: `export default { fetch: () => new Response("in") };`,
  off: `export default { fetch: () => new Response("never") };`,
};

const config = `
${
  Object.keys(modules).filter((name) => name !== "locked").map((name) =>
    `[functions.${name}]
enabled = ${name !== "off"}
verify_jwt = false
`
  ).join("\n")
}`;

interface Fixture {
  gateway: Gateway;
  logDir: string;
  shown: string[];
}

async function withGateway(
  test: (fixture: Fixture) => Promise<void>,
  options: Partial<GatewayOptions> = {},
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-" });
  try {
    await serveModules(dir, test, options);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function serveModules(
  dir: string,
  test: (fixture: Fixture) => Promise<void>,
  options: Partial<GatewayOptions>,
): Promise<void> {
  for (const [name, text] of Object.entries(modules)) {
    await Deno.mkdir(`${dir}/functions/${name}`, { recursive: true });
    await Deno.writeTextFile(`${dir}/functions/${name}/index.ts`, text);
  }
  await Deno.writeTextFile(`${dir}/config.toml`, config);
  const shown: string[] = [];
  const gateway = await startGateway({
    port: 0,
    functionsDir: `${dir}/functions`,
    configPath: `${dir}/config.toml`,
    env: { GREETING: "hello" },
    dataApi: { fetch: (request) => Promise.resolve(new Response(new URL(request.url).pathname)) },
    storage: { fetch: () => Promise.resolve(new Response("an object")) },
    keys: {
      publishableKey: "sb_publishable_1",
      secretKey: "sb_secret_1",
      jwtSecret: "s".repeat(32),
    },
    logDir: `${dir}/logs`,
    log: (line) => shown.push(line),
    ...options,
  });
  try {
    await test({ gateway, logDir: `${dir}/logs`, shown });
  } finally {
    await gateway.stop();
  }
}

async function answerOf(response: Promise<Response>): Promise<[number, string | null, unknown]> {
  const { status, headers, ...rest } = await response.then(async (answer) => ({
    status: answer.status,
    headers: answer.headers,
    body: await answer.json(),
  }));
  return [status, headers.get("sb-error-code"), rest.body];
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

Deno.test("the gateway", async (t) => {
  Deno.env.set("SWITCHYARD_TEST_FOREIGN", "from the shell");
  await withGateway(async ({ gateway, logDir, shown }) => {
    const at = (path: string) => `${gateway.url}/functions/v1/${path}`;

    await t.step("gives a function its path from its own name on", async () => {
      const seen = await (await fetch(at("echo/tenants/7?limit=2&to=%2B1"))).json();
      assert.equal(seen.path, "/echo/tenants/7?limit=2&to=%2B1");
    });

    await t.step("hands over every byte of a body, whatever it holds", async () => {
      const body = crypto.getRandomValues(new Uint8Array(60_000));
      const seen = await (await fetch(at("echo"), { method: "POST", body })).json();
      assert.deepEqual([seen.length, seen.digest], [body.length, await sha256(body)]);
      assert.equal(seen.headers["content-length"], "60000");
    });

    await t.step("passes headers on and adds the client's address and an id", async () => {
      const headers = { "x-hub-signature-256": "sha256=ab", "x-request-id": "mine" };
      const given = await (await fetch(at("echo"), { headers })).json();
      assert.equal(given.headers["x-hub-signature-256"], "sha256=ab");
      assert.equal(given.headers["x-request-id"], "mine");
      const bare = await (await fetch(at("echo"))).json();
      assert.equal(bare.headers["x-forwarded-for"], "127.0.0.1");
      assert.match(bare.headers["x-request-id"], /^[0-9a-f-]{36}$/);
    });

    await t.step("gives a request without a body none", async () => {
      const seen = await (await fetch(at("echo"), { method: "DELETE" })).json();
      assert.deepEqual([seen.method, seen.length], ["DELETE", 0]);
      assert.equal(seen.headers["transfer-encoding"], undefined);
    });

    await t.step("gives functions their environment and nothing of the shell's", async () => {
      const seen = await (await fetch(at("echo"))).json();
      assert.deepEqual([seen.greeting, seen.foreign], ["hello", null]);
    });

    await t.step("answers while the request is still being sent", async () => {
      const sent = new TransformStream<Uint8Array, Uint8Array>();
      const writer = sent.writable.getWriter();
      const first = writer.write(new TextEncoder().encode("one"));
      const response = await fetch(at("stream"), { method: "POST", body: sent.readable });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      assert.equal((await reader?.read())?.value, "one");
      await first;
      await writer.write(new TextEncoder().encode("two"));
      assert.equal((await reader?.read())?.value, "two");
      await writer.close();
      assert.equal((await reader?.read())?.done, true);
    });

    await t.step("passes a refusal on that comes before the body is read", async () => {
      const body = new Uint8Array(8_000_000);
      const response = await fetch(at("stream?refuse"), { method: "POST", body });
      assert.deepEqual([response.status, await response.text()], [413, "too large"]);
    });

    await t.step("leaves compressed answers as they are", async () => {
      // fetch() would undo the compression before the test sees it.
      const seen = await new Promise<[string | undefined, Uint8Array]>((resolve) => {
        get(at("gzip"), { headers: { "accept-encoding": "gzip" } }, (answer) => {
          answer.once("data", (bytes) => resolve([answer.headers["content-encoding"], bytes]));
          answer.resume();
        });
      });
      assert.deepEqual([seen[0], ...seen[1].subarray(0, 2)], ["gzip", 0x1f, 0x8b]);
    });

    await t.step("hands /rest/v1 and /auth/v1 to the Data API", async () => {
      for (const path of ["/rest/v1/rpc/claim_messages", "/auth/v1/token"]) {
        assert.equal(await (await fetch(gateway.url + path)).text(), path);
      }
    });

    await t.step("hands the objects of /storage/v1 to Storage", async () => {
      assert.equal(await (await fetch(`${gateway.url}/storage/v1/object/b/x`)).text(), "an object");
    });

    await t.step(
      "answers 404 for an unknown function, a disabled one and any other path",
      async () => {
        const unknown = { code: "NOT_FOUND", message: "Requested function was not found" };
        assert.deepEqual(await answerOf(fetch(at("absent"))), [404, "NOT_FOUND", unknown]);
        assert.deepEqual(await answerOf(fetch(at("off"))), [404, "NOT_FOUND", unknown]);
        assert.equal((await answerOf(fetch(`${gateway.url}/storage/v1/x`)))[0], 404);
      },
    );

    await t.step("answers 503 for a function that does not start, and shows why", async () => {
      const [status, code] = await answerOf(fetch(at("broken")));
      assert.deepEqual([status, code], [503, "BOOT_ERROR"]);
      assert(shown.some((line) => /^broken \| .*WHATSAPP_APP_SECRET is missing/.test(line)));
      const log = await Deno.readTextFile(`${logDir}/broken.log`);
      assert.match(log, /^broken \| error/m);
    });

    await t.step("asks for a key or a session where verify_jwt is on", async () => {
      const none = await answerOf(fetch(at("locked")));
      assert.deepEqual(none.slice(0, 2), [401, "UNAUTHORIZED_NO_AUTH_HEADER"]);
      const wrong = await answerOf(
        fetch(at("locked"), { headers: { authorization: "Bearer a.b.c" } }),
      );
      assert.equal(wrong[0], 401);
      const right = await fetch(at("locked"), { headers: { apikey: "sb_publishable_1" } });
      assert.equal(await right.text(), "in");
    });

    await t.step("answers 546 when the process dies before it has answered", async () => {
      const lost = await answerOf(fetch(at("dies"), { method: "POST", body: "{}" }));
      assert.deepEqual(lost.slice(0, 2), [546, "WORKER_LIMIT"]);
    });

    await t.step("starts another process for one that was killed", async () => {
      const before = await (await fetch(at("echo"))).json();
      gateway.functions.kill("echo");
      const after = await seeAnother(at("echo"), before.pid);
      assert.notEqual(after, before.pid);
      assert(shown.includes("echo | error: died (SIGKILL)"));
    });
  });
  Deno.env.delete("SWITCHYARD_TEST_FOREIGN");
});

/** The pid that answers once the killed one no longer does. */
async function seeAnother(url: string, pid: number): Promise<number> {
  while (true) {
    const response = await fetch(url);
    const seen = response.ok ? (await response.json()).pid : (await response.body?.cancel(), pid);
    if (seen !== pid) return seen;
  }
}

Deno.test("several processes of one function take turns", async () => {
  await withGateway(async ({ gateway }) => {
    await gateway.functions.settled();
    const pids = new Set<number>();
    // Both have answered before the first request, unless one of them failed to start.
    while (pids.size < 2) {
      pids.add((await (await fetch(`${gateway.url}/functions/v1/echo`)).json()).pid);
    }
    assert.equal(pids.size, 2);
  }, { instances: { echo: 2 } });
});

Deno.test("a gateway whose port is taken starts no function", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const started: string[] = [];
  await assert.rejects(
    withGateway(() => Promise.resolve(), {
      port: listener.addr.port,
      onStarted: (name) => started.push(name),
    }),
    Deno.errors.AddrInUse,
  );
  assert.deepEqual(started, []);
  listener.close();
});
