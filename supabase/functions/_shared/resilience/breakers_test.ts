import { strict as assert } from "node:assert";

import { NEW_BREAKER } from "./breaker.ts";
import { createLocalBreakers } from "./breaker_local.ts";
import {
  type BreakerAdmission,
  type BreakerResult,
  type BreakerStore,
  createBreakers,
} from "./breakers.ts";

const tenant = "tenant:a";
const open = { ...NEW_BREAKER, state: "open", generation: 1, durationMs: 60_000 } as const;
const never = () => new Promise<never>(() => {});

function failures(count: number, overrides: Partial<BreakerResult> = {}): BreakerResult {
  return {
    scope: tenant,
    decidedBy: "redis",
    generation: 0,
    failures: count,
    successes: 0,
    trailingFailures: count,
    pauseMs: 0,
    witness: "*",
    ...overrides,
  };
}

/** Shared breakers that let all through, and count how often they are asked. */
function setup(overrides: Partial<BreakerStore> = {}, sleep: () => Promise<void> = never) {
  const clock = { nowMs: 1_000_000 };
  const now = () => clock.nowMs;
  const lines: [event: string, fields: Record<string, unknown>][] = [];
  const asked: string[] = [];
  const store: BreakerStore = {
    admit: (scopes) => {
      asked.push(`admit ${scopes.join(" ")}`);
      const admission = { allowed: true, generation: 0, probe: false, decidedBy: "redis" } as const;
      return Promise.resolve(new Map(scopes.map((scope) => [scope, admission])));
    },
    report: () => {
      asked.push("report");
      return Promise.resolve([]);
    },
  };
  const write = (event: string, fields: Record<string, unknown>) =>
    void lines.push([event, fields]);
  const shared = { ...store, ...overrides };
  const breakers = createBreakers({
    shared,
    local: createLocalBreakers({ now, random: () => 0 }),
    now,
    sleep,
    log: { info: write, warn: write },
  });
  return { breakers, shared, store, clock, lines, asked, events: () => lines.map(([it]) => it) };
}

const gone = () => Promise.reject(new Error("connection refused"));

Deno.test("breakers ask Redis once for all scopes, each of them once", async () => {
  const { breakers, asked } = setup();
  const admissions = await breakers.admit([tenant, "app", tenant]);
  assert.deepEqual([...admissions.keys()], [tenant, "app"]);
  assert.deepEqual(asked, ["admit tenant:a app"]);
});

Deno.test("breakers ask nothing for no scopes and no results", async () => {
  const { breakers, asked } = setup();
  assert.equal((await breakers.admit([])).size, 0);
  assert.deepEqual(await breakers.report([]), []);
  assert.deepEqual(asked, []);
});

Deno.test("R18: opening is logged with cause, counts and tenant", async () => {
  const breaker = {
    ...open,
    cause: "failures_in_a_row",
    failuresInARow: 5,
    openedCount: 1,
    window: [{ slot: 1, requests: 7, failures: 5 }],
  } as const;
  const { breakers, lines } = setup({
    report: () => Promise.resolve([{ scope: tenant, from: "closed", breaker }]),
  });
  await breakers.report([failures(5)]);
  assert.deepEqual(lines, [["breaker.opened", {
    scope: tenant,
    tenant_id: "a",
    from: "closed",
    generation: 1,
    name: "circuit_breaker_opened",
    state: "OPEN",
    failure_count: 5,
    cause: "failures_in_a_row",
    requests: 7,
    failures: 5,
    open_ms: 60_000,
    opened_count: 1,
  }]]);
});

Deno.test("R18: half-opening and closing are logged", async () => {
  const probe: BreakerAdmission = {
    allowed: true,
    generation: 2,
    probe: true,
    decidedBy: "redis",
  };
  const closed = { ...NEW_BREAKER, generation: 3 };
  const { breakers, lines } = setup({
    admit: () => Promise.resolve(new Map([[tenant, probe]])),
    report: () => Promise.resolve([{ scope: tenant, from: "half_open", breaker: closed }]),
  });
  await breakers.admit([tenant]);
  await breakers.report([failures(0, { generation: 2, successes: 1 })]);
  const tenantFields = { scope: tenant, tenant_id: "a" };
  assert.deepEqual(lines, [
    ["breaker.half_opened", { ...tenantFields, generation: 2, decidedBy: "redis" }],
    ["breaker.closed", { ...tenantFields, from: "half_open", generation: 3 }],
  ]);
});

Deno.test("without Redis the isolate decides alone, and says nothing of it", async () => {
  const now = () => 0;
  const local = createLocalBreakers({ now, random: () => 0 });
  const lines: string[] = [];
  const write = (event: string) => void lines.push(event);
  const log = { info: write, warn: write };
  const breakers = createBreakers({ shared: null, local, now, sleep: never, log });
  const admitted = (await breakers.admit([tenant])).get(tenant);
  assert.equal(admitted?.decidedBy, "isolate");
  await breakers.report([failures(5, { decidedBy: "isolate" })]);
  assert.equal((await breakers.admit([tenant])).get(tenant)?.allowed, false);
  assert.deepEqual(lines, ["breaker.opened"]);
});

Deno.test("Redis that is gone is said once, and the isolate decides alone", async () => {
  const { breakers, events } = setup({ admit: gone, report: gone });
  const admission = (await breakers.admit([tenant])).get(tenant);
  assert.deepEqual([admission?.allowed, admission?.decidedBy], [true, "isolate"]);
  await breakers.report([failures(5, { decidedBy: "isolate" })]);
  assert.equal((await breakers.admit([tenant])).get(tenant)?.allowed, false);
  assert.deepEqual(events(), ["breakers.kept_local", "breaker.opened"]);
});

Deno.test("Redis that answers later than a second is not waited for", async () => {
  const slept: number[] = [];
  const sleep = (ms?: number) => Promise.resolve(void slept.push(ms ?? 0));
  const { breakers } = setup({ admit: never }, sleep);
  assert.equal((await breakers.admit([tenant])).get(tenant)?.decidedBy, "isolate");
  assert.deepEqual(slept, [1_000]);
});

Deno.test("Redis that is gone is asked again after 5 s, and not before", async () => {
  const { breakers, shared, store, clock, asked, events } = setup({ admit: gone });
  await breakers.admit([tenant]);
  shared.admit = store.admit;
  clock.nowMs += 4_999;
  await breakers.admit([tenant]);
  assert.deepEqual(asked, []);
  clock.nowMs += 1;
  assert.equal((await breakers.admit([tenant])).get(tenant)?.decidedBy, "redis");
  assert.deepEqual(asked, ["admit tenant:a"]);
  assert.deepEqual(events(), ["breakers.kept_local", "breakers.shared_again"]);
});

Deno.test("results that Redis did not take count in the isolate", async () => {
  const { breakers } = setup({ report: gone });
  await breakers.admit([tenant]);
  const changes = await breakers.report([failures(5)]);
  assert.deepEqual(changes.map(({ breaker }) => breaker.state), ["open"]);
  assert.equal((await breakers.admit([tenant])).get(tenant)?.allowed, false);
});

Deno.test("what the isolate decided alone is not reported to Redis when it is back", async () => {
  const { breakers, asked } = setup();
  await breakers.report([failures(5, { decidedBy: "isolate" })]);
  assert.deepEqual(asked, []);
});

Deno.test("a breaker that Redis opened stays open in the isolate when Redis is gone next", async () => {
  const { breakers, shared } = setup({
    report: () => Promise.resolve([{ scope: tenant, from: "closed", breaker: open }]),
  });
  await breakers.admit([tenant]);
  await breakers.report([failures(5)]);
  shared.admit = gone;
  assert.equal((await breakers.admit([tenant])).get(tenant)?.allowed, false);
});

Deno.test("what Redis held back stays held back in the isolate when Redis is gone next", async () => {
  const refused = { allowed: false, generation: 1, reason: "open", retryAtMs: 1_060_000 } as const;
  const { breakers, shared, clock } = setup({
    admit: () => Promise.resolve(new Map([[tenant, { ...refused, decidedBy: "redis" }]])),
  });
  await breakers.admit([tenant]);
  shared.admit = gone;
  clock.nowMs += 59_999;
  const admission = (await breakers.admit([tenant])).get(tenant);
  assert.deepEqual([admission?.allowed, admission?.decidedBy], [false, "isolate"]);
});
