import { strict as assert } from "node:assert";
import { createTestAdmin, secret, user } from "./test_admin.ts";

const START = 1_793_491_200;
const END = START + 86_400;
const nothing = { outcome: "compared", compared: 1, differences: [], not_compared: [] };

function setup(compare_meta_analytics: unknown = nothing, caller = secret) {
  const { ask, calls } = createTestAdmin({ caller, rpc: { compare_meta_analytics } });
  return { ask: (body: unknown) => ask("POST", "/wallet/meta-analytics", body), calls };
}

function aPoint(overrides: Record<string, unknown> = {}) {
  return {
    start: START,
    end: END,
    phone_number: "15550100001",
    country: "DE",
    tier: "0:MAX",
    pricing_type: "REGULAR",
    pricing_category: "AUTHENTICATION_INTERNATIONAL",
    volume: 2,
    cost: 0.23,
    ...overrides,
  };
}

function aBody(points: unknown[] = [aPoint()], overrides: Record<string, unknown> = {}) {
  const answer = { id: "200000000000001", pricing_analytics: { data: [{ data_points: points }] } };
  return { start: START, end: END, answer, ...overrides };
}

Deno.test("POST meta-analytics hands on what Meta counted, amounts in micro-units", async () => {
  const { ask, calls } = setup();
  const response = await ask(aBody([aPoint()], { currency: "USD", dry_run: true }));
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), {
    dry_run: true,
    compared: 1,
    differences: [],
    not_compared: [],
  });
  assert.deepEqual(calls[0]!.args, {
    answer: {
      business_account_id: "200000000000001",
      starts_at: "2026-11-01T00:00:00.000Z",
      ends_at: "2026-11-02T00:00:00.000Z",
      currency: "USD",
      points: [{
        phone_number: "15550100001",
        category: "authentication_international",
        type: "regular",
        volume: 2,
        cost_micros: 230_000,
      }],
    },
    dry_run: true,
    actor: { kind: "secret", request_id: "r" },
  });
});

Deno.test("POST meta-analytics tells amounts as people write them", async () => {
  const difference = {
    sender: "100000000000001",
    category: "utility",
    type: "regular",
    meta_volume: 2,
    our_volume: 1,
    meta_micros: "230000",
    our_micros: "115000",
  };
  const { ask } = setup({ ...nothing, differences: [difference] });
  const { differences: [told] } = await (await ask(aBody([aPoint()], { currency: "USD" }))).json();
  assert.deepEqual([told.meta_cost, told.our_cost, told.our_volume], ["0.23", "0.115", 1]);
  assert.equal("meta_micros" in told, false);
});

const answerWith = (pricing_analytics: unknown, id: unknown = "2") => ({
  start: START,
  end: END,
  answer: { id, pricing_analytics },
});
const first = "/answer/pricing_analytics/data/0/data_points/0";
const refusals: [what: string, body: unknown, pointer: string][] = [
  ["a period that ends before it begins", aBody([], { end: START }), "/end"],
  ["a period of a year", aBody([], { end: START + 365 * 86_400 }), "/end"],
  ["a time in milliseconds", aBody([], { start: START * 1_000 }), "/start"],
  ["an unknown currency", aBody([], { currency: "XXQ" }), "/currency"],
  ["an unknown member", aBody([], { reports: [] }), "/reports"],
  ["an account that is no id", answerWith({ data: [] }, "x"), "/answer/id"],
  ["an answer without data", answerWith({}), "/answer/pricing_analytics/data"],
  [
    "a page",
    answerWith({ data: [], paging: { next: "https://graph.facebook.com/" } }),
    "/answer/pricing_analytics/paging/next",
  ],
  [
    "a point without a category",
    aBody([aPoint({ pricing_category: undefined })]),
    `${first}/pricing_category`,
  ],
  ["a type that is no word", aBody([aPoint({ pricing_type: "1;" })]), `${first}/pricing_type`],
  ["half a message", aBody([aPoint({ volume: 0.5 })]), `${first}/volume`],
  ["less than no cost", aBody([aPoint({ cost: -1 })]), `${first}/cost`],
  ["a point before the period", aBody([aPoint({ start: START - 1 })]), `${first}/start`],
  ["a point after the period", aBody([aPoint({ end: END + 1 })]), `${first}/start`],
  ["a number that is none", aBody([aPoint({ phone_number: "x" })]), `${first}/phone_number`],
  [
    "a number of some points only",
    aBody([aPoint(), aPoint({ phone_number: undefined })]),
    "/answer/pricing_analytics/data/0/data_points/1/phone_number",
  ],
  [
    "more points than are looked at",
    aBody(
      Array.from({ length: 10_001 }, () => ({ ...aPoint(), country: undefined, tier: undefined })),
    ),
    "/answer/pricing_analytics/data/0/data_points",
  ],
];

for (const [what, body, pointer] of refusals) {
  Deno.test(`POST meta-analytics refuses ${what} and names it`, async () => {
    const { ask, calls } = setup();
    const response = await ask(body);
    assert.equal(response.status, 422);
    const { code, errors } = await response.json();
    assert.equal(code, "invalid_request");
    assert.ok(errors.map((error: { pointer: string }) => error.pointer).includes(pointer));
    assert.deepEqual(calls, []);
  });
}

Deno.test("POST meta-analytics over two mebibytes answers 413", async () => {
  const { ask, calls } = setup();
  assert.equal((await ask({ padding: "x".repeat(2_097_152) })).status, 413);
  assert.deepEqual(calls, []);
});

Deno.test("POST meta-analytics of an account without senders answers 404", async () => {
  const { ask } = setup({ outcome: "unknown_business_account" });
  assert.equal((await ask(aBody())).status, 404);
});

Deno.test("a tenant's owner hands in no counts of Meta's", async () => {
  const { ask, calls } = setup(nothing, user("owner"));
  assert.equal((await ask(aBody())).status, 403);
  assert.deepEqual(calls, []);
});
