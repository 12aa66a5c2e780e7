import { strict as assert } from "node:assert";
import { problemOf } from "../_shared/test_problem.ts";
import { breakExample, EXAMPLES } from "../_shared/whatsapp/outbound_examples.ts";
import {
  acceptAllBut,
  answerWith,
  createTestMessages,
  messageId,
  plannedAt,
  replayed,
  unpaid,
  windowClosed,
} from "./test_messages.ts";
import type { Item } from "./test_messages.ts";

Deno.test("batch takes the valid messages in one call and says why not the others", async () => {
  const { ask, calls } = createTestMessages();
  const response = await ask("POST", "/batch", {
    messages: [EXAMPLES.text, breakExample("text", "/text/body", ""), "nonsense", EXAMPLES.image],
  });
  assert.equal(response.status, 202);
  const { accepted, rejected } = await response.json();
  assert.deepEqual(accepted, [
    { index: 0, id: messageId, planned_send_at: plannedAt },
    { index: 3, id: messageId, planned_send_at: plannedAt },
  ]);
  assert.deepEqual(rejected.map(({ index }: Item) => index), [1, 2]);
  assert.equal(rejected[0].problem.code, "invalid_message");
  assert.deepEqual(rejected[0].problem.errors, [
    { pointer: "/text/body", detail: "must not be empty" },
  ]);
  assert.equal(calls.length, 1);
  const items = calls[0]?.args.messages as Item[];
  assert.deepEqual(items.map(({ index, idempotency_key }) => [index, idempotency_key]), [
    [0, "key-1:0"],
    [1, "key-1:3"],
  ]);
});

Deno.test("batch without a key gives its messages none", async () => {
  const { ask, calls } = createTestMessages();
  const response = await ask("POST", "/batch", { messages: [EXAMPLES.text] }, {});
  assert.equal(response.status, 202);
  assert.equal("idempotency_key" in (calls[0]?.args.messages as Item[])[0]!, false);
});

Deno.test("batch tells an unknown sender among known ones", async () => {
  const { ask } = createTestMessages({
    rpc: {
      enqueue_messages: acceptAllBut(1, { outcome: "unknown_sender" }),
    },
  });
  const response = await ask("POST", "/batch", {
    messages: [EXAMPLES.text, EXAMPLES.text, EXAMPLES.text],
  });
  const { accepted, rejected } = await response.json();
  assert.deepEqual(accepted.map(({ index }: Item) => index), [0, 2]);
  assert.deepEqual(
    rejected.map(({ index, problem }: Item & { problem: { code: string } }) => [
      index,
      problem.code,
    ]),
    [[1, "unknown_sender"]],
  );
});

Deno.test("batch tells a closed customer window with the time at which it closed", async () => {
  const { ask } = createTestMessages({
    rpc: {
      enqueue_messages: acceptAllBut(0, windowClosed),
    },
  });
  const response = await ask("POST", "/batch", { messages: [EXAMPLES.text, EXAMPLES.template] });
  const { accepted, rejected: [refused] } = await response.json();
  assert.deepEqual(accepted.map(({ index }: Item) => index), [1]);
  assert.equal(refused.index, 0);
  assert.deepEqual([refused.problem.code, refused.problem.closed_at], [
    "customer_window_closed",
    windowClosed.detail.closed_at,
  ]);
});

Deno.test("batch of replays alone is marked as one", async () => {
  const response = await createTestMessages({ rpc: { enqueue_messages: answerWith(replayed) } })
    .ask("POST", "/batch", { messages: [EXAMPLES.text, EXAMPLES.image] });
  assert.equal(response.headers.get("idempotent-replayed"), "true");
});

Deno.test("batch without one valid message asks the database nothing", async () => {
  const { ask, calls } = createTestMessages();
  const response = await ask("POST", "/batch", { messages: [1, 2] });
  assert.equal(response.status, 202);
  assert.deepEqual((await response.json()).accepted, []);
  assert.deepEqual(calls, []);
});

Deno.test("batch of 1,000 is taken in one call, of 1,001 refused with 413", async () => {
  const { ask, calls } = createTestMessages();
  const most = await ask("POST", "/batch", { messages: Array(1_000).fill(EXAMPLES.sticker) });
  assert.equal((await most.json()).accepted.length, 1_000);
  assert.equal(calls.length, 1);
  const more = await ask("POST", "/batch", { messages: Array(1_001).fill(EXAMPLES.sticker) });
  assert.equal((await problemOf(more)).code, "payload_too_large");
  assert.equal(calls.length, 1);
});

for (
  const [label, body] of [["no messages", {}], ["an empty list", { messages: [] }], ["a list", []]]
) {
  Deno.test(`batch with ${label} answers 422`, async () => {
    const { code } = await problemOf(await createTestMessages().ask("POST", "/batch", body));
    assert.equal(code, "invalid_request");
  });
}

Deno.test("batch tells each message that the wallet does not cover", async () => {
  const { ask } = createTestMessages({
    rpc: {
      enqueue_messages: acceptAllBut(1, unpaid),
    },
  });
  const response = await ask("POST", "/batch", { messages: [EXAMPLES.text, EXAMPLES.template] });
  assert.equal(response.status, 202);
  const { accepted, rejected } = await response.json();
  assert.deepEqual(accepted.map(({ index }: Item) => index), [0]);
  assert.deepEqual([rejected[0].problem.status, rejected[0].problem.needed], [402, 12]);
});

Deno.test("batch of all or nothing answers 402 for all of them together", async () => {
  const { ask, calls } = createTestMessages({
    rpc: { enqueue_all_or_nothing: answerWith(unpaid) },
  });
  const messages = [EXAMPLES.text, EXAMPLES.template];
  const response = await ask("POST", "/batch", { mode: "all_or_nothing", messages });
  assert.equal(calls[0]?.name, "enqueue_all_or_nothing");
  assert.equal(response.status, 402);
  assert.equal((await response.json()).shortfall, 7);
});

Deno.test("batch of all or nothing with one bad message takes none", async () => {
  const { ask, calls } = createTestMessages();
  const messages = [EXAMPLES.text, "nonsense"];
  const response = await ask("POST", "/batch", { mode: "all_or_nothing", messages });
  assert.equal(response.status, 422);
  const { code, rejected } = await response.json();
  assert.equal(code, "batch_refused");
  assert.deepEqual(
    rejected.map(({ problem }: { problem: { code: string } }) => problem.code),
    ["batch_refused", "invalid_message"],
  );
  assert.deepEqual(calls, []);
});
