import { strict as assert } from "node:assert";
import { settingsSchema } from "../script/settings.ts";
import { createBusinessNumbers } from "./business_numbers.ts";
import { createLimits } from "./limits.ts";

function setup(limits: Record<string, unknown>) {
  const clock = { now: 1_000_000 };
  const numbers = createBusinessNumbers();
  const number = numbers.resolve("1");
  const created = createLimits(() => clock.now);
  const inForce = settingsSchema.parse({ limits }).limits;
  const check = (waId = "15550200001", of = number) =>
    created.check(of, waId, inForce)?.code ?? null;
  const burst = (count: number, waId?: string) =>
    Array.from({ length: count }, () => check(waId)).filter((code) => code === null).length;
  return { clock, numbers, number, limits: created, check, burst };
}

Deno.test("without limits everything passes", () => {
  assert.equal(setup({}).burst(10_000), 10_000);
});

Deno.test("a number's rate lets one second's worth through and refills evenly", () => {
  const { clock, burst, check } = setup({ throughput_mps: 80 });
  assert.equal(burst(200), 80);
  assert.equal(check(), 130429);
  clock.now += 125;
  assert.equal(burst(200), 10);
});

Deno.test("a number's own rate stands above the general one", () => {
  const { number, burst } = setup({ throughput_mps: 80 });
  number.throughputMps = 20;
  assert.equal(burst(100), 20);
});

Deno.test("numbers do not share their rate", () => {
  const { numbers, burst, check } = setup({ throughput_mps: 20 });
  burst(20);
  assert.equal(check("15550200001", numbers.resolve("2")), null);
});

Deno.test("a pair gets 45 at once and then one every 6 seconds", () => {
  const { clock, burst, check } = setup({ pair: true });
  assert.equal(burst(60, "15550200001"), 45);
  assert.equal(check("15550200001"), 131056);
  assert.equal(check("15550200002"), null);
  clock.now += 6_000;
  assert.equal(burst(10, "15550200001"), 1);
});

Deno.test("the HTTP status of rate errors can be chosen", () => {
  const numbers = createBusinessNumbers();
  const limits = createLimits(() => 0);
  const { limits: inForce } = settingsSchema.parse({
    limits: { throughput_mps: 1, rate_error_http: 429 },
  });
  limits.check(numbers.resolve("1"), "1", inForce);
  assert.equal(limits.check(numbers.resolve("1"), "1", inForce)?.http, 429);
});

Deno.test("a number in maintenance refuses until the maintenance is over", () => {
  const { clock, number, check } = setup({});
  number.maintenanceUntil = clock.now + 60_000;
  assert.equal(check(), 131057);
  clock.now += 60_000;
  assert.equal(check(), null);
});

Deno.test("unique users of a day count by portfolio, and not inside a service window", () => {
  const { clock, numbers, number, limits, check } = setup({ daily_users: 2 });
  const sibling = numbers.put("2", { portfolio_id: number.portfolioId });
  assert.deepEqual([check("1001"), check("1002"), check("1001")], [null, null, null]);
  assert.equal(check("1003", sibling), 131048);
  limits.openWindow(number, "1003");
  assert.equal(check("1003"), null);
  clock.now += 86_400_000;
  assert.equal(check("1004"), null);
});

Deno.test("a service window is open for 24 hours from the customer's message", () => {
  const { clock, number, limits } = setup({});
  assert.equal(limits.isWindowOpen(number, "1001"), false);
  limits.openWindow(number, "1001");
  clock.now += 86_399_999;
  assert.equal(limits.isWindowOpen(number, "1001"), true);
  clock.now += 1;
  assert.equal(limits.isWindowOpen(number, "1001"), false);
});
