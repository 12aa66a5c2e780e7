import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../support/tls_post_program.ts", import.meta.url));
/** An authority of the tests alone, and certificates of it for hooks.example.test, until 2120. */
const CERTIFICATES = new URL("../support/certificates/", import.meta.url);
const HOST = "hooks.example.test";

const read = (name: string) => Deno.readTextFileSync(new URL(name, CERTIFICATES));

/** A tenant's server on 127.0.0.1, with this certificate. */
function startServer(certificate: string) {
  const asked: string[] = [];
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    cert: read(certificate),
    key: read("server.key"),
    onListen: () => {},
  }, async (request) => {
    const { headers, method } = request;
    asked.push(
      `${method} ${headers.get("host")} ${headers.get("webhook-id")} ${await request.text()}`,
    );
    return new Response("thank you", { status: 201 });
  });
  const { port } = server.addr;
  return { asked, port, [Symbol.asyncDispose]: () => server.shutdown() };
}

async function post(url: string, { trusts }: { trusts: boolean }): Promise<unknown> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", PROGRAM, JSON.stringify({ url, address: "127.0.0.1" })],
    env: trusts ? { DENO_CERT: fileURLToPath(new URL("authority.pem", CERTIFICATES)) } : {},
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

const REFUSED = { answered: false, cause: "tls_failed" };

Deno.test("a callback goes over TLS to the address that was checked, under the name of its host", async () => {
  await using server = startServer("server.pem");
  const result = await post(`https://${HOST}:${server.port}/x`, { trusts: true });
  assert.deepEqual(result, { answered: true, status: 201, retryAfter: null });
  assert.deepEqual(server.asked, [`POST ${HOST}:${server.port} evt_1 {"a":1}`]);
});

const refusals: [rule: string, certificate: string, host: string, trusts: boolean][] = [
  ["for another name", "server.pem", "other.example.test", true],
  ["that has expired", "expired.pem", HOST, true],
  ["of an authority that nobody knows", "server.pem", HOST, false],
];
for (const [rule, certificate, host, trusts] of refusals) {
  Deno.test(`a callback is not sent to a server with a certificate ${rule}`, async () => {
    await using server = startServer(certificate);
    assert.deepEqual(await post(`https://${host}:${server.port}/x`, { trusts }), REFUSED);
    assert.deepEqual(server.asked, []);
  });
}
