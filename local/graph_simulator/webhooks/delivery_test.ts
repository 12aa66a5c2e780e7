import { strict as assert } from "node:assert";
import { changesOf, createTestSimulator, NUMBER, SECRET } from "../test_simulator.ts";
import { settingsSchema } from "../script/settings.ts";
import { retryGapMs } from "./retries.ts";
import { hmacHex } from "./signature.ts";

const DAY_MS = 86_400_000;

function inbound(from: number, phoneNumberId = NUMBER) {
  const text = { body: "Hi" };
  return { from: String(15550200000 + from), phone_number_id: phoneNumberId, type: "text", text };
}

const failing = () => new Response(null, { status: 503 });

Deno.test("a webhook is signed over exactly the bytes that were sent", async () => {
  const { json, advance, webhooks } = createTestSimulator();
  await json("POST", "/_control/inbound", { ...inbound(1), text: { body: "Grüße / 😀" } });
  await advance(10);
  const [webhook] = webhooks;
  assert.ok(webhook);
  assert.match(webhook.text, /Gr\\u00fc\\u00dfe \\\/ \\ud83d\\ude00/);
  const header = webhook.headers.get("x-hub-signature-256");
  assert.equal(header, `sha256=${hmacHex(webhook.text, SECRET)}`);
});

Deno.test("updates of many accounts and numbers share a webhook, each in its own entry", async () => {
  const { json, advance, webhooks } = createTestSimulator();
  const numbers = ["100000000000001", "100000000000002", "300000000000003"];
  await json("PUT", `/_control/numbers/${numbers[1]}`, { business_account_id: "200000000000001" });
  await json(
    "POST",
    "/_control/inbound",
    numbers.flatMap((id) => [inbound(1, id), inbound(2, id)]),
  );
  await advance(10);
  assert.equal(webhooks.length, 1);
  const { entry } = JSON.parse(webhooks[0]?.text ?? "");
  assert.deepEqual(entry.map((one: { id: string }) => one.id), [
    "200000000000001",
    "2300000000000003",
  ]);
  const perChange = changesOf(webhooks).map(({ value }) => [
    (value.metadata as { phone_number_id: string }).phone_number_id,
    (value.messages as unknown[]).length,
    (value.contacts as unknown[]).length,
  ]);
  assert.deepEqual(perChange, numbers.map((id) => [id, 2, 2]));
});

Deno.test("a webhook holds at most as many updates as the settings say", async () => {
  const { json, advance, webhooks, messages } = createTestSimulator();
  await json("PATCH", "/_control/settings", { webhooks: { max_updates: 10 } });
  await json("POST", "/_control/inbound", Array.from({ length: 25 }, (_, index) => inbound(index)));
  await advance(10);
  assert.deepEqual([webhooks.length, messages().length], [3, 25]);
});

Deno.test("a webhook over the size limit is halved until it fits", async () => {
  const { json, advance, webhooks, messages } = createTestSimulator();
  await json("PATCH", "/_control/settings", { webhooks: { max_bytes: 5_000 } });
  const long = { ...inbound(1), text: { body: "x".repeat(2_000) } };
  await json("POST", "/_control/inbound", [long, long, long, long]);
  await advance(10);
  assert.equal(messages().length, 4);
  assert.ok(webhooks.length > 1 && webhooks.every(({ text }) => text.length <= 5_000));
});

Deno.test("no more webhooks are under way than the settings allow, and none is forgotten", async () => {
  const answers: (() => void)[] = [];
  const slow = () =>
    new Promise<Response>((resolve) => answers.push(() => resolve(new Response(null))));
  const { json, advance, webhooks, messages } = createTestSimulator(slow);
  await json("PATCH", "/_control/settings", { webhooks: { max_updates: 1, concurrency: 2 } });
  await json("POST", "/_control/inbound", [1, 2, 3, 4, 5].map((from) => inbound(from)));
  await advance(10);
  assert.equal(webhooks.length, 2);
  while (answers.length > 0) {
    answers.splice(0).forEach((answer) => answer());
    await advance(0);
  }
  assert.equal(messages().length, 5);
});

Deno.test("a webhook that is not answered 200 comes again at once and then ever more seldom", async () => {
  const { json, advance, webhooks } = createTestSimulator(failing);
  await json("POST", "/_control/inbound", inbound(1));
  await advance(10);
  await advance(40_000);
  const since = webhooks[0]?.at ?? 0;
  assert.deepEqual(webhooks.map(({ at }) => at - since), [
    0,
    0,
    1_000,
    3_000,
    7_000,
    15_000,
    31_000,
  ]);
  assert.equal(new Set(webhooks.map(({ text }) => text)).size, 1);
});

Deno.test("a retry stops once it is accepted", async () => {
  let answered = 0;
  const { json, advance, webhooks, world } = createTestSimulator(() =>
    ++answered < 3 ? failing() : new Response(null)
  );
  await json("POST", "/_control/inbound", inbound(1));
  await advance(10);
  await advance(DAY_MS);
  assert.equal(webhooks.length, 3);
  assert.deepEqual(world.delivery.pending(), { waiting: 0, in_flight: 0, waiting_for_retry: 0 });
});

Deno.test("retries end after seven days, and their timestamps never change", async () => {
  const { json, advance, webhooks, world } = createTestSimulator(failing);
  await json("POST", "/_control/inbound", inbound(1));
  for (let hour = 0; hour < 8 * 24; hour++) await advance(3_600_000);
  const last = webhooks.at(-1)?.at ?? 0;
  assert.ok(last - (webhooks[0]?.at ?? 0) > 6 * DAY_MS);
  assert.ok(last - (webhooks[0]?.at ?? 0) <= 7 * DAY_MS);
  assert.equal(world.delivery.pending().waiting_for_retry, 0);
  assert.equal(new Set(webhooks.map(({ text }) => text)).size, 1);
});

Deno.test("no answer in time counts as not accepted", async () => {
  const { json, advance, world } = createTestSimulator(() => new Promise(() => {}), {
    fetch: (_url, init) =>
      new Promise((_resolve, reject) =>
        init?.signal?.addEventListener("abort", () => reject(new Error("late")))
      ),
  });
  await json("PATCH", "/_control/settings", { webhooks: { timeout_ms: 3_000 } });
  await json("POST", "/_control/inbound", inbound(1));
  await advance(10);
  assert.equal(world.poster.tally().not_accepted, 0);
  await advance(3_000);
  assert.equal(world.poster.tally().not_accepted, 1);
});

Deno.test("an answer other than 200 is a failure, also 201, 202 and 204", async () => {
  for (const status of [201, 202, 204, 400, 401]) {
    const { json, advance, world } = createTestSimulator(() => new Response(null, { status }));
    await json("POST", "/_control/inbound", inbound(1));
    await advance(10);
    assert.equal(world.poster.tally().accepted, 0, String(status));
    assert.equal(world.delivery.pending().waiting_for_retry, 1, String(status));
  }
});

Deno.test("a retry goes to every subscribed app, also to the one that had accepted", async () => {
  const other = { url: "http://other.test/webhook", app_secret: "theirs" };
  const { json, advance, webhooks } = createTestSimulator(({ url }) =>
    url.includes("other") ? new Response(null) : failing()
  );
  await json("PATCH", "/_control/settings", { webhooks: { also_subscribed: [other] } });
  await json("POST", "/_control/inbound", inbound(1));
  await advance(10);
  await advance(1_500);
  const theirs = webhooks.filter(({ url }) => url === other.url);
  assert.equal(theirs.length, 3);
  assert.equal(
    theirs[0]?.headers.get("x-hub-signature-256"),
    `sha256=${hmacHex(theirs[0]?.text ?? "", "theirs")}`,
  );
});

Deno.test("duplicates are the same bytes, at once or hours later", async () => {
  const { json, advance, webhooks } = createTestSimulator();
  await json("POST", "/_control/inbound", { ...inbound(1), webhooks: { duplicates: 2 } });
  await advance(10);
  assert.equal(webhooks.length, 3);
  const late = { duplicates: 1, duplicate_after_ms: 7_200_000 };
  await json("POST", "/_control/inbound", { ...inbound(2), webhooks: late });
  await advance(10);
  assert.equal(webhooks.length, 4);
  await advance(7_200_000);
  assert.equal(webhooks.length, 5);
  assert.equal(webhooks[4]?.text, webhooks[3]?.text);
});

Deno.test("shuffled updates are all there, in another order", async () => {
  const { json, advance, messages } = createTestSimulator();
  await json("PATCH", "/_control/settings", { webhooks: { shuffle: true } });
  const sent = Array.from({ length: 20 }, (_, index) => inbound(index));
  await json("POST", "/_control/inbound", sent);
  await advance(10);
  const order = messages().map(({ from }) => String(from));
  const inOrder = sent.map(({ from }) => from);
  assert.notDeepEqual(order, inOrder);
  assert.deepEqual(order.toSorted(), inOrder.toSorted());
});

Deno.test("updates to be signed in different ways never share a webhook", async () => {
  const { json, advance, webhooks } = createTestSimulator();
  await json("POST", "/_control/inbound", [
    inbound(1),
    { ...inbound(2), webhooks: { signature: "none" } },
  ]);
  await advance(10);
  const signed = webhooks.map(({ headers }) => headers.has("x-hub-signature-256"));
  assert.deepEqual(signed.toSorted(), [false, true]);
});

Deno.test("retryGapMs() grows by its factor up to its longest", () => {
  const { retry } = settingsSchema.parse({}).webhooks;
  assert.deepEqual([1, 2, 3, 4, 5].map((tried) => retryGapMs(tried, retry)), [
    0,
    1_000,
    2_000,
    4_000,
    8_000,
  ]);
  assert.equal(retryGapMs(60, retry), DAY_MS / 4);
});
