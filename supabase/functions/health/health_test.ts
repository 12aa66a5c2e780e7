import { strict as assert } from "node:assert";

import type { Identify } from "../_shared/http/caller.ts";
import { problem } from "../_shared/http/problem.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import type { BreakerStatistics } from "../_shared/resilience/breaker_statistics.ts";
import { createHandler } from "./health.ts";
import type { HealthDeps } from "./health.ts";
import { createProbes } from "./probes.ts";
import type { Probe, Snapshot } from "./probes.ts";

const CONTEXT = {
  requestId: "r1",
  log: createLog({ write: () => {}, now: () => 0, fields: {} }),
};

function aSnapshot(overrides: Partial<Snapshot> = {}): Snapshot {
  return {
    outbound: { depth: 3, oldest_age_seconds: 1 },
    outbound_in_flight: 2,
    inbound: { depth: 0, oldest_age_seconds: 0 },
    callbacks: {
      depth: 6,
      oldest_age_seconds: 200,
      unread_age_seconds: 2,
      endpoints: 9,
      paused_endpoints: 1,
      disabled_endpoints: 0,
      failing_endpoints: 3,
    },
    outcome_unknown: 0,
    dead_letters: 4,
    quarantined: 8,
    quarantined_lately: 0,
    media_failed: 6,
    wallet_findings: 0,
    senders: { active: 2, paused: 0 },
    cron: { ticked_at: "2026-11-22T12:00:00Z", age_seconds: 3 },
    idempotency: { hit: 5, miss: 7, error: 2 },
    secrets: { switchyard_project_url: true, switchyard_secret_key: true },
    ...overrides,
  };
}

function answered<Value>(value: Value): Probe<Value> {
  return { ok: true, value, duration_ms: 5 };
}

const OPEN_BREAKER: BreakerStatistics = {
  scope: "sender:s1",
  state: "open",
  cause: "failures_in_a_row",
  total_requests: 5,
  failures: 5,
  failure_rate: 100,
  consecutive_failures: 5,
  opened_count: 1,
  opened_at: "2026-11-22T12:00:00Z",
  next_probe_at: "2026-11-22T12:01:00Z",
  generation: 2,
};

const UNREACHABLE = { ok: false, error: "unreachable", duration_ms: 7 } as const;

const isSecret: Identify = (request) =>
  Promise.resolve(
    request.headers.get("apikey") === "secret"
      ? { ok: true, caller: { kind: "secret", tenantId: null } }
      : { ok: false, response: problem(401, "missing_credentials", "No credentials.") },
  );

function ask(path: string, overrides: Partial<HealthDeps> = {}, apikey = "secret") {
  const handler = createHandler({
    identify: isSecret,
    probes: {
      database: () => Promise.resolve(answered(aSnapshot())),
      redis: () => Promise.resolve(answered("PONG" as const)),
    },
    readCounters: () =>
      Promise.resolve({
        total_requests: 1500,
        cache_hits: 1420,
        l1_hits: 1400,
        l2_hits: 20,
        stale_hits: 0,
        db_hits: 75,
        fallback_hits: 5,
        failures: 0,
      }),
    listBreakers: () => Promise.resolve([OPEN_BREAKER, { ...OPEN_BREAKER, state: "closed" }]),
    readBreaker: () => Promise.resolve(false),
    configured: {
      WHATSAPP_PHONE_NUMBER_ID: true,
      WHATSAPP_ACCESS_TOKEN: true,
      SWITCHYARD_ENCRYPTION_KEYS: true,
    },
    ...overrides,
  });
  return handler(new Request(`http://project.test${path}`, { headers: { apikey } }), CONTEXT);
}

function probesOf(database: Probe<Snapshot>, redis: Probe<"PONG"> | null = null) {
  return { database: () => Promise.resolve(database), redis: () => Promise.resolve(redis) };
}

Deno.test("GET /health says ok in public and tells no details", async () => {
  const response = await ask("/health", {}, "nobody");
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { status: "ok" });
});

Deno.test("GET /health answers 503 down when the database does not answer", async () => {
  const response = await ask("/health", { probes: probesOf(UNREACHABLE) }, "nobody");
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { status: "down" });
});

const degraded: [label: string, probes: HealthDeps["probes"]][] = [
  ["Redis is configured and does not answer", probesOf(answered(aSnapshot()), UNREACHABLE)],
  [
    "cron has not ticked for half a minute",
    probesOf(answered(aSnapshot({ cron: { ticked_at: null, age_seconds: 31 } }))),
  ],
  [
    "cron has never ticked",
    probesOf(answered(aSnapshot({ cron: { ticked_at: null, age_seconds: null } }))),
  ],
  [
    "the doorbell has no key",
    probesOf(answered(aSnapshot({
      secrets: { switchyard_project_url: true, switchyard_secret_key: false },
    }))),
  ],
  [
    "a due message waits for minutes",
    probesOf(answered(aSnapshot({ outbound: { depth: 1, oldest_age_seconds: 121 } }))),
  ],
  [
    "something was quarantined within a day",
    probesOf(answered(aSnapshot({ quarantined_lately: 1 }))),
  ],
  ["something is wrong with the books", probesOf(answered(aSnapshot({ wallet_findings: 1 })))],
];
for (const [label, probes] of degraded) {
  Deno.test(`GET /health answers 200 degraded when ${label}`, async () => {
    const response = await ask("/health", { probes }, "nobody");
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { status: "degraded" });
  });
}

for (const path of ["/health/credentials", "/health/detailed", "/health/metrics"]) {
  Deno.test(`GET ${path} is for secret callers alone`, async () => {
    assert.equal((await ask(path, {}, "nobody")).status, 401);
    assert.equal((await ask(path)).status, 200);
  });
}

Deno.test("GET /health/credentials answers as the requirement shows", async () => {
  const body = await (await ask("/health/credentials")).json();
  assert.deepEqual(body.health, {
    status: "healthy",
    l1_cache: "ok",
    l2_cache: "ok",
    supabase: "ok",
    env_fallback: "configured",
  });
  assert.equal(body.status, "ok");
  assert.equal(body.circuit_breaker, "closed");
  assert.equal(body.stats.total_requests, 1500);
  assert.equal(body.stats.cache_hit_rate, 0.947);
  assert.equal(body.stats.success_rate, 1);
});

const REDIS_IS_DOWN = { probes: probesOf(answered(aSnapshot()), UNREACHABLE) };
const layers: [rule: string, overrides: Partial<HealthDeps>, seen: [string, unknown][]][] = [
  ["calls the shared cache disabled where there is no Redis", {
    probes: probesOf(answered(aSnapshot()), null),
    readCounters: () => Promise.resolve(null),
    listBreakers: () => Promise.resolve([OPEN_BREAKER, { ...OPEN_BREAKER, state: "closed" }]),
    readBreaker: () => Promise.resolve(null),
  }, [["status", "healthy"], ["l2_cache", "disabled"], ["circuit_breaker", "unknown"]]],
  ["calls the shared cache disabled without encryption keys", { configured: {} }, [
    ["status", "healthy"],
    ["l2_cache", "disabled"],
    ["env_fallback", "not_configured"],
  ]],
  ["calls the shared cache unavailable while Redis does not answer", REDIS_IS_DOWN, [
    ["status", "degraded"],
    ["l2_cache", "unavailable"],
  ]],
  ["tells of an open breaker", { readBreaker: () => Promise.resolve(true) }, [
    ["status", "degraded"],
    ["circuit_breaker", "open"],
  ]],
  ["tells of a database that does not answer", { probes: probesOf(UNREACHABLE) }, [
    ["status", "degraded"],
    ["supabase", "unreachable"],
  ]],
];
for (const [rule, overrides, seen] of layers) {
  Deno.test(`GET /health/credentials ${rule}`, async () => {
    const { health, circuit_breaker } = await (await ask("/health/credentials", overrides)).json();
    const shown = { ...health, circuit_breaker };
    assert.deepEqual(seen.map(([name]) => [name, shown[name]]), seen);
  });
}

Deno.test("GET /health/detailed names what is wrong and never a secret's value", async () => {
  const probes = probesOf(
    answered(aSnapshot({ cron: { ticked_at: null, age_seconds: null } })),
    UNREACHABLE,
  );
  const body = await (await ask("/health/detailed", { probes })).json();
  assert.equal(body.status, "degraded");
  assert.deepEqual(body.faults, ["redis", "cron"]);
  assert.deepEqual(body.queues.outbound, { depth: 3, oldest_age_seconds: 1, in_flight: 2 });
  assert.equal(body.redis.status, "down");
  assert.deepEqual(body.breakers, [OPEN_BREAKER]);
  assert.equal(body.secrets.WHATSAPP_ACCESS_TOKEN, true);
});

Deno.test("callbacks that nobody looks at are a fault, a tenant's slow server is none", async () => {
  const { callbacks } = aSnapshot();
  const unread = aSnapshot({ callbacks: { ...callbacks, unread_age_seconds: 121 } });
  const of = async (snapshot: Snapshot) => {
    const probes = probesOf(answered(snapshot));
    return (await (await ask("/health/detailed", { probes })).json()).faults;
  };
  assert.deepEqual(await of(aSnapshot()), []);
  assert.deepEqual(await of(unread), ["callbacks"]);
});

Deno.test("what was quarantined lately is a fault with its count, what lies there longer is none", async () => {
  const of = async (quarantined_lately: number) => {
    const probes = probesOf(answered(aSnapshot({ quarantined_lately })));
    const { status, faults, messages } = await (await ask("/health/detailed", { probes })).json();
    return [status, faults, messages.quarantined_lately, messages.media_failed];
  };
  assert.deepEqual(await of(0), ["ok", [], 0, 6]);
  assert.deepEqual(await of(3), ["degraded", ["quarantine"], 3, 6]);
});

Deno.test("GET /health/detailed answers 503 without a database, with what is known", async () => {
  const response = await ask("/health/detailed", { probes: probesOf(UNREACHABLE) });
  assert.equal(response.status, 503);
  const body = await response.json();
  assert.equal(body.database.error, "unreachable");
  assert.equal(body.queues, null);
});

Deno.test("GET /health/metrics is Prometheus text with a help and a type for each metric", async () => {
  const response = await ask("/health/metrics");
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).trimEnd().split("\n");
  assert.ok(lines.includes('switchyard_queue_depth{queue="outbound"} 3'));
  assert.ok(lines.includes('switchyard_queue_depth{queue="callbacks"} 6'));
  assert.ok(lines.includes('switchyard_callback_endpoints{status="paused"} 1'));
  assert.ok(lines.includes('switchyard_dependency_up{dependency="redis"} 1'));
  assert.ok(lines.includes("switchyard_events_quarantined 8"));
  assert.ok(lines.includes("switchyard_events_quarantined_lately 0"));
  assert.ok(lines.includes("switchyard_media_failed 6"));
  assert.ok(lines.includes("switchyard_credentials_cache_hits_total 1420"));
  assert.ok(lines.includes('switchyard_wallet_idempotency_keys_total{outcome="hit"} 5'));
  for (const line of lines) {
    assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [0-9.]+)$/);
  }
});

Deno.test("a probe that hangs ends at its deadline", async () => {
  const probes = createProbes({
    call: () => new Promise<never>(() => {}),
    redis: { ping: () => new Promise(() => {}) },
    now: () => 0,
    sleep: () => Promise.resolve(),
  });
  assert.deepEqual(await probes.database(), { ok: false, error: "timeout", duration_ms: 0 });
  assert.deepEqual(await probes.redis(), { ok: false, error: "timeout", duration_ms: 0 });
});

Deno.test("only GET is answered", async () => {
  const handler = createHandler({
    identify: isSecret,
    probes: probesOf(UNREACHABLE),
    readCounters: () => Promise.resolve(null),
    listBreakers: () => Promise.resolve([OPEN_BREAKER, { ...OPEN_BREAKER, state: "closed" }]),
    readBreaker: () => Promise.resolve(null),
    configured: {},
  });
  const response = await handler(
    new Request("http://project.test/health", { method: "POST" }),
    CONTEXT,
  );
  assert.equal(response.status, 405);
});
