import { strict as assert } from "node:assert";

import { NEW_BREAKER } from "./breaker.ts";
import { createLocalBreakers, MAX_LOCAL_BREAKERS } from "./breaker_local.ts";
import type { BreakerAdmission, BreakerResult } from "./breakers.ts";

const tenant = "tenant:a";

function setup() {
  const clock = { nowMs: 1_000_000 };
  return { clock, local: createLocalBreakers({ now: () => clock.nowMs, random: () => 0 }) };
}

function failures(count: number, overrides: Partial<BreakerResult> = {}): BreakerResult {
  return {
    scope: tenant,
    decidedBy: "isolate",
    generation: 0,
    failures: count,
    successes: 0,
    trailingFailures: count,
    pauseMs: 0,
    witness: "*",
    ...overrides,
  };
}

function told(admission: BreakerAdmission): Map<string, BreakerAdmission> {
  return new Map([[tenant, admission]]);
}

Deno.test("an isolate that decides alone opens, probes and closes under the same rules", () => {
  const { clock, local } = setup();
  const changes = local.report([failures(5)]);
  assert.deepEqual(changes.map(({ from, breaker }) => [from, breaker.state]), [["closed", "open"]]);
  assert.equal(local.admit([tenant]).get(tenant)?.allowed, false);
  clock.nowMs += 60_000;
  const probe = local.admit([tenant]).get(tenant);
  assert.deepEqual(probe, { allowed: true, generation: 2, probe: true, decidedBy: "isolate" });
  local.report([failures(0, { generation: 2, successes: 1 })]);
  assert.equal(local.admit([tenant]).get(tenant)?.allowed, true);
});

Deno.test("a pause that the shared breaker told of goes on when it is gone", () => {
  const { clock, local } = setup();
  const retryAtMs = clock.nowMs + 40_000;
  local.mirror(
    told({ allowed: false, generation: 7, reason: "open", retryAtMs, decidedBy: "redis" }),
  );
  clock.nowMs += 39_999;
  assert.equal(local.admit([tenant]).get(tenant)?.allowed, false);
  clock.nowMs += 1;
  const probe = local.admit([tenant]).get(tenant);
  assert.deepEqual(probe, { allowed: true, generation: 8, probe: true, decidedBy: "isolate" });
});

Deno.test("what the shared breaker let through counts here when it is gone before the answer", () => {
  const { local } = setup();
  local.mirror(told({ allowed: true, generation: 7, probe: false, decidedBy: "redis" }));
  local.report([failures(5, { generation: 7, decidedBy: "redis" })]);
  assert.equal(local.admit([tenant]).get(tenant)?.allowed, false);
});

Deno.test("a probe that the shared breaker leased decides here when it is gone before the answer", () => {
  const { local } = setup();
  local.mirror(told({ allowed: true, generation: 8, probe: true, decidedBy: "redis" }));
  assert.equal(local.admit([tenant]).get(tenant)?.allowed, false);
  local.report([failures(0, { generation: 8, successes: 1, decidedBy: "redis" })]);
  assert.equal(local.admit([tenant]).get(tenant)?.allowed, true);
});

Deno.test("what an operator isolated stays so while the shared breaker is gone", () => {
  const { clock, local } = setup();
  const retryAtMs = clock.nowMs + 60_000;
  local.mirror(
    told({ allowed: false, generation: 1, reason: "isolated", retryAtMs, decidedBy: "redis" }),
  );
  clock.nowMs += 3_600_000;
  assert.equal(local.admit([tenant]).get(tenant)?.allowed, false);
});

Deno.test("what was decided alone is forgotten once the shared breaker is heard again", () => {
  const { local } = setup();
  local.report([failures(5)]);
  local.mirror(told({ allowed: true, generation: 3, probe: false, decidedBy: "redis" }));
  assert.equal(local.admit([tenant]).get(tenant)?.allowed, true);
});

Deno.test("a breaker that opened elsewhere is open here from now on, on this isolate's clock", () => {
  const { clock, local } = setup();
  const breaker = { ...NEW_BREAKER, state: "open", sinceMs: 5, durationMs: 60_000 } as const;
  local.adopt(tenant, breaker);
  const admission = local.admit([tenant]).get(tenant);
  assert.ok(admission?.allowed === false && admission.retryAtMs === clock.nowMs + 60_000);
});

Deno.test("memory is bounded: the least recently used breaker is forgotten", () => {
  const { local } = setup();
  local.report([failures(5)]);
  local.admit(Array.from({ length: MAX_LOCAL_BREAKERS }, (_, i) => `sender:${i}`));
  assert.equal(local.admit([tenant]).get(tenant)?.allowed, true);
});
