import { strict as assert } from "node:assert";
import type { Answer } from "../graph/answer.ts";
import {
  aTextMessage,
  createTestSimulator,
  type Item,
  NUMBER,
  SECRET,
  type TestSimulator,
} from "../test_simulator.ts";
import { hmacHex } from "../webhooks/signature.ts";
import { misbehaviours } from "./misbehaviours.ts";

/** A send whose answer may never come. */
interface Underway extends TestSimulator {
  answer: Promise<Answer>;
  isAnswered(): boolean;
}

async function sendUnder(
  then: Item,
  answerWebhook?: () => Promise<Response>,
): Promise<Underway> {
  const simulator = createTestSimulator(answerWebhook);
  const rule = await simulator.request("POST", "/_control/rules", { then });
  assert.equal(rule.status, 201, await rule.text());
  let isAnswered = false;
  const body = JSON.stringify(aTextMessage({ biz_opaque_callback_data: "ours" }));
  const answer = simulator.world.send({
    phoneNumberId: NUMBER,
    authorization: "Bearer token",
    body,
  });
  void answer.then(() => isAnswered = true);
  await simulator.advance(0);
  return { ...simulator, answer, isAnswered: () => isAnswered };
}

function bodyOf(answer: Answer): Item {
  assert.equal(answer.kind, "json");
  return answer.kind === "json" ? JSON.parse(answer.text) : {};
}

const statusesOf = ({ statuses }: TestSimulator) => statuses().map(({ status }) => status);
const codeOf = (status: Item | undefined) => (status?.errors as Item[] | undefined)?.[0]?.code;
const onlyEntry = ({ world }: TestSimulator) => {
  const [entry, ...more] = world.received.page({}, 0, 9);
  assert.equal(more.length, 0);
  return entry;
};

const tests: [string, string, () => Promise<void>][] = [
  ["error", "answers the code's own HTTP status and nothing follows", async () => {
    const send = await sendUnder({ error: 131016 });
    const answer = await send.answer;
    assert.equal(answer.kind === "json" && answer.status, 500);
    assert.equal((bodyOf(answer).error as Item).code, 131016);
    await send.advance(60_000);
    assert.equal(send.webhooks.length, 0);
    assert.deepEqual([onlyEntry(send)?.outcome, onlyEntry(send)?.code], ["refused", 131016]);
  }],
  ["error", "takes HTTP status, subcode, details and is_transient as given", async () => {
    const error = { code: 4, http: 429, subcode: 7, details: "why", is_transient: true };
    const answer = await (await sendUnder({ error })).answer;
    assert.equal(answer.kind === "json" && answer.status, 429);
    const told = bodyOf(answer).error as Item;
    assert.deepEqual([told.error_subcode, told.is_transient], [7, true]);
    assert.equal((told.error_data as Item).details, "why");
  }],
  ["error", "knows codes that Meta has not published", async () => {
    const answer = await (await sendUnder({ error: 987_654 })).answer;
    assert.equal((bodyOf(answer).error as Item).code, 987_654);
  }],
  ["error", "may come later instead, as a failed status", async () => {
    const send = await sendUnder({ error: { code: 131042, when: "async" } });
    assert.ok("messages" in bodyOf(await send.answer));
    await send.advance(60_000);
    assert.deepEqual(statusesOf(send), ["failed"]);
    assert.equal(codeOf(send.statuses()[0]), 131042);
  }],
  ["error", "may come both at once and later", async () => {
    const send = await sendUnder({ error: { code: 131042, when: "both" } });
    assert.equal((bodyOf(await send.answer).error as Item).code, 131042);
    await send.advance(60_000);
    assert.deepEqual(statusesOf(send), ["failed"]);
    assert.equal(send.statuses()[0]?.biz_opaque_callback_data, "ours");
    assert.equal(onlyEntry(send)?.outcome, "refused");
  }],
  ["delay_ms", "accepts and answers only after its time", async () => {
    const send = await sendUnder({ delay_ms: 5_000 });
    await send.advance(4_999);
    assert.deepEqual([send.isAnswered(), send.world.received.counts().received], [false, 0]);
    await send.advance(1);
    assert.ok("messages" in bodyOf(await send.answer));
  }],
  ["hang", "never answers and accepts nothing", async () => {
    const send = await sendUnder({ hang: true });
    await send.advance(3_600_000);
    assert.equal(send.isAnswered(), false);
    assert.equal(send.webhooks.length, 0);
    assert.equal(onlyEntry(send)?.outcome, "hung");
  }],
  ["drop_before", "closes the connection and accepts nothing", async () => {
    const send = await sendUnder({ drop_before: true });
    assert.deepEqual(await send.answer, { kind: "closed" });
    await send.advance(60_000);
    assert.equal(send.webhooks.length, 0);
    assert.equal(onlyEntry(send)?.outcome, "dropped");
  }],
  ["accept_then_drop", "closes the connection although the message goes out", async () => {
    const send = await sendUnder({ accept_then_drop: true });
    assert.deepEqual(await send.answer, { kind: "closed" });
    await send.advance(60_000);
    assert.deepEqual(statusesOf(send), ["sent", "delivered", "read"]);
    assert.equal(send.statuses()[0]?.biz_opaque_callback_data, "ours");
    assert.equal(onlyEntry(send)?.outcome, "accepted");
  }],
  ["accept_then_cut", "breaks off in the middle of a success", async () => {
    const send = await sendUnder({ accept_then_cut: true });
    const answer = await send.answer;
    assert.ok(answer.kind === "cut" && answer.text.length < answer.length);
    await send.advance(60_000);
    assert.equal(statusesOf(send).length, 3);
  }],
  ["accept_then_hang", "never answers although the message goes out", async () => {
    const send = await sendUnder({ accept_then_hang: true });
    await send.advance(60_000);
    assert.equal(send.isAnswered(), false);
    assert.equal(statusesOf(send).length, 3);
  }],
  ["accept_then_500", "answers a page although the message goes out", async () => {
    const send = await sendUnder({ accept_then_500: true });
    const answer = await send.answer;
    assert.ok(answer.kind === "page" && answer.status === 500);
    assert.throws(() => JSON.parse(answer.text));
    await send.advance(60_000);
    assert.equal(statusesOf(send).length, 3);
  }],
  ["malformed_200", "answers 200 with half a body", async () => {
    const answer = await (await sendUnder({ malformed_200: true })).answer;
    assert.ok(answer.kind === "json" && answer.status === 200);
    assert.throws(() => JSON.parse(answer.text));
  }],
  ["late_answer_ms", "lets the statuses go ahead of its answer", async () => {
    const send = await sendUnder({ late_answer_ms: 30_000 });
    await send.advance(29_999);
    assert.equal(send.isAnswered(), false);
    assert.equal(statusesOf(send).length, 3);
    await send.advance(1);
    const [message] = bodyOf(await send.answer).messages as Item[];
    assert.equal(message?.id, send.statuses()[0]?.id);
  }],
  ["status_before_reply", "answers only once the first status was answered", async () => {
    const webhook = Promise.withResolvers<Response>();
    const send = await sendUnder({ status_before_reply: true }, () => webhook.promise);
    assert.deepEqual(statusesOf(send), ["sent"]);
    await send.advance(5_000);
    assert.equal(send.isAnswered(), false);
    webhook.resolve(new Response(null));
    assert.ok("messages" in bodyOf(await send.answer));
    await send.advance(60_000);
    assert.deepEqual(statusesOf(send), ["sent", "delivered", "read"]);
  }],
  ["statuses", "follow the path given: read without delivered", async () => {
    const send = await sendUnder({ statuses: ["sent", "read"] });
    await send.advance(60_000);
    assert.deepEqual(statusesOf(send), ["sent", "read"]);
  }],
  ["statuses", "may end after sent, or never begin", async () => {
    for (const path of [["sent"], []]) {
      const send = await sendUnder({ statuses: path });
      await send.advance(86_400_000);
      assert.deepEqual(statusesOf(send), path);
    }
  }],
  ["statuses", "may fail after sent and contradict themselves", async () => {
    const failed = { status: "failed", after_ms: 100, code: 131026, details: "no" };
    const send = await sendUnder({ statuses: ["sent", failed, "delivered"] });
    await send.advance(60_000);
    assert.deepEqual(statusesOf(send), ["sent", "failed", "delivered"]);
    assert.equal(codeOf(send.statuses()[1]), 131026);
  }],
  ["shuffle", "reports the same statuses in another order", async () => {
    const path = ["sent", "delivered", "read", "played"];
    const send = await sendUnder({ statuses: path, shuffle: true });
    await send.advance(60_000);
    assert.notDeepEqual(statusesOf(send), path);
    assert.deepEqual(statusesOf(send).toSorted(), path.toSorted());
  }],
  ["duplicate_webhooks", "posts the same bytes again, at once or later", async () => {
    const twice = await sendUnder({ duplicate_webhooks: 1, statuses: ["sent"] });
    await twice.advance(1_000);
    assert.equal(twice.webhooks.length, 2);
    assert.equal(twice.webhooks[0]?.text, twice.webhooks[1]?.text);
    const later = await sendUnder({
      duplicate_webhooks: { count: 2, after_ms: 3_600_000 },
      statuses: ["sent"],
    });
    await later.advance(1_000);
    assert.equal(later.webhooks.length, 1);
    await later.advance(7_200_000);
    assert.equal(later.webhooks.length, 3);
  }],
  ["signature", "is wrong, missing, old or made of other bytes", async () => {
    for (const mode of ["wrong_secret", "none", "old_secret", "reserialised", "malformed"]) {
      const send = await sendUnder({ signature: mode, statuses: ["sent"] });
      await send.advance(100);
      const [webhook] = send.webhooks;
      assert.ok(webhook);
      const header = webhook.headers.get("x-hub-signature-256");
      if (mode === "none") assert.equal(header, null);
      // Without slashes and foreign letters a body reads the same when it is written again.
      else if (mode !== "reserialised") {
        assert.notEqual(header, `sha256=${hmacHex(webhook.text, SECRET)}`, mode);
      }
    }
  }],
  ["expire_token", "refuses this send and every later one with that token", async () => {
    const send = await sendUnder({ expire_token: true });
    assert.equal((bodyOf(await send.answer).error as Item).error_subcode, 463);
    await send.json("DELETE", "/_control/rules");
    assert.equal((await send.send()).status, 401);
  }],
  ["wa_id", "differs from the number that was written to", async () => {
    const send = await sendUnder({ wa_id: "5215512345678" });
    const [contact] = bodyOf(await send.answer).contacts as Item[];
    assert.deepEqual(contact, { input: "+15550200001", wa_id: "5215512345678" });
    await send.advance(100);
    assert.equal(send.statuses()[0]?.recipient_id, "5215512345678");
  }],
  ["message_status", "is told for templates", async () => {
    const simulator = createTestSimulator();
    const then = { message_status: "paused" };
    await simulator.json("POST", "/_control/rules", { then });
    const template = { name: "hello", language: { code: "en" } };
    const { messages } = await (await simulator.send({ type: "template", template })).json();
    assert.equal(messages[0].message_status, "paused");
  }],
  ["pricing", "is whatever it is told to be", async () => {
    const send = await sendUnder({ pricing: { type: "regular", category: "marketing_lite" } });
    await send.advance(100);
    const { type, category, billable } = send.statuses()[0]?.pricing as Item;
    assert.deepEqual([type, category, billable], ["regular", "marketing_lite", true]);
  }],
];

for (const [name, rule, test] of tests) Deno.test(`${name} ${rule}`, test);

Deno.test("every misbehaviour has a test", () => {
  const tested = new Set(tests.map(([name]) => name));
  assert.deepEqual(Object.keys(misbehaviours).filter((name) => !tested.has(name)), []);
});
