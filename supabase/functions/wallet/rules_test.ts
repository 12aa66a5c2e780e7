import { strict as assert } from "node:assert";
import { setup as setupWallet, source as account, tenantId } from "./test_wallet.ts";

const found = {
  outcome: "found",
  id: account,
  currency: "USD",
  low_below_micros: "5000000",
  recovered_above_micros: null,
  is_low: true,
  day_limit_micros: null,
  spent_micros: "7300",
  top_up: null,
};

function setup({ returns = found as unknown } = {}) {
  const { ask, calls } = setupWallet({ returns });
  const askRules = (method: string, path: string, body?: unknown) =>
    ask(method, `/accounts/${account}/${path}`, body, { "idempotency-key": "" });
  return { ask: askRules, calls };
}

const changes: [path: string, body: Record<string, unknown>, rules: unknown][] = [
  ["alerts", { low_below: 500, recovered_above: 600 }, {
    low_below_micros: "5000000",
    recovered_above_micros: "6000000",
  }],
  ["alerts", { low_below: null, recovered_above: null }, {
    low_below_micros: null,
    recovered_above_micros: null,
  }],
  ["limits", { spend_per_day: 0 }, { day_limit_micros: "0" }],
  ["limits", { spend_per_day: null }, { day_limit_micros: null }],
  ["top-up", { below: 100, amount: 2_000 }, {
    top_up: {
      below_micros: "1000000",
      amount_micros: "20000000",
      max_per_day: 3,
      cool_down_seconds: 3_600,
    },
  }],
];
for (const [path, body, rules] of changes) {
  Deno.test(`PUT ${path} of ${JSON.stringify(body)} sets it in micro-units, without a key`, async () => {
    const { ask, calls } = setup();
    const response = await ask("PUT", path, body);
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), {
      accountId: account,
      currency: "USD",
      low_below: 500,
      recovered_above: null,
      is_low: true,
      spend_per_day: null,
      spent_today: 0,
      top_up: null,
    });
    assert.deepEqual(calls[1], {
      name: "set_wallet_rules",
      args: {
        tenant_id: tenantId,
        account_id: account,
        rules,
        actor: { kind: "api_key", id: "key-1" },
      },
    });
  });
}

const refused: [path: string, body: unknown, pointers: string[]][] = [
  ["alerts", {}, ["/low_below", "/recovered_above"]],
  ["alerts", { low_below: 500, recovered_above: 499 }, ["/recovered_above"]],
  ["alerts", { low_below: 500, recovered_above: null }, ["/recovered_above"]],
  ["alerts", { low_below: -1, recovered_above: 0.5 }, ["/low_below", "/recovered_above"]],
  ["limits", { spend_per_day: "5" }, ["/spend_per_day"]],
  ["limits", { spend_per_day: 5, more: 1 }, ["/more"]],
  ["limits", { spend_per_day: Number.MAX_SAFE_INTEGER }, [""]],
  ["top-up", { below: 1, amount: 0 }, ["/amount"]],
  ["top-up", { below: 1, amount: 1, max_per_day: 25, cool_down_seconds: 59 }, [
    "/max_per_day",
    "/cool_down_seconds",
  ]],
];
for (const [path, body, pointers] of refused) {
  Deno.test(`PUT ${path} of ${JSON.stringify(body)} is refused and sets nothing`, async () => {
    const { ask, calls } = setup();
    const response = await ask("PUT", path, body);
    assert.equal(response.status, 422);
    const { errors } = await response.json();
    assert.deepEqual(errors.map(({ pointer }: { pointer: string }) => pointer), pointers);
    assert.equal(calls.some(({ name }) => name === "set_wallet_rules"), false);
  });
}

Deno.test("DELETE top-up takes the rule away, GET rules shows what stands", async () => {
  const { ask, calls } = setup();
  assert.equal((await ask("DELETE", "top-up")).status, 200);
  assert.deepEqual(calls[0]?.args.rules, { top_up: null });
  assert.equal((await ask("GET", "rules")).status, 200);
});

Deno.test("rules of no account of the tenant are 404", async () => {
  const { ask } = setup({ returns: { outcome: "unknown_account", field: "account_id" } });
  assert.equal((await ask("GET", "rules")).status, 404);
  assert.equal((await ask("PUT", "limits", { spend_per_day: 1 })).status, 404);
  assert.equal((await ask("DELETE", "top-up")).status, 404);
});
