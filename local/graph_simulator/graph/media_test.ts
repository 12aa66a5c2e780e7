import { strict as assert } from "node:assert";
import { createRoutes } from "../routes.ts";
import { createTestSimulator, type Item, NUMBER, type TestSimulator } from "../test_simulator.ts";

const DAY_MS = 86_400_000;
const PNG = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]);

async function upload({ world }: TestSimulator, type = "image/png", bytes = PNG, token = "token") {
  const form = new FormData();
  form.append("messaging_product", "whatsapp");
  form.append("file", new Blob([bytes], { type }), "file");
  const headers = { authorization: `Bearer ${token}` };
  const url = `http://simulator.test/v25.0/${NUMBER}/media`;
  return await createRoutes(world)(new Request(url, { method: "POST", body: form, headers }));
}

async function uploadedId(simulator: TestSimulator): Promise<string> {
  return (await (await upload(simulator)).json()).id;
}

Deno.test("an upload is described with an address that gives its bytes back", async () => {
  const simulator = createTestSimulator();
  const { url, ...media } = await simulator.json("GET", `/v25.0/${await uploadedId(simulator)}`);
  assert.deepEqual([media.mime_type, media.file_size], ["image/png", PNG.length]);
  const response = await simulator.request("GET", new URL(String(url)).pathname);
  assert.deepEqual(new Uint8Array(await response.arrayBuffer()), PNG);
});

Deno.test("an address is good for five minutes and needs a token", async () => {
  const simulator = createTestSimulator();
  const { url } = await simulator.json("GET", `/v25.0/${await uploadedId(simulator)}`);
  const bare = await createRoutes(simulator.world)(new Request(String(url)));
  assert.equal(bare.status, 401);
  await simulator.advance(299_999);
  assert.equal((await simulator.request("GET", new URL(String(url)).pathname)).status, 200);
  await simulator.advance(1);
  assert.equal((await simulator.request("GET", new URL(String(url)).pathname)).status, 404);
});

Deno.test("an upload is kept for 30 days, a customer's picture for 7", async () => {
  const simulator = createTestSimulator();
  const id = await uploadedId(simulator);
  await simulator.json("POST", "/_control/inbound", {
    from: "15550200001",
    phone_number_id: NUMBER,
    type: "image",
  });
  await simulator.advance(7 * DAY_MS - 1);
  const inbound = (simulator.messages()[0]?.image as Item).id;
  const look = async (of: unknown) => (await simulator.request("GET", `/v25.0/${of}`)).status;
  assert.deepEqual([await look(id), await look(inbound)], [200, 200]);
  await simulator.advance(1);
  assert.deepEqual([await look(id), await look(inbound)], [200, 400]);
  await simulator.advance(23 * DAY_MS);
  assert.equal(await look(id), 400);
});

Deno.test("a deleted medium is gone", async () => {
  const { request, ...simulator } = createTestSimulator();
  const id = await uploadedId({ request, ...simulator });
  assert.deepEqual(await (await request("DELETE", `/v25.0/${id}`)).json(), { success: true });
  assert.equal((await request("DELETE", `/v25.0/${id}`)).status, 400);
});

Deno.test("a medium belongs to the number that it was uploaded for", async () => {
  const simulator = createTestSimulator();
  const id = await uploadedId(simulator);
  const path = `/v25.0/${id}?phone_number_id=`;
  assert.equal((await simulator.request("GET", path + NUMBER)).status, 200);
  assert.equal((await simulator.request("GET", path + "5")).status, 400);
});

const uploads: [string, string, number, number | null][] = [
  ["a picture", "image/jpeg", 10, null],
  ["a picture of 5 MB and a byte", "image/jpeg", 5 * 1024 * 1024 + 1, 131053],
  ["a sticker of 500 KB and a byte", "image/webp", 500 * 1024 + 1, 131053],
  ["a page", "text/html", 10, 100],
];

for (const [label, type, size, code] of uploads) {
  Deno.test(`uploading ${label} answers ${code ?? "an id"}`, async () => {
    const response = await upload(createTestSimulator(), type, new Uint8Array(size));
    const answer = await response.json();
    assert.equal(answer.error?.code ?? null, code);
  });
}

const uses: [string, number, string][] = [
  ["as what it is", 0, "sent"],
  ["as something else", 0, "failed"],
  ["after it expired", 31 * DAY_MS, "failed"],
];

for (const [label, pauseMs, expected] of uses) {
  Deno.test(`a message with an upload ${label} is ${expected}`, async () => {
    const simulator = createTestSimulator();
    const id = await uploadedId(simulator);
    await simulator.advance(pauseMs);
    const type = label === "as something else" ? "video" : "image";
    await simulator.send({ type, [type]: { id } });
    await simulator.advance(25);
    assert.equal(simulator.statuses()[0]?.status, expected);
  });
}

Deno.test("links are fetched when that is switched on, once in ten minutes", async () => {
  const fetched: string[] = [];
  const { json, send, advance, statuses } = createTestSimulator(({ url }) => {
    if (url.includes("/webhook")) return new Response(null);
    fetched.push(url);
    return new Response(null, { status: url.endsWith("gone") ? 404 : 200 });
  });
  await json("PATCH", "/_control/settings", { fetch_media_links: true });
  const sendLink = async (link: string) => {
    await send({ type: "image", image: { link } });
    await advance(1_000);
  };
  await sendLink("http://files.test/a");
  await sendLink("http://files.test/a");
  assert.equal(fetched.length, 1);
  await sendLink("http://files.test/a?again");
  assert.equal(fetched.length, 2);
  await advance(600_000);
  await sendLink("http://files.test/a");
  assert.equal(fetched.length, 3);
  await sendLink("http://files.test/gone");
  assert.equal((statuses().at(-1)?.errors as Item[])[0]?.code, 131053);
});
