import { strict as assert } from "node:assert";
import { DatabaseError } from "../_shared/database.ts";
import { problemOf } from "../_shared/test_problem.ts";
import { breakExample, EXAMPLES } from "../_shared/whatsapp/outbound_examples.ts";
import {
  acceptAll,
  answerWith,
  createTestMessages,
  messageId,
  plannedAt,
  replayed,
  tenantId,
  unpaid,
  windowClosed,
} from "./test_messages.ts";
import type { Item } from "./test_messages.ts";

Deno.test("POST answers 202 with the id and the planned time", async () => {
  const { ask, calls } = createTestMessages();
  const response = await ask("POST", "", EXAMPLES.text);
  assert.equal(response.status, 202);
  assert.equal(response.headers.has("idempotent-replayed"), false);
  assert.deepEqual(await response.json(), {
    id: messageId,
    status: "queued",
    planned_send_at: plannedAt,
  });
  const [{ name, args } = assert.fail()] = calls;
  assert.equal(name, "enqueue_messages");
  assert.equal(args.tenant_id, tenantId);
  const [item = assert.fail()] = args.messages as Item[];
  assert.match(String(item.fingerprint), /^[0-9a-f]{64}$/);
  assert.deepEqual(
    Object.keys(item.field_digests as object).sort(),
    Object.keys(EXAMPLES.text).sort(),
  );
  const { fingerprint: _, field_digests: __, ...rest } = item;
  assert.deepEqual(rest, {
    index: 0,
    from: "100000000000001",
    to: "+4915112345678",
    type: "text",
    content: EXAMPLES.text.text,
    context: EXAMPLES.text.context,
    lane: "urgent",
    send_at: EXAMPLES.text.send_at,
    expires_at: EXAMPLES.text.expires_at,
    client_ref: "order-4711",
    on_unknown: "resend",
    idempotency_key: "key-1",
  });
});

Deno.test("POST of the same message written otherwise has the same fingerprint", async () => {
  const { ask, calls } = createTestMessages();
  await ask("POST", "", EXAMPLES.image);
  const { image, to: _, ...rest } = EXAMPLES.image;
  await ask("POST", "", { image, to: "49 151 12345678", ...rest, messaging_product: "whatsapp" });
  const prints = calls.map(({ args }) => (args.messages as Item[])[0]?.fingerprint);
  assert.equal(prints[0], prints[1]);
});

Deno.test("POST of a message taken before answers the same, marked as a replay", async () => {
  const response = await createTestMessages({ rpc: { enqueue_messages: answerWith(replayed) } })
    .ask("POST", "", EXAMPLES.text);
  assert.equal(response.status, 202);
  assert.equal(response.headers.get("idempotent-replayed"), "true");
  assert.deepEqual(await response.json(), {
    id: messageId,
    status: "queued",
    planned_send_at: plannedAt,
  });
});

Deno.test("POST of another message under a used key answers 422 and names what differs", async () => {
  const row = { outcome: "key_reused", id: null, detail: { fields: ["text", "to"] } };
  const response = await createTestMessages({ rpc: { enqueue_messages: answerWith(row) } })
    .ask("POST", "", EXAMPLES.text);
  assert.deepEqual(await problemOf(response), {
    status: 422,
    code: "idempotency_key_reused",
    pointers: ["/text", "/to"],
  });
});

Deno.test("POST from an unknown sender answers 404", async () => {
  const row = { outcome: "unknown_sender", id: null, planned_send_at: null, detail: null };
  const response = await createTestMessages({ rpc: { enqueue_messages: answerWith(row) } })
    .ask("POST", "", EXAMPLES.text);
  assert.deepEqual(await problemOf(response), {
    status: 404,
    code: "unknown_sender",
    pointers: ["/from"],
  });
});

Deno.test("POST to a recipient whose customer window is closed answers 422 and since when", async () => {
  const response = await createTestMessages({ rpc: { enqueue_messages: answerWith(windowClosed) } })
    .ask("POST", "", EXAMPLES.text);
  const { closed_at } = await response.clone().json();
  assert.equal(closed_at, windowClosed.detail.closed_at);
  assert.deepEqual(await problemOf(response), {
    status: 422,
    code: "customer_window_closed",
    pointers: ["/type"],
  });
});

const held = {
  id: "h-1",
  currency: "USD",
  amount_micros: "120000",
  category: "marketing",
  market: "Germany",
};

Deno.test("POST of a message that is paid for tells what is held for it", async () => {
  const row = {
    outcome: "accepted",
    id: messageId,
    planned_send_at: plannedAt,
    detail: { hold: held },
  };
  const response = await createTestMessages({ rpc: { enqueue_messages: answerWith(row) } })
    .ask("POST", "", EXAMPLES.text);
  assert.equal(response.status, 202);
  assert.deepEqual((await response.json()).hold, { ...held, amount: 12 });
});

Deno.test("POST that the wallet does not cover answers 402: needed, available, shortfall", async () => {
  const response = await createTestMessages({ rpc: { enqueue_messages: answerWith(unpaid) } })
    .ask("POST", "", EXAMPLES.text);
  assert.equal(response.status, 402);
  const { code, needed, available, shortfall } = await response.json();
  assert.deepEqual([code, needed, available, shortfall], ["insufficient_funds", 12, 5, 7]);
});

const refusedBefore: [
  label: string,
  body: unknown,
  headers: Record<string, string>,
  expected: { status: number; code: string; pointers?: string[] },
][] = [
  ["without a key", EXAMPLES.text, {}, { status: 400, code: "missing_idempotency_key" }],
  ["with a malformed key", EXAMPLES.text, { "idempotency-key": "a b" }, {
    status: 400,
    code: "invalid_idempotency_key",
  }],
  ["that is not JSON", "{", { "idempotency-key": "k" }, { status: 400, code: "malformed_json" }],
  ["over 256 KiB", { padding: "x".repeat(256 * 1_024) }, { "idempotency-key": "k" }, {
    status: 413,
    code: "payload_too_large",
  }],
  [
    "with a wrong field",
    breakExample("button", "/interactive/action/buttons/0/reply/title", "x".repeat(21)),
    {
      "idempotency-key": "k",
    },
    {
      status: 422,
      code: "invalid_message",
      pointers: ["/interactive/action/buttons/0/reply/title"],
    },
  ],
  ["to what is neither a number nor a user id", breakExample("text", "/to", "nobody"), {
    "idempotency-key": "k",
  }, { status: 422, code: "invalid_message", pointers: ["/to"] }],
];

for (const [label, body, headers, expected] of refusedBefore) {
  Deno.test(`POST ${label} stores nothing and answers ${expected.status} ${expected.code}`, async () => {
    const { ask, calls } = createTestMessages();
    const found = await problemOf(await ask("POST", "", body, headers));
    assert.deepEqual(found, { pointers: undefined, ...expected });
    assert.deepEqual(calls, []);
  });
}

Deno.test("POST while the database is unreachable answers 503 with Retry-After", async () => {
  const { ask } = createTestMessages({
    rpc: {
      enqueue_messages: () => {
        throw new DatabaseError("Cannot enqueue_messages: no route", {
          code: "",
          unavailable: true,
        });
      },
    },
  });
  const response = await ask("POST", "", EXAMPLES.text);
  assert.equal(response.headers.get("retry-after"), "5");
  assert.equal((await problemOf(response)).code, "database_unavailable");
});

Deno.test("POSTs that come together share calls, each with its own answer", async () => {
  let made = 0;
  const { ask, calls } = createTestMessages({
    rpc: {
      enqueue_messages: ({ messages }) =>
        (messages as Item[]).map(({ index, client_ref }) => {
          made += 1;
          const row = { outcome: "accepted", planned_send_at: plannedAt, detail: null };
          return { ...row, index, id: client_ref };
        }),
    },
  });
  const references = Array.from({ length: 20 }, (_, index) => `ref-${index}`);
  const answers = await Promise.all(references.map(async (reference) => {
    const response = await ask("POST", "", breakExample("text", "/client_ref", reference));
    return (await response.json()).id;
  }));
  assert.deepEqual(answers, references);
  assert.equal(made, 20);
  assert.ok(calls.length < 20, `${calls.length} calls`);
});

Deno.test("POST with too many waiting answers 503 and asks to come again", async () => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => release = resolve);
  const { ask } = createTestMessages({
    rpc: { enqueue_messages: (args) => gate.then(() => acceptAll(args)) },
  });
  const filling = breakExample("text", "/text/body", "x");
  const large = { ...filling, type: "interactive", interactive: largeFlow(), text: undefined };
  const asking = Array.from({ length: 140 }, () => ask("POST", "", large));
  const early = await Promise.race(asking);
  assert.equal((await problemOf(early.clone())).code, "overloaded");
  assert.equal(early.headers.get("retry-after"), "1");
  release();
  const statuses = (await Promise.all(asking)).map(({ status }) => status);
  assert.deepEqual([...new Set(statuses)].sort(), [202, 503]);
});

function largeFlow() {
  const flow = structuredClone(EXAMPLES.flow.interactive) as {
    action: { parameters: { flow_action_payload: { data: Record<string, unknown> } } };
  };
  flow.action.parameters.flow_action_payload.data.text = "x".repeat(250 * 1_024);
  return flow;
}
