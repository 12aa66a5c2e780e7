import { strict as assert } from "node:assert";
import { sha256Hex } from "../_shared/bytes.ts";
import type { StatisticsStore } from "../_shared/credentials/statistics_store.ts";
import type { Role } from "../_shared/http/caller.ts";
import { problemOf } from "../_shared/test_problem.ts";
import {
  createTestAdmin,
  otherTenantId,
  secret,
  secretActor,
  tenantId,
  user,
  userId,
} from "./test_admin.ts";

const createdId = "66666666-6666-4666-8666-666666666666";
const sender = {
  phone_number_id: "100000000000001",
  business_account_id: "200000000000001",
  display_phone_number: "+1 555 010 0001",
  access_token: "local-demo-token",
};

const answers: Record<string, unknown> = {
  create_tenant: { outcome: "created", id: createdId },
  add_sender: { outcome: "created", id: createdId },
  rotate_credential: { outcome: "rotated", credential_version: 2 },
  create_api_key: { outcome: "created", id: createdId },
  set_member: { outcome: "set" },
  bump_cache_generation: 7,
  invalidate_credential: { outcome: "invalidated" },
  list_attention: [],
  list_senders: [],
  list_templates: [],
  set_realtime: { outcome: "set" },
  resume_sender: { outcome: "resumed", causes: ["account_disabled"] },
  list_audit: [],
  list_tenants: { tenants: [], next_cursor: null },
  read_tenant: { id: tenantId },
  change_tenant: { outcome: "changed", tenant: { id: tenantId } },
  change_sender: { outcome: "changed", sender: { phone_number_id: "5" } },
  remove_sender: { outcome: "removed" },
  list_api_keys: [],
  revoke_api_key: { outcome: "revoked" },
  list_members: [],
  remove_member: { outcome: "removed" },
};

function setup({ rpc = {}, ...world }: Parameters<typeof createTestAdmin>[0] = {}) {
  return createTestAdmin({ rpc: { ...answers, ...rpc }, ...world });
}

const tenantPath = `/tenants/${tenantId}`;

Deno.test("POST tenants makes a tenant and answers its id", async () => {
  const { ask, calls } = setup();
  const response = await ask("POST", "/tenants", { slug: "acme", name: "Acme" });
  assert.equal(response.status, 201);
  assert.deepEqual(await response.json(), { id: createdId });
  assert.deepEqual(calls, [{
    name: "create_tenant",
    args: { slug: "acme", name: "Acme", actor: secretActor },
  }]);
});

Deno.test("POST tenants with a taken slug answers 409", async () => {
  const { ask } = setup({ rpc: { create_tenant: { outcome: "slug_taken" } } });
  const response = await ask("POST", "/tenants", { slug: "acme", name: "Acme" });
  assert.deepEqual(await problemOf(response), {
    status: 409,
    code: "conflict",
    pointers: ["/slug"],
  });
});

Deno.test("POST senders adds a number to the tenant", async () => {
  const { ask, calls } = setup();
  const response = await ask("POST", `${tenantPath}/senders`, sender);
  assert.equal(response.status, 201);
  assert.deepEqual(await response.json(), { id: createdId });
  assert.deepEqual(calls[0]?.args, { tenant_id: tenantId, sender, actor: secretActor });
});

for (
  const [outcome, status, code] of [
    ["tenant_not_found", 404, "not_found"],
    ["phone_number_id_taken", 409, "conflict"],
  ] as const
) {
  Deno.test(`POST senders answers ${outcome} with ${status}`, async () => {
    const { ask } = setup({ rpc: { add_sender: { outcome } } });
    const found = await problemOf(await ask("POST", `${tenantPath}/senders`, sender));
    assert.deepEqual([found.status, found.code], [status, code]);
  });
}

Deno.test("PUT credential rotates the token and answers its version", async () => {
  const { ask, calls } = setup();
  const path = `${tenantPath}/senders/100000000000001/credential`;
  const response = await ask("PUT", path, { access_token: "new" });
  assert.deepEqual(await response.json(), { credential_version: 2 });
  assert.deepEqual(calls[0]?.args, {
    tenant_id: tenantId,
    phone_number_id: "100000000000001",
    access_token: "new",
    actor: secretActor,
  });
});

Deno.test("PUT credential of no sender answers 404", async () => {
  const { ask, calls } = setup({ rpc: { rotate_credential: { outcome: "sender_not_found" } } });
  const put = (id: string) =>
    ask("PUT", `${tenantPath}/senders/${id}/credential`, { access_token: "new" });
  assert.equal((await problemOf(await put("5"))).code, "unknown_sender");
  assert.equal((await problemOf(await put("x"))).code, "unknown_sender");
  assert.equal(calls.length, 1);
});

Deno.test("POST api-keys shows the key once and stores only its hash", async () => {
  const { ask, calls } = setup();
  const response = await ask("POST", `${tenantPath}/api-keys`, { name: "crm", role: "operator" });
  assert.equal(response.status, 201);
  const { id, key } = await response.json();
  assert.equal(id, createdId);
  assert.match(key, /^swy_[A-Za-z0-9_-]{43}$/);
  assert.deepEqual(calls[0]?.args, {
    tenant_id: tenantId,
    name: "crm",
    role: "operator",
    key_hash: await sha256Hex(key),
    key_prefix: key.slice(0, 10),
    actor: secretActor,
  });
});

Deno.test("POST members gives a user a role", async () => {
  const { ask, calls } = setup({ caller: user("owner") });
  const response = await ask("POST", `${tenantPath}/members`, { user_id: userId, role: "admin" });
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { user_id: userId, role: "admin" });
  assert.deepEqual(calls[0]?.args.actor, { kind: "user", id: userId, request_id: "r" });
});

Deno.test("POST resume tells what the sender waited for, and 404 for who is no sender", async () => {
  const { ask, calls } = setup();
  const resumed = await ask("POST", `${tenantPath}/senders/5/resume`);
  assert.deepEqual(await resumed.json(), { causes: ["account_disabled"] });
  assert.equal(calls[0]!.args.phone_number_id, "5");
  const { ask: askOther } = setup({ rpc: { resume_sender: { outcome: "sender_not_found" } } });
  const refused = await askOther("POST", `${tenantPath}/senders/6/resume`);
  assert.equal((await problemOf(refused)).code, "unknown_sender");
});

Deno.test("POST members with nobody's id answers 422", async () => {
  const { ask } = setup({ rpc: { set_member: { outcome: "user_not_found" } } });
  const response = await ask("POST", `${tenantPath}/members`, { user_id: userId, role: "admin" });
  assert.deepEqual((await problemOf(response)).pointers, ["/user_id"]);
});

const aLimit = { messages: 80, window_seconds: 60 };
const members = { user_id: userId, role: "viewer" };
const key = { name: "crm", role: "viewer" };
const everybody: Role[] = ["owner", "admin", "operator", "viewer"];

const routes: [method: string, path: string, body: unknown, roles: Role[]][] = [
  ["GET", "/tenants", undefined, []],
  ["POST", "/tenants", { slug: "acme", name: "Acme" }, []],
  ["GET", tenantPath, undefined, everybody],
  ["PATCH", tenantPath, { status: "suspended" }, []],
  ["POST", `${tenantPath}/senders`, sender, ["owner", "admin"]],
  ["POST", `${tenantPath}/senders`, { ...sender, limit: aLimit }, []],
  ["POST", `${tenantPath}/senders`, { ...sender, throughput_per_second: 80 }, []],
  ["PATCH", `${tenantPath}/senders/5`, { display_phone_number: "+1 555" }, ["owner", "admin"]],
  ["PATCH", `${tenantPath}/senders/5`, { status: "paused" }, ["owner", "admin"]],
  ["PATCH", `${tenantPath}/senders/5`, { limit: null }, []],
  ["PATCH", `${tenantPath}/senders/5`, { throughput_per_second: 80 }, []],
  ["DELETE", `${tenantPath}/senders/5`, undefined, ["owner", "admin"]],
  ["PUT", `${tenantPath}/senders/5/credential`, { access_token: "t" }, ["owner", "admin"]],
  ["GET", `${tenantPath}/senders`, undefined, everybody],
  ["POST", `${tenantPath}/senders/5/resume`, undefined, ["owner", "admin"]],
  ["PUT", `${tenantPath}/realtime`, { enabled: true }, ["owner", "admin"]],
  ["GET", `${tenantPath}/templates`, undefined, everybody],
  ["GET", `${tenantPath}/api-keys`, undefined, everybody],
  ["POST", `${tenantPath}/api-keys`, key, ["owner", "admin"]],
  ["DELETE", `${tenantPath}/api-keys/${createdId}`, undefined, ["owner", "admin"]],
  ["GET", `${tenantPath}/members`, undefined, everybody],
  ["POST", `${tenantPath}/members`, members, ["owner"]],
  ["DELETE", `${tenantPath}/members/${userId}`, undefined, ["owner"]],
  ["GET", "/cache/stats", undefined, []],
  ["POST", "/cache/clear", undefined, []],
  ["POST", "/cache/invalidate", { phone_number_id: "5" }, []],
  ["GET", "/attention", undefined, everybody],
  ["GET", "/audit", undefined, everybody],
];

for (const [method, path, body, roles] of routes) {
  const what = `${method} ${path} ${JSON.stringify(body) ?? ""}`.trimEnd();
  Deno.test(`${what} is for ${roles.join(", ") || "secret callers alone"}`, async () => {
    const all: Role[] = ["owner", "admin", "finance", "operator", "viewer"];
    const admitted = [];
    for (const role of all) {
      const { ask, calls } = setup({ caller: user(role) });
      const { status } = await ask(method, path, body);
      assert.equal(status === 403, calls.length === 0);
      if (status !== 403) admitted.push(role);
    }
    assert.deepEqual(admitted, roles);
    assert.ok((await setup().ask(method, path, body)).status < 300);
  });
}

const ofTenant = routes.filter(([, path, , roles]) =>
  path.startsWith(tenantPath) && roles.includes("owner")
);

for (const [method, path, body] of ofTenant) {
  Deno.test(`${method} ${path} is refused for another tenant, and for no tenant`, async () => {
    const { ask, calls } = setup({ caller: user("owner") });
    const other = await ask(method, path.replace(tenantId, otherTenantId), body);
    assert.equal((await problemOf(other)).code, "forbidden");
    const nobody = await ask(method, path.replace(tenantId, "demo"), body);
    assert.equal((await problemOf(nobody)).code, "not_found");
    assert.deepEqual(calls, []);
  });
}

Deno.test("an admin gives no role above their own", async () => {
  const { ask, calls } = setup({ caller: user("admin") });
  const response = await ask("POST", `${tenantPath}/api-keys`, { name: "crm", role: "owner" });
  assert.equal((await problemOf(response)).code, "forbidden");
  assert.deepEqual(calls, []);
});

const wrong: [path: string, body: unknown, pointer: string][] = [
  ["/tenants", { slug: "Acme", name: "Acme" }, "/slug"],
  ["/tenants", { slug: "-acme", name: "Acme" }, "/slug"],
  ["/tenants", { slug: "acme", name: "" }, "/name"],
  ["/tenants", { slug: "acme", name: "A", plan: "x" }, "/plan"],
  ["/tenants", [], ""],
  [`${tenantPath}/senders`, { ...sender, phone_number_id: "+1555" }, "/phone_number_id"],
  [`${tenantPath}/senders`, { ...sender, business_account_id: 5 }, "/business_account_id"],
  [`${tenantPath}/senders`, { ...sender, display_phone_number: "" }, "/display_phone_number"],
  [`${tenantPath}/senders`, { ...sender, access_token: "a\nb" }, "/access_token"],
  [
    `${tenantPath}/senders`,
    { ...sender, limit: { messages: 0, window_seconds: 60 } },
    "/limit/messages",
  ],
  [`${tenantPath}/senders`, { ...sender, limit: { messages: 80 } }, "/limit/window_seconds"],
  [`${tenantPath}/senders`, { ...sender, throughput_per_second: 1_001 }, "/throughput_per_second"],
  [`${tenantPath}/api-keys`, { name: "crm", role: "root" }, "/role"],
  [`${tenantPath}/members`, { user_id: "ann", role: "viewer" }, "/user_id"],
  ["/cache/invalidate", {}, "/phone_number_id"],
];

for (const [path, body, pointer] of wrong) {
  Deno.test(`POST ${path} with a wrong ${pointer || "body"} changes nothing and answers 422`, async () => {
    const { ask, calls } = setup();
    const { status, pointers } = await problemOf(await ask("POST", path, body));
    assert.deepEqual([status, pointers], [422, [pointer]]);
    assert.deepEqual(calls, []);
  });
}

const counters = {
  total_requests: 1_500,
  cache_hits: 1_420,
  l1_hits: 1_400,
  l2_hits: 19,
  stale_hits: 1,
  db_hits: 75,
  fallback_hits: 5,
  failures: 0,
};

function statisticsStore(overrides: Partial<StatisticsStore> = {}): StatisticsStore {
  return {
    add: () => Promise.resolve(),
    read: () => Promise.resolve(counters),
    clear: () => Promise.resolve(),
    ping: () => Promise.resolve(),
    ...overrides,
  };
}

Deno.test("cache stats tell the rate, hits, misses and errors of all isolates", async () => {
  const { ask } = setup({ statistics: statisticsStore() });
  assert.deepEqual(await (await ask("GET", "/cache/stats")).json(), {
    source: "redis",
    credential_cache: {
      size: null,
      max_size: 1_000,
      ttl: 900,
      hit_rate: "94.7%",
      hits: 1_420,
      misses: 80,
      errors: 0,
      total_requests: 1_500,
      l1_hits: 1_400,
      l2_hits: 19,
      stale_hits: 1,
      db_hits: 75,
      fallback_hits: 5,
    },
  });
});

Deno.test("cache stats without Redis say so and count nothing", async () => {
  const { source, credential_cache } = await (await setup().ask("GET", "/cache/stats")).json();
  assert.equal(source, "none");
  assert.deepEqual([credential_cache.hit_rate, credential_cache.hits], ["0.0%", 0]);
});

Deno.test("cache stats answer while Redis does not", async () => {
  const statistics = statisticsStore({ read: () => Promise.reject(new Error("gone")) });
  const response = await setup({ statistics }).ask("GET", "/cache/stats");
  assert.equal(response.status, 200);
  assert.equal((await response.json()).source, "unavailable");
});

Deno.test("cache clear moves the generation and the counters", async () => {
  let cleared = 0;
  const statistics = statisticsStore({ clear: () => Promise.resolve(void (cleared += 1)) });
  const response = await setup({ statistics }).ask("POST", "/cache/clear");
  assert.deepEqual(await response.json(), { status: "cache cleared", generation: 7 });
  assert.equal(cleared, 1);
});

Deno.test("cache clear succeeds while Redis does not answer", async () => {
  const statistics = statisticsStore({ clear: () => Promise.reject(new Error("gone")) });
  const { ask, lines } = setup({ statistics });
  assert.equal((await ask("POST", "/cache/clear")).status, 200);
  assert.match(lines.join(), /cache\.statistics_kept/);
});

Deno.test("cache invalidate of no sender answers 404", async () => {
  const { ask } = setup({ rpc: { invalidate_credential: { outcome: "sender_not_found" } } });
  const response = await ask("POST", "/cache/invalidate", { phone_number_id: "5" });
  assert.equal((await problemOf(response)).code, "unknown_sender");
});

Deno.test("audit pages back from the newest entry, of the caller's tenant alone", async () => {
  const entries = [{ id: 9 }, { id: 8 }];
  const { ask, calls } = setup({ caller: user("viewer"), rpc: { list_audit: entries } });
  const response = await ask("GET", "/audit?cursor=10&limit=2");
  assert.deepEqual(await response.json(), { entries, next_cursor: "8" });
  assert.deepEqual(calls[0]?.args, {
    wanted_tenant_id: tenantId,
    before_id: 10,
    page_limit: 2,
  });
});

for (const [caller, whose] of [[user("viewer"), tenantId], [secret, null]] as const) {
  Deno.test(`attention of a ${caller.kind} caller is that of ${whose ?? "all tenants"}`, async () => {
    const list_attention = [{ phone_number_id: "5", cause: "token_expired" }];
    const { ask, calls } = setup({ caller, rpc: { list_attention } });
    assert.deepEqual(await (await ask("GET", "/attention")).json(), { attention: list_attention });
    assert.deepEqual(calls[0]?.args, { wanted_tenant_id: whose });
  });
}

Deno.test("audit of a secret caller is that of all tenants and ends with a short page", async () => {
  const { ask, calls } = setup({ rpc: { list_audit: [{ id: 1 }] } });
  assert.equal((await (await ask("GET", "/audit")).json()).next_cursor, null);
  assert.equal(calls[0]?.args.wanted_tenant_id, null);
});

for (const query of ["cursor=x", "limit=0", "limit=500"]) {
  Deno.test(`audit with ${query} answers 400`, async () => {
    assert.equal((await problemOf(await setup().ask("GET", `/audit?${query}`))).status, 400);
  });
}

Deno.test("the log holds neither the token nor the key", async () => {
  const { ask, lines } = setup();
  await ask("POST", `${tenantPath}/senders`, sender);
  const { key } = await (await ask("POST", `${tenantPath}/api-keys`, { name: "n", role: "admin" }))
    .json();
  assert.equal(lines.length, 2);
  assert.ok(!lines.join().includes(sender.access_token) && !lines.join().includes(key));
});
