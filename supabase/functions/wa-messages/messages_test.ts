import { strict as assert } from "node:assert";
import { DatabaseError } from "../_shared/database.ts";
import type { CallRpc } from "../_shared/database.ts";
import type { Caller } from "../_shared/http/caller.ts";
import { serve } from "../_shared/http/serve.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { breakExample, EXAMPLES } from "../_shared/whatsapp/outbound_examples.ts";
import { createHandler } from "./messages.ts";

const tenantId = "11111111-1111-4111-8111-111111111111";
const messageId = "55555555-5555-4555-8555-555555555555";
const plannedAt = "2026-11-22T04:00:01+00:00";
const operator: Caller = { kind: "tenant", tenantId, role: "operator", keyId: "k" };

type Item = Record<string, unknown> & { index: number };
type Rpc = (args: Record<string, unknown>) => unknown;

const acceptAll: Rpc = ({ messages }) =>
  (messages as Item[]).map(({ index }) => ({
    index,
    outcome: "accepted",
    id: messageId,
    planned_send_at: plannedAt,
    detail: null,
  }));

/** The database answers every submission with this row. */
function answerWith(row: Record<string, unknown>): Rpc {
  return ({ messages }) => (messages as Item[]).map(({ index }) => ({ index, ...row }));
}

function setup(options: { rpc?: Record<string, Rpc>; caller?: Caller } = {}) {
  const calls: { name: string; args: Record<string, unknown> }[] = [];
  const lines: string[] = [];
  const now = () => Date.parse("2026-11-22T04:00:00Z");
  const call = (async (name: string, args: Record<string, unknown>) => {
    calls.push({ name, args: structuredClone(args) });
    await Promise.resolve();
    const rpc: Record<string, Rpc> = { enqueue_messages: acceptAll, ...options.rpc };
    return rpc[name]?.(args);
  }) as unknown as CallRpc;
  const identify = () => Promise.resolve({ ok: true as const, caller: options.caller ?? operator });
  const log = createLog({ write: (line) => lines.push(line), now, fields: {} });
  const answer = serve("wa-messages", createHandler({ call, identify, now }), { log, now });
  const ask = (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = { "idempotency-key": "key-1" },
  ) => {
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const init = { method, headers, ...(text === undefined ? {} : { body: text }) };
    return answer(new Request(`http://localhost/wa-messages${path}`, init));
  };
  return { ask, calls, lines };
}

async function problemOf(response: Response) {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const { status, code, errors } = await response.json();
  assert.equal(status, response.status);
  return { status, code, pointers: errors?.map(({ pointer }: { pointer: string }) => pointer) };
}

Deno.test("POST answers 202 with the id and the planned time", async () => {
  const { ask, calls } = setup();
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
  const { ask, calls } = setup();
  await ask("POST", "", EXAMPLES.image);
  const { image, to: _, ...rest } = EXAMPLES.image;
  await ask("POST", "", { image, to: "49 151 12345678", ...rest, messaging_product: "whatsapp" });
  const prints = calls.map(({ args }) => (args.messages as Item[])[0]?.fingerprint);
  assert.equal(prints[0], prints[1]);
});

Deno.test("POST of a message taken before answers the same, marked as a replay", async () => {
  const row = { outcome: "replayed", id: messageId, planned_send_at: plannedAt, detail: null };
  const response = await setup({ rpc: { enqueue_messages: answerWith(row) } })
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
  const response = await setup({ rpc: { enqueue_messages: answerWith(row) } })
    .ask("POST", "", EXAMPLES.text);
  assert.deepEqual(await problemOf(response), {
    status: 422,
    code: "idempotency_key_reused",
    pointers: ["/text", "/to"],
  });
});

Deno.test("POST from an unknown sender answers 404", async () => {
  const row = { outcome: "unknown_sender", id: null, planned_send_at: null, detail: null };
  const response = await setup({ rpc: { enqueue_messages: answerWith(row) } })
    .ask("POST", "", EXAMPLES.text);
  assert.deepEqual(await problemOf(response), {
    status: 404,
    code: "unknown_sender",
    pointers: ["/from"],
  });
});

const closed_at = "2026-11-21T04:00:00+00:00";
const windowClosed = {
  outcome: "window_closed",
  id: null,
  planned_send_at: null,
  detail: { closed_at },
};

Deno.test("POST to a recipient whose customer window is closed answers 422 and since when", async () => {
  const response = await setup({ rpc: { enqueue_messages: answerWith(windowClosed) } })
    .ask("POST", "", EXAMPLES.text);
  assert.equal((await response.clone().json()).closed_at, closed_at);
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
const unpaid = {
  outcome: "insufficient_funds",
  id: null,
  planned_send_at: null,
  detail: { currency: "USD", needed_micros: "120000", available_micros: "50000" },
};

Deno.test("POST of a message that is paid for tells what is held for it", async () => {
  const row = {
    outcome: "accepted",
    id: messageId,
    planned_send_at: plannedAt,
    detail: { hold: held },
  };
  const response = await setup({ rpc: { enqueue_messages: answerWith(row) } })
    .ask("POST", "", EXAMPLES.text);
  assert.equal(response.status, 202);
  assert.deepEqual((await response.json()).hold, { ...held, amount: 12 });
});

Deno.test("POST that the wallet does not cover answers 402: needed, available, shortfall", async () => {
  const response = await setup({ rpc: { enqueue_messages: answerWith(unpaid) } })
    .ask("POST", "", EXAMPLES.text);
  assert.equal(response.status, 402);
  const { code, needed, available, shortfall } = await response.json();
  assert.deepEqual([code, needed, available, shortfall], ["insufficient_funds", 12, 5, 7]);
});

Deno.test("batch tells each message that the wallet does not cover", async () => {
  const { ask } = setup({
    rpc: {
      enqueue_messages: (args) => {
        const rows = acceptAll(args) as Record<string, unknown>[];
        return rows.map((row) => row.index === 1 ? { ...row, ...unpaid } : row);
      },
    },
  });
  const response = await ask("POST", "/batch", { messages: [EXAMPLES.text, EXAMPLES.template] });
  assert.equal(response.status, 202);
  const { accepted, rejected } = await response.json();
  assert.deepEqual(accepted.map(({ index }: Item) => index), [0]);
  assert.deepEqual([rejected[0].problem.status, rejected[0].problem.needed], [402, 12]);
});

Deno.test("batch of all or nothing answers 402 for all of them together", async () => {
  const { ask, calls } = setup({ rpc: { enqueue_all_or_nothing: answerWith(unpaid) } });
  const messages = [EXAMPLES.text, EXAMPLES.template];
  const response = await ask("POST", "/batch", { mode: "all_or_nothing", messages });
  assert.equal(calls[0]?.name, "enqueue_all_or_nothing");
  assert.equal(response.status, 402);
  assert.equal((await response.json()).shortfall, 7);
});

Deno.test("batch of all or nothing with one bad message takes none", async () => {
  const { ask, calls } = setup();
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
    const { ask, calls } = setup();
    const found = await problemOf(await ask("POST", "", body, headers));
    assert.deepEqual(found, { pointers: undefined, ...expected });
    assert.deepEqual(calls, []);
  });
}

Deno.test("POST while the database is unreachable answers 503 with Retry-After", async () => {
  const { ask } = setup({
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
  const { ask, calls } = setup({
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
  const { ask } = setup({
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

Deno.test("batch takes the valid messages in one call and says why not the others", async () => {
  const { ask, calls } = setup();
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
  const { ask, calls } = setup();
  const response = await ask("POST", "/batch", { messages: [EXAMPLES.text] }, {});
  assert.equal(response.status, 202);
  assert.equal("idempotency_key" in (calls[0]?.args.messages as Item[])[0]!, false);
});

Deno.test("batch tells an unknown sender among known ones", async () => {
  const { ask } = setup({
    rpc: {
      enqueue_messages: (args) => {
        const rows = acceptAll(args) as Record<string, unknown>[];
        return rows.map((row) => row.index === 1 ? { ...row, outcome: "unknown_sender" } : row);
      },
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
  const { ask } = setup({
    rpc: {
      enqueue_messages: (args) => {
        const rows = acceptAll(args) as Record<string, unknown>[];
        return rows.map((row) => row.index === 0 ? { ...row, ...windowClosed } : row);
      },
    },
  });
  const response = await ask("POST", "/batch", { messages: [EXAMPLES.text, EXAMPLES.template] });
  const { accepted, rejected: [refused] } = await response.json();
  assert.deepEqual(accepted.map(({ index }: Item) => index), [1]);
  assert.equal(refused.index, 0);
  assert.deepEqual([refused.problem.code, refused.problem.closed_at], [
    "customer_window_closed",
    closed_at,
  ]);
});

Deno.test("batch of replays alone is marked as one", async () => {
  const row = { outcome: "replayed", id: messageId, planned_send_at: plannedAt, detail: null };
  const response = await setup({ rpc: { enqueue_messages: answerWith(row) } })
    .ask("POST", "/batch", { messages: [EXAMPLES.text, EXAMPLES.image] });
  assert.equal(response.headers.get("idempotent-replayed"), "true");
});

Deno.test("batch without one valid message asks the database nothing", async () => {
  const { ask, calls } = setup();
  const response = await ask("POST", "/batch", { messages: [1, 2] });
  assert.equal(response.status, 202);
  assert.deepEqual((await response.json()).accepted, []);
  assert.deepEqual(calls, []);
});

Deno.test("batch of 1,000 is taken in one call, of 1,001 refused with 413", async () => {
  const { ask, calls } = setup();
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
    const { code } = await problemOf(await setup().ask("POST", "/batch", body));
    assert.equal(code, "invalid_request");
  });
}

Deno.test("GET of a message answers what the database tells of it", async () => {
  const stored = { id: messageId, status: "sent", wamid: "w", attempts: [], timeline: [] };
  const { ask, calls } = setup({ rpc: { get_message: () => stored } });
  const response = await ask("GET", `/${messageId}`);
  assert.deepEqual(await response.json(), stored);
  assert.deepEqual(calls[0]?.args, { tenant_id: tenantId, message_id: messageId });
});

Deno.test("GET of another tenant's or no message answers 404", async () => {
  const { ask, calls } = setup({ rpc: { get_message: () => null } });
  assert.equal((await problemOf(await ask("GET", `/${messageId}`))).code, "not_found");
  assert.equal((await problemOf(await ask("GET", "/no-uuid"))).code, "not_found");
  assert.equal(calls.length, 1);
});

Deno.test("GET lists with filter, cursor and limit; a plus sign may arrive as a space", async () => {
  const { ask, calls } = setup({
    rpc: { list_messages: () => ({ messages: [], next_cursor: null }) },
  });
  const response = await ask("GET", "?status=sent&to=+4915112345678&cursor=12&limit=10");
  assert.deepEqual(await response.json(), { messages: [], next_cursor: null });
  await ask("GET", "");
  assert.deepEqual(calls.map(({ args }) => args), [
    {
      tenant_id: tenantId,
      filter: { status: "sent", to: "+4915112345678" },
      cursor: "12",
      page_limit: 10,
    },
    { tenant_id: tenantId, filter: { status: null, to: null }, cursor: null, page_limit: 50 },
  ]);
});

for (
  const [query, pointer] of [
    ["status=lost", "/status"],
    ["to=nobody", "/to"],
    ["cursor=x", "/cursor"],
    ["limit=0", "/limit"],
    ["limit=201", "/limit"],
    ["limit=ten", "/limit"],
  ]
) {
  Deno.test(`GET with ${query} answers 400`, async () => {
    const found = await problemOf(await setup().ask("GET", `?${query}`));
    assert.deepEqual(found, { status: 400, code: "malformed_request", pointers: [pointer] });
  });
}

Deno.test("DELETE of a queued message answers 200", async () => {
  const { ask } = setup({
    rpc: { cancel_message: () => ({ outcome: "cancelled", status: "cancelled" }) },
  });
  const response = await ask("DELETE", `/${messageId}`);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { id: messageId, status: "cancelled" });
});

Deno.test("DELETE of a message that left the queue answers 409 and where it is", async () => {
  const { ask } = setup({
    rpc: { cancel_message: () => ({ outcome: "not_queued", status: "sent" }) },
  });
  const response = await ask("DELETE", `/${messageId}`);
  assert.equal(response.status, 409);
  const { code, message_status } = await response.json();
  assert.deepEqual([code, message_status], ["not_queued", "sent"]);
});

Deno.test("DELETE of no message answers 404", async () => {
  const { ask } = setup({ rpc: { cancel_message: () => ({ outcome: "not_found" }) } });
  assert.equal((await problemOf(await ask("DELETE", `/${messageId}`))).status, 404);
});

for (
  const [method, path, allow] of [
    ["PUT", "", "GET, POST"],
    ["GET", "/batch", "POST"],
    ["POST", `/${messageId}`, "GET, DELETE"],
  ]
) {
  Deno.test(`${method} /wa-messages${path} answers 405`, async () => {
    const response = await setup().ask(method!, path!);
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), allow);
  });
}

for (const role of ["viewer", "finance"] as const) {
  Deno.test(`a ${role} neither posts nor reads messages`, async () => {
    const { ask, calls } = setup({ caller: { kind: "user", tenantId, role, userId: "u" } });
    assert.equal((await ask("POST", "", EXAMPLES.text)).status, 403);
    assert.equal((await ask("GET", `/${messageId}`)).status, 403);
    assert.deepEqual(calls, []);
  });
}

Deno.test("a secret caller names the tenant", async () => {
  const { ask } = setup({ caller: { kind: "secret", tenantId: null } });
  assert.equal((await problemOf(await ask("GET", ""))).code, "invalid_tenant_id");
});

Deno.test("the log holds neither the content nor the number nor the key of a message", async () => {
  const { ask, lines } = setup();
  await ask("POST", "", EXAMPLES.text, { "idempotency-key": "key-for-order" });
  await ask("GET", "?to=+4915112345678");
  assert.ok(lines.length >= 2);
  assert.doesNotMatch(lines.join(), /example\.com|15112345678|key-for-order/);
});
