import { strict as assert } from "node:assert";
import { type GraphSimulator, startGraphSimulator } from "./server.ts";
import { aTextMessage, NUMBER } from "./test_simulator.ts";
import { hmacHex } from "./webhooks/signature.ts";

interface Arrived {
  text: string;
  signature: string | null;
}

/** A simulator and a business on real sockets, both ended when the test ends. */
async function running(test: (simulator: GraphSimulator, webhooks: Arrived[]) => Promise<void>) {
  const webhooks: Arrived[] = [];
  const listening = { port: 0, hostname: "127.0.0.1", onListen() {} };
  const business = Deno.serve(listening, async (request) => {
    const signature = request.headers.get("x-hub-signature-256");
    webhooks.push({ text: await request.text(), signature });
    return new Response("ok");
  });
  const simulator = await startGraphSimulator({
    port: 0,
    webhookUrl: `http://127.0.0.1:${business.addr.port}/`,
    appSecret: "secret",
    verifyToken: "verify",
  });
  try {
    await test(simulator, webhooks);
  } finally {
    await simulator.stop();
    await business.shutdown();
  }
}

function send({ url }: GraphSimulator): Promise<Response> {
  const headers = { authorization: "Bearer token" };
  // Not as a string: where a connection in use is closed without an answer, Deno 2.9 sends a body
  // that it can repeat a second time by itself.
  const body = new Blob([JSON.stringify(aTextMessage())]).stream();
  return fetch(`${url}/v25.0/${NUMBER}/messages`, { method: "POST", headers, body });
}

async function post({ url }: GraphSimulator, path: string, body: unknown): Promise<void> {
  const response = await fetch(url + path, { method: "POST", body: JSON.stringify(body) });
  assert.ok(response.ok, await response.text());
}

Deno.test("over real sockets a send is answered and its statuses arrive signed", () =>
  running(async (simulator, webhooks) => {
    const answer = await (await send(simulator)).json();
    const idle = await (await fetch(`${simulator.url}/_control/idle`)).json();
    assert.equal(idle.idle, true);
    assert.ok(webhooks.length > 0);
    for (const { text, signature } of webhooks) {
      assert.ok(text.includes(answer.messages[0].id));
      assert.equal(signature, `sha256=${hmacHex(text, "secret")}`);
    }
  }));

const broken: [string, object][] = [
  ["dropped", { drop_before: true }],
  ["dropped after it was accepted", { accept_then_drop: true }],
];

for (const [label, then] of broken) {
  Deno.test(`over real sockets a call that is ${label} sees no HTTP answer`, () =>
    running(async (simulator) => {
      await post(simulator, "/_control/rules", { then });
      await assert.rejects(send(simulator), TypeError);
      const counts = await (await fetch(`${simulator.url}/_control/counts`)).json();
      assert.equal(counts.received, 1);
    }));
}

Deno.test("over real sockets a cut answer begins as a success and breaks off", () =>
  running(async (simulator) => {
    await post(simulator, "/_control/rules", { then: { accept_then_cut: true } });
    const response = await send(simulator);
    assert.equal(response.status, 200);
    await assert.rejects(response.text());
  }));

Deno.test("a page that listens does not keep the simulator from stopping", () =>
  running(async (simulator) => {
    const events = await fetch(`${simulator.url}/_phone/15550200001/events`);
    await simulator.stop();
    await assert.rejects(events.text());
  }));

Deno.test("a taken port is refused with the system's own error", () =>
  running(async ({ url }) => {
    const options = { webhookUrl: "http://127.0.0.1:1/", appSecret: "s", verifyToken: "v" };
    await assert.rejects(startGraphSimulator({ port: Number(new URL(url).port), ...options }), {
      code: "EADDRINUSE",
    });
  }));
