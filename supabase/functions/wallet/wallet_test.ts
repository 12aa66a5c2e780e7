import { strict as assert } from "node:assert";
import { type CallRpc, DatabaseError } from "../_shared/database.ts";
import type { Caller } from "../_shared/http/caller.ts";
import { serve } from "../_shared/http/serve.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { createHandler } from "./wallet.ts";

const tenantId = "11111111-1111-4111-8111-111111111111";
const source = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
const destination = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";
const key = "550e8400-e29b-41d4-a716-446655440000";
const finance: Caller = { kind: "tenant", tenantId, role: "finance", keyId: "key-1" };

const validTransfer = {
  sourceAccountId: source,
  destinationAccountId: destination,
  amount: 100,
  currency: "USD",
};
const validTopUp = { accountId: source, amount: 5_000, currency: "USD", paymentId: "pi_123" };
const moved = {
  outcome: "completed",
  id: "transfer-1",
  source_account_id: source,
  destination_account_id: destination,
  amount_micros: "1000000",
  currency: "USD",
};
const movedBody =
  `{"id":"transfer-1","status":"completed","sourceAccountId":"${source}","destinationAccountId":"${destination}","amount":100,"currency":"USD"}`;

function setup(
  { caller = finance, returns = moved as unknown, tenantsMayTopUp = true } = {},
) {
  const calls: { name: string; args: Record<string, unknown> }[] = [];
  const lines: string[] = [];
  const call = ((name: string, args: Record<string, unknown>) => {
    calls.push({ name, args });
    return returns instanceof Error ? Promise.reject(returns) : Promise.resolve(returns);
  }) as unknown as CallRpc;
  const identify = () => Promise.resolve({ ok: true as const, caller });
  const log = createLog({ write: (line) => lines.push(line), now: () => 0, fields: {} });
  let keyErrors = 0;
  const countKeyError = () => void keyErrors++;
  const handler = createHandler({
    call,
    identify,
    countKeyError,
    tenantsMayTopUp,
    verifyStripe: null,
    now: () => 0,
  });
  const answer = serve("wallet", handler, { log, now: () => 0 });
  const ask = (method: string, path: string, body?: unknown, headers: HeadersInit = {}) =>
    answer(
      new Request(`http://localhost/wallet${path}`, {
        method,
        headers: { "idempotency-key": key, ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
  const logged = () => lines.map((line): Record<string, unknown> => JSON.parse(line));
  return { ask, calls, logged, answer, keyErrors: () => keyErrors };
}

Deno.test("a transfer answers 201 with what was moved, in minor units", async () => {
  const { ask, calls } = setup();
  const response = await ask("POST", "/transfer", validTransfer);
  assert.equal(response.status, 201);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("idempotent-replayed"), null);
  assert.equal(await response.text(), movedBody);
  assert.equal(calls.length, 1);
  assert.equal(calls[0]?.name, "transfer_funds");
  const { idempotency, ...args } = calls[0]?.args ?? {};
  assert.deepEqual(args, {
    tenant_id: tenantId,
    actor: { kind: "api_key", id: "key-1" },
    transfer: {
      source_account_id: source,
      destination_account_id: destination,
      amount_micros: "1000000",
      currency: "USD",
    },
  });
  assert.equal((idempotency as { key: string }).key, key);
});

Deno.test("linked transfers answer 201 with each of them, or 422 with the one that was refused", async () => {
  const done = setup({ returns: { outcome: "completed", transfers: [moved, moved] } });
  const transfers = [validTransfer, validTransfer];
  const response = await done.ask("POST", "/transfers", { transfers });
  assert.equal(response.status, 201);
  assert.equal(await response.text(), `{"transfers":[${movedBody},${movedBody}]}`);
  assert.deepEqual((done.calls[0]?.args.transfers as unknown[])[1], {
    source_account_id: source,
    destination_account_id: destination,
    amount_micros: "1000000",
    currency: "USD",
  });
  const refusal = { outcome: "same_account", field: "destination_account_id" };
  const refused = setup({
    returns: { outcome: "linked_transfer_refused", index: 1, refusal },
  });
  const problem = await (await refused.ask("POST", "/transfers", { transfers })).json();
  assert.deepEqual([problem.status, problem.code, problem.index, problem.refused], [
    422,
    "linked_transfer_refused",
    1,
    "same_account",
  ]);
});

Deno.test("linked transfers are from one to a hundred, each a transfer", async () => {
  await refuses("/transfers", { transfers: [] }, ["/transfers"]);
  await refuses("/transfers", { transfers: Array(101).fill(validTransfer) }, ["/transfers"]);
  await refuses("/transfers", { transfers: [validTransfer, { ...validTransfer, amount: 0 }] }, [
    "/transfers/1/amount",
  ]);
});

Deno.test("a replay answers the first bytes and status again, and says so", async () => {
  const { ask } = setup({ returns: { outcome: "replayed", answer: moved } });
  const response = await ask("POST", "/transfer", validTransfer);
  assert.equal(response.status, 201);
  assert.equal(response.headers.get("idempotent-replayed"), "true");
  assert.equal(await response.text(), movedBody);
});

Deno.test("a refusal is replayed as it was told first", async () => {
  const refusal = {
    outcome: "insufficient_funds",
    currency: "USD",
    needed_micros: "1000000",
    available_micros: "0",
  };
  const first = await setup({ returns: refusal }).ask("POST", "/transfer", validTransfer);
  const again = await setup({ returns: { outcome: "replayed", answer: refusal } })
    .ask("POST", "/transfer", validTransfer);
  assert.equal(first.status, 402);
  assert.equal(again.status, first.status);
  assert.equal(again.headers.get("content-type"), "application/problem+json");
  assert.equal(await again.text(), await first.text());
});

Deno.test("insufficient funds name what is needed, there and missing, in minor units", async () => {
  const { ask } = setup({
    returns: {
      outcome: "insufficient_funds",
      currency: "USD",
      needed_micros: "10000000",
      available_micros: "2505001",
    },
  });
  const response = await ask("POST", "/transfer", { ...validTransfer, amount: 1_000 });
  assert.equal(response.status, 402);
  const body = await response.json();
  assert.equal(body.code, "insufficient_funds");
  const { needed, available, shortfall, currency } = body;
  assert.deepEqual({ needed, available, shortfall, currency }, {
    needed: 1_000,
    available: 250,
    shortfall: 750,
    currency: "USD",
  });
});

Deno.test("a top-up answers 201 with what was credited", async () => {
  const { ask, calls } = setup({
    returns: {
      outcome: "completed",
      id: "transfer-2",
      account_id: source,
      amount_micros: "50000000",
      currency: "USD",
      payment_id: "pi_123",
    },
  });
  const response = await ask("POST", "/topups", validTopUp);
  assert.equal(response.status, 201);
  assert.deepEqual(await response.json(), { id: "transfer-2", status: "completed", ...validTopUp });
  assert.equal(calls[0]?.name, "top_up_account");
  assert.deepEqual(calls[0]?.args.top_up, {
    account_id: source,
    amount_micros: "50000000",
    currency: "USD",
    payment_id: "pi_123",
  });
});

Deno.test("opening an account answers 201 with its id", async () => {
  const opened = { outcome: "completed", id: source, currency: "JPY", name: null };
  const { ask, calls } = setup({ returns: opened });
  const response = await ask("POST", "/accounts", { currency: "JPY" });
  assert.equal(response.status, 201);
  assert.deepEqual(await response.json(), { id: source, currency: "JPY", name: null });
  assert.deepEqual(calls[0]?.args.account, { currency: "JPY", name: null });
});

Deno.test("an account is shown in minor units that never promise more than is there", async () => {
  const { ask, calls } = setup({
    returns: {
      outcome: "found",
      id: source,
      currency: "USD",
      name: "main",
      posted_micros: "10019999",
      held_micros: "10001",
      available_micros: "10009998",
    },
  });
  const response = await ask("GET", `/accounts/${source}`);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), {
    id: source,
    currency: "USD",
    name: "main",
    posted: 1_001,
    held: 2,
    available: 1_000,
    posted_micros: "10019999",
    held_micros: "10001",
    available_micros: "10009998",
  });
  assert.deepEqual(calls, [{
    name: "get_wallet_account",
    args: { tenant_id: tenantId, account_id: source },
  }]);
});

for (const path of [`/accounts/${source}`, "/accounts/not-a-uuid"]) {
  Deno.test(`GET ${path} of no account of the tenant answers 404`, async () => {
    const { ask } = setup({ returns: { outcome: "unknown_account", field: "account_id" } });
    const response = await ask("GET", path);
    assert.equal(response.status, 404);
    assert.equal((await response.json()).code, "unknown_account");
  });
}

const keyFaults: [title: string, header: string | null, body: string][] = [
  [
    "no Idempotency-Key",
    null,
    `{"error":"missing_idempotency_key","message":"Idempotency-Key header is required for financial operations"}`,
  ],
  [
    "a key of 15 characters",
    "k".repeat(15),
    `{"error":"invalid_idempotency_key","message":"Idempotency-Key must be 16-255 characters"}`,
  ],
  [
    "a key of 256 characters",
    "k".repeat(256),
    `{"error":"invalid_idempotency_key","message":"Idempotency-Key must be 16-255 characters"}`,
  ],
];
for (const [title, header, expected] of keyFaults) {
  for (const path of ["/transfer", "/topups", "/accounts"]) {
    Deno.test(`POST ${path} with ${title} answers exactly the fixed 400 body`, async () => {
      const { answer, calls, keyErrors } = setup();
      const headers: Record<string, string> = header === null ? {} : { "idempotency-key": header };
      const request = new Request(`http://localhost/wallet${path}`, { method: "POST", headers });
      const response = await answer(request);
      assert.equal(response.status, 400);
      assert.equal(response.headers.get("content-type"), "application/json");
      assert.equal(await response.text(), expected);
      assert.deepEqual(calls, []);
      assert.equal(keyErrors(), 1);
    });
  }
}

const badAmounts: unknown[] = [-1, 0, 0.5, 1e300, 2 ** 53, "100", null, true, [], {}];
for (const amount of badAmounts) {
  Deno.test(`an amount of ${JSON.stringify(amount)} answers 422 and points at it`, async () => {
    for (const [path, body] of [["/transfer", validTransfer], ["/topups", validTopUp]] as const) {
      await refuses(path, { ...body, amount }, ["/amount"]);
    }
  });
}

const badRequests: [title: string, path: string, body: unknown, pointers: string[]][] = [
  ["an amount past what one movement may carry", "/transfer", {
    ...validTransfer,
    amount: 2 ** 53 - 1,
  }, ["/amount"]],
  ["a currency that does not exist", "/transfer", { ...validTransfer, currency: "XXX" }, [
    "/currency",
  ]],
  ["a currency in lower case", "/accounts", { currency: "usd" }, ["/currency"]],
  ["a field of another request", "/transfer", { ...validTransfer, "a/b~c": 1 }, ["/a~1b~0c"]],
  ["account ids that are none", "/transfer", {
    ...validTransfer,
    sourceAccountId: "x",
    destinationAccountId: 7,
  }, ["/sourceAccountId", "/destinationAccountId"]],
  ["no field at all", "/topups", {}, ["/accountId", "/amount", "/currency", "/paymentId"]],
  ["a payment id with a line break", "/topups", { ...validTopUp, paymentId: "a\nb" }, [
    "/paymentId",
  ]],
  ["a name that Postgres cannot keep", "/accounts", { currency: "USD", name: "\u0000" }, ["/name"]],
  ["half a character in a name", "/accounts", { currency: "USD", name: "\ud83d" }, ["/name"]],
  ["a list in place of an object", "/transfer", [], [""]],
];
for (const [title, path, body, pointers] of badRequests) {
  Deno.test(`${title} answers 422 and points at it`, () => refuses(path, body, pointers));
}

async function refuses(path: string, body: unknown, pointers: string[]): Promise<void> {
  const { ask, calls } = setup();
  const response = await ask("POST", path, body);
  assert.equal(response.status, 422);
  const { code, errors } = await response.json();
  assert.equal(code, "invalid_request");
  assert.deepEqual(errors.map((error: { pointer: string }) => error.pointer), pointers);
  assert.deepEqual(calls, []);
}

const refusals: [returns: Record<string, unknown>, status: number, code: string, at: string[]][] = [
  [{ outcome: "unknown_account", field: "source_account_id" }, 404, "unknown_account", [
    "/sourceAccountId",
  ]],
  [{ outcome: "same_account", field: "destination_account_id" }, 422, "invalid_request", [
    "/destinationAccountId",
  ]],
  [
    { outcome: "currency_mismatch", field: "destination_account_id", currency: "EUR" },
    422,
    "invalid_request",
    ["/destinationAccountId"],
  ],
  [{ outcome: "amount_too_large", field: "amount_micros" }, 422, "invalid_request", ["/amount"]],
  [{ outcome: "payment_reused", fields: ["account_id", "amount_micros"] }, 422, "payment_reused", [
    "/accountId",
    "/amount",
  ]],
  [{ outcome: "key_reused", fields: ["amount", "currency"] }, 422, "idempotency_key_reused", [
    "/amount",
    "/currency",
  ]],
];
for (const [returns, status, code, pointers] of refusals) {
  Deno.test(`${returns.outcome} answers ${status} ${code} at ${pointers}`, async () => {
    const response = await setup({ returns }).ask("POST", "/topups", validTopUp);
    assert.equal(response.status, status);
    const body = await response.json();
    assert.equal(body.code, code);
    assert.deepEqual(body.errors.map((error: { pointer: string }) => error.pointer), pointers);
    assert.equal(response.headers.get("idempotent-replayed"), null);
  });
}

Deno.test("a day's limit that is reached names limit, spent and when it begins anew", async () => {
  const { ask } = setup({
    returns: {
      outcome: "spending_limit_reached",
      currency: "USD",
      needed_micros: "510001",
      limit_micros: "5000000",
      spent_micros: "4500001",
      resets_at: "2026-12-02T00:00:00+00:00",
    },
  });
  const response = await ask("POST", "/transfer", validTransfer);
  assert.equal(response.status, 402);
  const { code, needed, limit, spent, resets_at } = await response.json();
  assert.deepEqual({ code, needed, limit, spent, resets_at }, {
    code: "spending_limit_reached",
    needed: 52,
    limit: 500,
    spent: 451,
    resets_at: "2026-12-02T00:00:00.000Z",
  });
});

Deno.test("a key whose answer is forgotten answers 409 with what it was about, and does nothing", async () => {
  const used_at = "2026-11-01T00:00:00+00:00";
  const { ask, logged } = setup({
    returns: { outcome: "answer_forgotten", used_at, resource_id: source },
  });
  const response = await ask("POST", "/transfer", validTransfer);
  assert.equal(response.status, 409);
  const body = await response.json();
  assert.equal(body.code, "idempotency_answer_forgotten");
  assert.equal(body.id, source);
  assert.equal(body.used_at, "2026-11-01T00:00:00.000Z");
  assert.ok(logged().some(({ event }) => event === "idempotency.hit"));
});

Deno.test("a key in flight answers 409 and when to come back", async () => {
  const { ask } = setup({ returns: { outcome: "in_flight" } });
  const response = await ask("POST", "/transfer", validTransfer);
  assert.equal(response.status, 409);
  assert.equal(response.headers.get("retry-after"), "1");
  assert.equal((await response.json()).code, "idempotency_key_in_flight");
});

Deno.test("a database that does not answer is 503: the same request may be sent again", async () => {
  const returns = new DatabaseError("Cannot transfer_funds", { code: "55P03", unavailable: true });
  const response = await setup({ returns }).ask("POST", "/transfer", validTransfer);
  assert.equal(response.status, 503);
  assert.ok(response.headers.get("retry-after"));
});

Deno.test("a ledger that returns what it never should is 500, not an answer", async () => {
  const response = await setup({ returns: { outcome: "completed" } })
    .ask("POST", "/transfer", validTransfer);
  assert.equal(response.status, 500);
});

Deno.test("a body that is not JSON answers 400, one past the limit 413", async () => {
  const { answer } = setup();
  const post = (body: string) =>
    answer(
      new Request("http://localhost/wallet/transfer", {
        method: "POST",
        headers: { "idempotency-key": key },
        body,
      }),
    );
  assert.equal((await post("{")).status, 400);
  assert.equal((await post(" ".repeat(16_385))).status, 413);
});

for (const role of ["operator", "viewer"] as const) {
  Deno.test(`a caller with the role ${role} answers 403 and reaches nothing`, async () => {
    const { ask, calls } = setup({ caller: { kind: "user", tenantId, role, userId: "u" } });
    assert.equal((await ask("POST", "/transfer", validTransfer)).status, 403);
    assert.equal((await ask("GET", `/accounts/${source}`)).status, 403);
    assert.deepEqual(calls, []);
  });
}

Deno.test("a secret caller acts for the tenant that it names, and for none without", async () => {
  const named = setup({ caller: { kind: "secret", tenantId } });
  assert.equal((await named.ask("POST", "/transfer", validTransfer)).status, 201);
  assert.equal(named.calls[0]?.args.tenant_id, tenantId);
  const unnamed = setup({ caller: { kind: "secret", tenantId: null } });
  assert.equal((await unnamed.ask("POST", "/transfer", validTransfer)).status, 400);
  assert.deepEqual(unnamed.calls, []);
});

Deno.test("where tenants may not credit themselves, a secret caller may", async () => {
  const tenant = setup({ tenantsMayTopUp: false });
  assert.equal((await tenant.ask("POST", "/topups", validTopUp)).status, 403);
  assert.deepEqual(tenant.calls, []);
  const secret = setup({ tenantsMayTopUp: false, caller: { kind: "secret", tenantId } });
  await secret.ask("POST", "/topups", validTopUp);
  assert.equal(secret.calls[0]?.name, "top_up_account");
});

const addresses: [method: string, path: string, status: number, allow: string | null][] = [
  ["GET", "/transfer", 405, "POST"],
  ["DELETE", "/accounts", 405, "POST"],
  ["DELETE", `/accounts/${source}`, 405, "GET"],
  ["DELETE", `/holds/${source}`, 405, "GET"],
  ["POST", `/accounts/${source}/statement`, 405, "GET"],
  ["GET", "/accounts/none/statement", 404, null],
  ["GET", `/holds/${source}/capture`, 405, "POST"],
  ["POST", "/holds/none/release", 404, null],
  ["POST", `/accounts/${source}/rules`, 405, "GET"],
  ["GET", `/accounts/${source}/alerts`, 405, "PUT"],
  ["POST", `/accounts/${source}/top-up`, 405, "PUT, DELETE"],
  ["PUT", "/accounts/none/limits", 404, null],
  ["POST", "/providers/stripe", 404, null],
  ["GET", "/elsewhere", 404, null],
  ["POST", "/transfer/more", 404, null],
];
for (const [method, path, status, allow] of addresses) {
  Deno.test(`${method} ${path} answers ${status}`, async () => {
    const response = await setup().ask(method, path);
    assert.equal(response.status, status);
    assert.equal(response.headers.get("allow"), allow);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
  });
}

const events: [returns: Record<string, unknown>, event: string][] = [
  [moved, "idempotency.miss"],
  [{ outcome: "replayed", answer: moved }, "idempotency.hit"],
  [{ outcome: "key_reused", fields: ["amount"] }, "idempotency.error"],
];
for (const [returns, event] of events) {
  Deno.test(`${returns.outcome} is logged as ${event}, with the key masked`, async () => {
    const { ask, logged } = setup({ returns });
    await ask("POST", "/transfer", validTransfer);
    const line = logged().find((entry) => entry.event === event);
    assert.ok(line);
    assert.equal(line.operation, "wallet.transfer");
    assert.equal(line.idempotency_key, "550e…");
    assert.equal(JSON.stringify(logged()).includes(key), false);
  });
}
