import { strict as assert } from "node:assert";
import { runtime } from "../runtime.ts";
import type { GraphAnswer } from "./graph_answer.ts";
import { createGraphClient } from "./graph_client.ts";
import type { GraphClientOptions, SendRequest } from "./graph_client.ts";

const token = "EAAGexampletoken";
const message = { id: "m-1", to: "+16505551234", type: "text", content: { body: "Hello" } };
const accepted = JSON.stringify({ messages: [{ id: "wamid.A" }] });

const never = () => new Promise<void>(() => {});

function clientFor(baseUrl: string, options: Partial<GraphClientOptions> = {}) {
  const { fetch } = runtime;
  const client = createGraphClient({
    fetch,
    baseUrl,
    version: "v25.0",
    now: () => 0,
    sleep: never,
    ...options,
  });
  return (request: Partial<SendRequest> = {}) =>
    client.sendMessage({ phoneNumberId: "1065", accessToken: token, message, ...request });
}

type Connection = { socket: Deno.Conn; nth: number };

/** A server that reads a request whole, then does to the connection what it is told. */
async function withServer(
  respond: (connection: Connection) => Promise<void> | void,
  use: (url: string, requests: string[]) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests: string[] = [];
  const sockets: Deno.Conn[] = [];
  const serving = (async () => {
    for await (const socket of listener) {
      sockets.push(socket);
      void serveConnection(socket, async (request) => {
        requests.push(request);
        await respond({ socket, nth: requests.length });
      });
    }
  })();
  try {
    await use(`http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`, requests);
  } finally {
    listener.close();
    for (const socket of sockets) closeQuietly(socket);
    await serving;
  }
}

async function serveConnection(
  socket: Deno.Conn,
  onRequest: (request: string) => Promise<void>,
): Promise<void> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  try {
    for (let size = await socket.read(buffer); size !== null; size = await socket.read(buffer)) {
      text += new TextDecoder().decode(buffer.subarray(0, size));
      const [head, body] = text.split("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(head!)?.[1] ?? NaN);
      if (body === undefined || body.length < length) continue;
      const request = text;
      text = "";
      await onRequest(request);
    }
  } catch {
    // The client or the test closed it.
  }
}

function closeQuietly(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // Closed already.
  }
}

async function write(socket: Deno.Conn, text: string): Promise<void> {
  await socket.write(new TextEncoder().encode(text));
}

function httpAnswer(body: string, head = "HTTP/1.1 200 OK"): string {
  return `${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

function outline(answer: GraphAnswer): string {
  return answer.kind === "response"
    ? `response ${answer.status}`
    : `${answer.kind} ${answer.reason}`;
}

Deno.test("a send is one POST with the token, our body and its length", async () => {
  await withServer(
    ({ socket }) => write(socket, httpAnswer(accepted)),
    async (url, requests) => {
      const answer = await clientFor(`${url}/`)();
      assert.deepEqual(answer, {
        kind: "response",
        status: 200,
        body: accepted,
        headers: {},
        duration_ms: 0,
      });
      const [head, body] = requests[0]!.split("\r\n\r\n");
      assert.match(head!, /^POST \/v25\.0\/1065\/messages HTTP\/1\.1\r\n/);
      assert.match(head!, /authorization: Bearer EAAGexampletoken/i);
      assert.match(head!, /content-type: application\/json/i);
      assert.match(head!, new RegExp(`content-length: ${body!.length}`, "i"));
      assert.equal(JSON.parse(body!).biz_opaque_callback_data, "m-1");
    },
  );
});

Deno.test("an error answer is a response with the headers that decide anything", async () => {
  const head = "HTTP/1.1 400 Bad Request\r\nretry-after: 7\r\nx-app-usage: {}\r\nserver: x";
  await withServer(
    ({ socket }) => write(socket, httpAnswer("{}", head)),
    async (url) => {
      const answer = await clientFor(url)();
      assert.ok(answer.kind === "response");
      assert.deepEqual(answer.headers, { "retry-after": "7", "x-app-usage": "{}" });
    },
  );
});

Deno.test("a redirect is answered as it is, not followed", async () => {
  const head = "HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere";
  await withServer(
    ({ socket }) => write(socket, httpAnswer("", head)),
    async (url, requests) => {
      assert.equal(outline(await clientFor(url)()), "response 307");
      assert.equal(requests.length, 1);
    },
  );
});

Deno.test("an endless answer is read up to 64 KiB", async () => {
  await withServer(
    async ({ socket }) => {
      await write(socket, "HTTP/1.1 200 OK\r\n\r\n");
      while (true) await write(socket, "x".repeat(10_000));
    },
    async (url) => {
      const answer = await clientFor(url)();
      assert.ok(answer.kind === "response");
      assert.equal(answer.body.length, 65_536);
    },
  );
});

const broken: [title: string, respond: (socket: Deno.Conn) => Promise<void> | void][] = [
  ["closes without an answer", (socket) => socket.close()],
  ["closes within the headers", async (socket) => {
    await write(socket, "HTTP/1.1 200 OK\r\ncontent-le");
    socket.close();
  }],
  ["closes within the body", async (socket) => {
    await write(socket, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
    socket.close();
  }],
  ["closes within a body of unknown length", async (socket) => {
    await write(socket, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab");
    socket.close();
  }],
  ["answers what is not HTTP", (socket) => write(socket, "nonsense\r\n\r\n")],
  ["answers what is not gzip", (socket) => {
    const head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip";
    return write(socket, httpAnswer("not gzip", head));
  }],
];

for (const [title, respond] of broken) {
  Deno.test(`a server that reads the request and ${title} gave no answer`, async () => {
    await withServer(
      ({ socket }) => respond(socket),
      async (url, requests) => {
        assert.equal(outline(await clientFor(url)()), "no_answer reset");
        assert.equal(requests.length, 1);
      },
    );
  });
}

Deno.test("a request that a kept-alive connection swallowed is not sent a second time", async () => {
  await withServer(
    async ({ socket, nth }) => {
      if (nth < 3) await write(socket, httpAnswer(accepted));
      else socket.close();
    },
    async (url, requests) => {
      const send = clientFor(url);
      const outlines = [await send(), await send(), await send()].map(outline);
      assert.deepEqual(outlines, ["response 200", "response 200", "no_answer reset"]);
      assert.equal(requests.length, 3);
    },
  );
});

Deno.test("a refused connection is not sent", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  assert.equal(outline(await clientFor(`http://127.0.0.1:${port}`)()), "not_sent refused");
});

Deno.test("a name that nobody knows is not sent", async () => {
  assert.equal(outline(await clientFor("http://graph.invalid")()), "not_sent dns");
});

Deno.test("a server that does not speak TLS gets nothing sent", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const serving = (async () => {
    const socket = await listener.accept();
    await socket.read(new Uint8Array(1_024));
    await write(socket, "HTTP/1.1 400 Bad Request\r\n\r\n");
    socket.close();
  })();
  assert.equal(outline(await clientFor(`https://127.0.0.1:${port}`)()), "not_sent tls");
  await serving;
  listener.close();
});

/** A sleep that ends when it is told to. */
function stoppedClock() {
  let ring = () => {};
  const sleep = (_ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      ring = resolve;
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  return { sleep, ring: () => ring() };
}

Deno.test("a server that never answers is given up after the timeout", async () => {
  const { sleep, ring } = stoppedClock();
  await withServer(ring, async (url) => {
    const answer = await clientFor(url, { sleep, timeoutMs: 7_000 })();
    assert.deepEqual(answer, {
      kind: "no_answer",
      reason: "timeout",
      detail: "No answer in 7000 ms",
      duration_ms: 0,
    });
  });
});

Deno.test("a server that stops within the body is given up after the timeout", async () => {
  const { sleep, ring } = stoppedClock();
  await withServer(
    async ({ socket }) => {
      await write(socket, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
      ring();
    },
    async (url) => assert.equal(outline(await clientFor(url, { sleep })()), "no_answer timeout"),
  );
});

Deno.test("a send that is told to stop under way may have been sent", async () => {
  const stop = new AbortController();
  await withServer(
    () => stop.abort(),
    async (url) => {
      assert.equal(outline(await clientFor(url)({ signal: stop.signal })), "no_answer aborted");
    },
  );
});

Deno.test("a send that is told to stop before it began is not sent", async () => {
  const fetch = () => assert.fail("fetched");
  const answer = await clientFor("http://localhost", { fetch })({ signal: AbortSignal.abort() });
  assert.equal(outline(answer), "not_sent aborted");
});

Deno.test("a token that no header can carry is neither sent nor repeated", async () => {
  const fetch = () => assert.fail("fetched");
  for (const accessToken of ["", "two words", "line\r\nbreak", "ключ"]) {
    const answer = await clientFor("http://localhost", { fetch })({ accessToken });
    assert.equal(outline(answer), "not_sent malformed_token");
    if (accessToken !== "") assert.doesNotMatch(JSON.stringify(answer), new RegExp(accessToken));
  }
});

Deno.test("the token appears in no failure that is described", async () => {
  const fetch = () => Promise.reject(new TypeError("broken"));
  const answer = await clientFor("http://localhost", { fetch })();
  assert.deepEqual(answer, {
    kind: "no_answer",
    reason: "reset",
    detail: "broken",
    duration_ms: 0,
  });
});

Deno.test("a phone number id cannot lead to another address", async () => {
  const seen: string[] = [];
  const fetch = (input: URL | Request | string) => {
    seen.push(String(input));
    return Promise.resolve(new Response(accepted));
  };
  await clientFor("http://localhost", { fetch })({ phoneNumberId: "../../evil?x=" });
  assert.deepEqual(seen, ["http://localhost/v25.0/..%2F..%2Fevil%3Fx%3D/messages"]);
});

Deno.test("a base address that is none is refused when the client is built", () => {
  assert.throws(() => clientFor("graph.facebook.com"), TypeError);
});
