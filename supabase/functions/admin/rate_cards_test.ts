import { strict as assert } from "node:assert";
import { createTestAdmin, tenantId, user } from "./test_admin.ts";

const accountId = "22222222-2222-4222-8222-222222222222";
const CSV = "market,prefixes,currency,category,price\nGermany,49,USD,marketing,0.1365\n";
const change = {
  line: 2,
  change: "changed",
  currency: "USD",
  price_micros: "136500",
  was_micros: "120000",
};
const previewed = { outcome: "previewed", added: 0, changed: 1, prices: [change] };

Deno.test("POST rate-cards takes the file itself and hands on prices in micro-units", async () => {
  const imported = { ...previewed, outcome: "imported", id: 7 };
  const { ask, calls } = createTestAdmin({ rpc: { import_rate_card: imported } });
  const response = await ask("POST", "/rate-cards?name=October", CSV, "text/csv; charset=utf-8");
  assert.equal(response.status, 201);
  const { id, dry_run, prices: [price] } = await response.json();
  assert.deepEqual([id, dry_run, price.was, price.price], [7, false, "0.12", "0.1365"]);
  const { card, dry_run: isPreview } = calls[0]!.args as {
    card: { name: string; rows: Record<string, unknown>[] };
    dry_run: boolean;
  };
  assert.deepEqual([card.name, isPreview], ["October", false]);
  assert.deepEqual([card.rows[0]?.line, card.rows[0]?.price_micros], [2, "136500"]);
});

Deno.test("POST rate-cards with dry_run says what would change", async () => {
  const { ask, calls } = createTestAdmin({ rpc: { import_rate_card: previewed } });
  const response = await ask("POST", "/rate-cards", { csv: CSV, dry_run: true });
  assert.equal(response.status, 200);
  assert.equal((await response.json()).changed, 1);
  assert.equal(calls[0]!.args.dry_run, true);
});

Deno.test("POST rate-cards names line and column of each fault, and asks the database nothing", async () => {
  const { ask, calls } = createTestAdmin();
  const response = await ask("POST", "/rate-cards", CSV + "Mars,,USD,gossip,1\n", "text/csv");
  assert.equal(response.status, 422);
  const { code, errors } = await response.json();
  assert.equal(code, "invalid_rate_card");
  assert.deepEqual([errors[0].line, errors[0].column], [3, "category"]);
  assert.deepEqual(calls, []);
});

Deno.test("POST rate-cards tells what contradicts the prices that are known", async () => {
  const faults = [{ line: 2, field: "valid_from", detail: "would change a price" }];
  const { ask } = createTestAdmin({ rpc: { import_rate_card: { outcome: "invalid", faults } } });
  const response = await ask("POST", "/rate-cards", { csv: CSV });
  assert.equal(response.status, 422);
  const { errors: [{ line, column }] } = await response.json();
  assert.deepEqual([line, column], [2, "valid_from"]);
});

Deno.test("POST rate-cards over a mebibyte answers 413", async () => {
  const { ask, calls } = createTestAdmin();
  const large = await ask("POST", "/rate-cards", "x".repeat(1_048_577), "text/csv");
  assert.equal(large.status, 413);
  assert.deepEqual(calls, []);
});

Deno.test("a tenant's owner sets neither prices nor whether the tenant pays", async () => {
  const { ask, calls } = createTestAdmin({ caller: user("owner") });
  assert.equal((await ask("POST", "/rate-cards", { csv: CSV })).status, 403);
  const billing = await ask("PUT", `/tenants/${tenantId}/billing`, '{"billing":"none"}');
  assert.equal(billing.status, 403);
  assert.deepEqual(calls, []);
});

Deno.test("PUT billing sets who pays", async () => {
  const set = { outcome: "set", billing: "prepaid", account_id: accountId, currency: "USD" };
  const { ask, calls } = createTestAdmin({ rpc: { set_billing: set } });
  const body = { billing: "prepaid", account_id: accountId };
  const response = await ask("PUT", `/tenants/${tenantId}/billing`, body);
  assert.deepEqual(await response.json(), { ...body, currency: "USD" });
  assert.deepEqual(calls[0]?.args, {
    tenant_id: tenantId,
    billing: body,
    actor: { kind: "secret", request_id: "r" },
  });
});

for (
  const [answer, status, code] of [
    [{ outcome: "tenant_not_found" }, 404, "not_found"],
    [{ outcome: "unknown_account" }, 422, "invalid_request"],
    [{ outcome: "no_rates", currency: "EUR" }, 422, "no_rate"],
  ] as const
) {
  Deno.test(`PUT billing answers ${answer.outcome} with ${status} ${code}`, async () => {
    const { ask } = createTestAdmin({ rpc: { set_billing: answer } });
    const body = { billing: "prepaid", account_id: accountId };
    const response = await ask("PUT", `/tenants/${tenantId}/billing`, body);
    assert.deepEqual([response.status, (await response.json()).code], [status, code]);
  });
}

Deno.test("PUT billing to prepaid without an account answers 422", async () => {
  const { ask, calls } = createTestAdmin();
  const response = await ask("PUT", `/tenants/${tenantId}/billing`, '{"billing":"prepaid"}');
  assert.equal(response.status, 422);
  assert.deepEqual(calls, []);
});
