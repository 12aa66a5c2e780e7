import { strict as assert } from "node:assert";
import { DatabaseError } from "../_shared/database.ts";
import { key, setup, source, validTopUp, validTransfer } from "./test_wallet.ts";

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

Deno.test("linked transfers are from one to a hundred, each a transfer", async () => {
  await refuses("/transfers", { transfers: [] }, ["/transfers"]);
  await refuses("/transfers", { transfers: Array(101).fill(validTransfer) }, ["/transfers"]);
  await refuses("/transfers", { transfers: [validTransfer, { ...validTransfer, amount: 0 }] }, [
    "/transfers/1/amount",
  ]);
});

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
