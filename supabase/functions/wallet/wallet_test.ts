import { strict as assert } from "node:assert";
import {
  destination,
  key,
  moved,
  movedBody,
  setup,
  source,
  tenantId,
  validTopUp,
  validTransfer,
} from "./test_wallet.ts";

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
