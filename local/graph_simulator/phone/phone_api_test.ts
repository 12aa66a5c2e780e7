import { strict as assert } from "node:assert";
import { createTestSimulator, type Item, NUMBER } from "../test_simulator.ts";

const PHONE = "/_phone/15550200001";

async function chatOf({ json }: { json: ReturnType<typeof createTestSimulator>["json"] }) {
  const { chats } = await json("GET", PHONE);
  const [chat] = chats as { phone_number_id: string; messages: Item[] }[];
  return chat?.messages ?? [];
}

Deno.test("what a person types reaches the business and is ticked when it was taken", async () => {
  const simulator = createTestSimulator();
  const { json, advance, messages } = simulator;
  await json("POST", `${PHONE}/${NUMBER}/messages`, { type: "text", text: { body: "Hi" } });
  assert.deepEqual((await chatOf(simulator)).map(({ tick }) => tick), ["pending"]);
  await advance(10);
  assert.deepEqual((await chatOf(simulator)).map(({ tick }) => tick), ["accepted"]);
  assert.equal((messages()[0]?.text as Item).body, "Hi");
});

Deno.test("a message that the business did not take is marked, and a retry heals it", async () => {
  let isUp = false;
  const simulator = createTestSimulator(() => new Response(null, { status: isUp ? 200 : 500 }));
  const { json, advance } = simulator;
  await json("POST", `${PHONE}/${NUMBER}/messages`, { type: "text", text: { body: "Hi" } });
  await advance(10);
  assert.equal((await chatOf(simulator))[0]?.tick, "failed");
  isUp = true;
  await json("POST", "/_phone/retry");
  await advance(0);
  const [message] = await chatOf(simulator);
  assert.deepEqual([message?.tick, message?.error], ["accepted", null]);
});

Deno.test("a picture from the phone can be fetched by the business with its token", async () => {
  const { world, json, advance, messages, request } = createTestSimulator();
  const { createRoutes } = await import("../routes.ts");
  const url = `http://simulator.test${PHONE}/${NUMBER}/media`;
  const headers = { "content-type": "image/png" };
  const upload = new Request(url, { method: "POST", body: new Uint8Array([1, 2, 3]), headers });
  const { id } = await (await createRoutes(world)(upload)).json();
  await json("POST", `${PHONE}/${NUMBER}/messages`, { type: "image", image: { id } });
  await advance(10);
  const image = messages()[0]?.image as Item;
  assert.deepEqual([image.id, image.mime_type], [id, "image/png"]);
  const file = await request("GET", new URL(String(image.url)).pathname);
  assert.equal((await file.arrayBuffer()).byteLength, 3);
  assert.equal((await request("GET", `/_phone/media/${id}`)).status, 200);
});

Deno.test("a message of the business carries the tick that was reported last", async () => {
  const simulator = createTestSimulator();
  await simulator.send();
  const ticks: unknown[] = [];
  for (const pauseMs of [0, 25, 40, 200]) {
    await simulator.advance(pauseMs);
    ticks.push((await chatOf(simulator))[0]?.tick);
  }
  assert.deepEqual(ticks, ["accepted", "sent", "delivered", "read"]);
});

Deno.test("a tick does not go back when statuses come out of order", async () => {
  const simulator = createTestSimulator();
  await simulator.json("POST", "/_control/rules", {
    then: { statuses: ["read", "delivered", "sent"] },
  });
  await simulator.send();
  await simulator.advance(1_000);
  const [message] = await chatOf(simulator);
  assert.equal(message?.tick, "read");
  assert.deepEqual((message?.timeline as Item[]).map(({ status }) => status), [
    "accepted",
    "read",
    "delivered",
    "sent",
  ]);
});

Deno.test("a failed message of the business says why", async () => {
  const simulator = createTestSimulator();
  await simulator.json("POST", "/_control/rules", {
    then: { error: { code: 131026, when: "async" } },
  });
  await simulator.send();
  await simulator.advance(100);
  const [message] = await chatOf(simulator);
  assert.deepEqual([message?.tick, message?.error], ["failed", "131026: Message undeliverable"]);
});

Deno.test("a read receipt of the business turns the customer's ticks up to it", async () => {
  const simulator = createTestSimulator();
  const { json, request, advance } = simulator;
  const write = (body: string) =>
    json("POST", `${PHONE}/${NUMBER}/messages`, { type: "text", text: { body } });
  await write("Hi");
  await advance(10);
  const { message_id } = await write("Are you there?");
  await advance(10);
  await write("Hello?");
  await advance(10);
  await request("POST", `/v25.0/${NUMBER}/messages`, {
    messaging_product: "whatsapp",
    status: "read",
    message_id,
  });
  const chat = await chatOf(simulator);
  assert.deepEqual(chat.map(({ tick }) => tick), ["read", "read", "accepted"]);
});

Deno.test("reactions of both sides stand on the message, and can be taken back", async () => {
  const simulator = createTestSimulator();
  const { json, send } = simulator;
  const { messages } = await (await send()).json();
  const message_id = messages[0].id;
  await json("POST", `${PHONE}/${NUMBER}/messages`, {
    type: "reaction",
    reaction: { message_id, emoji: "a" },
  });
  await send({ type: "reaction", reaction: { message_id, emoji: "b" } });
  const chat = await chatOf(simulator);
  assert.equal(chat.length, 1);
  assert.deepEqual(chat[0]?.reactions, { customer: "a", business: "b" });
  await json("POST", `${PHONE}/${NUMBER}/messages`, { type: "reaction", reaction: { message_id } });
  assert.deepEqual((await chatOf(simulator))[0]?.reactions, { business: "b" });
});

Deno.test("a known template is shown filled", async () => {
  const simulator = createTestSimulator();
  const known = { business_account_id: "200000000000001", name: "hello", language: "en" };
  await simulator.json("PUT", "/_control/templates", { ...known, body: "Hi {{1}}", footer: "Bye" });
  const components = [{ type: "body", parameters: [{ type: "text", text: "Ann" }] }];
  const template = { name: "hello", language: { code: "en" }, components };
  await simulator.send({ type: "template", template });
  assert.deepEqual((await chatOf(simulator))[0]?.template, {
    header: null,
    body: "Hi Ann",
    footer: "Bye",
    buttons: [],
  });
});

Deno.test("a phone that is looked at is told of every change, until it is not", async () => {
  const { request, send, advance } = createTestSimulator();
  const response = await request("GET", `${PHONE}/events`);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body?.getReader();
  await send();
  await advance(30);
  const kinds: string[] = [];
  while (kinds.length < 2) {
    const { value } = await reader?.read() ?? {};
    for (const [, text] of new TextDecoder().decode(value).matchAll(/^data: (.*)$/gm)) {
      kinds.push(JSON.parse(String(text)).message.tick);
    }
  }
  // The event holds the message as it was when it happened.
  assert.deepEqual(kinds, ["accepted", "sent"]);
  await reader?.cancel();
  assert.equal((await send()).status, 200);
});

Deno.test("the page and its parts are served, and nothing beside them", async () => {
  const { request } = createTestSimulator();
  for (const path of ["/", "/phone/15550200001"]) {
    const page = await request("GET", path);
    assert.match(await page.text(), /<textarea/);
    assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'self'/);
  }
  for (const name of ["page.js", "phone.css", "icon.svg"]) {
    assert.equal((await request("GET", `/_phone/page/${name}`)).status, 200);
  }
  assert.equal((await request("GET", "/_phone/page/..%2fchats.ts")).status, 404);
});
