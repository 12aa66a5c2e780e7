import { strict as assert } from "node:assert";
import type { Role } from "../_shared/http/caller.ts";
import type { BreakerConsole } from "./command.ts";
import { createTestAdmin, tenantId, user } from "./test_admin.ts";

const callbackId = "66666666-6666-4666-8666-666666666666";
const PATH = `/tenants/${tenantId}/callbacks`;
const ONE = `${PATH}/${callbackId}`;
const CALLBACK = { url: "https://example.com/hook", events: ["message.status"] };
const SECRET = `whsec_${"/".repeat(42)}8=`;

const answers: Record<string, unknown> = {
  create_callback: { outcome: "created", id: callbackId },
  list_callbacks: [{ id: callbackId, status: "paused" }],
  update_callback: { outcome: "updated", starts_anew: true },
  delete_callback: { outcome: "deleted" },
  rotate_callback_secret: { outcome: "rotated", previous_secret_until: "2026-11-23T12:00:00Z" },
  replay_callbacks: { outcome: "replayed", events: 3, next_since: null },
};

function setup({ rpc = {}, ...world }: Parameters<typeof createTestAdmin>[0] = {}) {
  const resets: string[] = [];
  const breakers = {
    reset: (scope: string) => (resets.push(scope), Promise.resolve(null)),
  } as unknown as BreakerConsole;
  return { resets, ...createTestAdmin({ rpc: { ...answers, ...rpc }, breakers, ...world }) };
}

async function detailsOf(response: Response): Promise<string[]> {
  const { errors } = await response.json();
  return errors.map(({ pointer, detail }: Record<string, string>) => `${pointer} ${detail}`);
}

Deno.test("POST callbacks makes an endpoint and shows its secret once", async () => {
  const { ask, calls } = setup();
  const response = await ask("POST", PATH, CALLBACK);
  assert.equal(response.status, 201);
  assert.deepEqual(await response.json(), { id: callbackId, secret: SECRET, ...CALLBACK });
  assert.deepEqual(calls, [{
    name: "create_callback",
    args: {
      tenant_id: tenantId,
      callback: CALLBACK,
      secret: SECRET,
      actor: { kind: "secret", request_id: "r" },
    },
  }]);
});

for (
  const [what, body, expected] of [
    ["http", { ...CALLBACK, url: "http://example.com/" }, "/url must begin with https://"],
    [
      "a loopback",
      { ...CALLBACK, url: "https://127.0.0.1/" },
      "/url must lead to a public address",
    ],
    ["an unknown event", { ...CALLBACK, events: ["message.sent"] }, "/events/0 must be"],
    ["no event", { ...CALLBACK, events: [] }, "/events must have at least 1 item"],
    ["no address", { events: ["wallet.low"] }, "/url is required"],
    ["another field", { ...CALLBACK, secret: "mine" }, "/secret is not a known field"],
  ] as [string, unknown, string][]
) {
  Deno.test(`POST callbacks refuses ${what}`, async () => {
    const { ask, calls } = setup();
    const response = await ask("POST", PATH, body);
    assert.equal(response.status, 422);
    const [detail] = await detailsOf(response);
    assert.ok(detail!.startsWith(expected), detail);
    assert.deepEqual(calls, []);
  });
}

Deno.test("POST callbacks refuses a host that leads to a private address, or nowhere", async () => {
  const inside = setup({ resolve: () => Promise.resolve(["8.8.8.8", "10.0.0.1"]) });
  const refused = await inside.ask("POST", PATH, CALLBACK);
  assert.deepEqual(await detailsOf(refused), ["/url must lead to a public address"]);
  const nowhere = setup({ resolve: () => Promise.reject(new Error("ENOTFOUND")) });
  const unknown = await nowhere.ask("POST", PATH, CALLBACK);
  assert.deepEqual(await detailsOf(unknown), ["/url must have a host that can be found"]);
});

Deno.test("POST callbacks lets a platform of one's own be called on itself", async () => {
  const { ask } = setup({ reach: "any", resolve: () => Promise.reject(new Error("unused")) });
  const response = await ask("POST", PATH, { ...CALLBACK, url: "http://127.0.0.1:9/" });
  assert.equal(response.status, 201);
});

Deno.test("POST callbacks answers 404 for an unknown tenant and 409 for one endpoint too many", async () => {
  for (const [outcome, status] of [["tenant_not_found", 404], ["too_many", 409]] as const) {
    const { ask } = setup({ rpc: { create_callback: { outcome } } });
    assert.equal((await ask("POST", PATH, CALLBACK)).status, status);
  }
});

Deno.test("GET callbacks lists the endpoints of the tenant", async () => {
  const response = await setup().ask("GET", PATH);
  assert.deepEqual(await response.json(), { callbacks: [{ id: callbackId, status: "paused" }] });
});

Deno.test("PATCH makes an endpoint active again and closes its breaker", async () => {
  const { ask, calls, resets } = setup();
  const response = await ask("PATCH", ONE, { status: "active" });
  assert.deepEqual(await response.json(), { id: callbackId, status: "active" });
  assert.deepEqual(calls[0]!.args.changes, { status: "active" });
  assert.deepEqual(resets, [`callback:${callbackId}`]);
});

Deno.test("PATCH that changes nothing of the way leaves the breaker alone", async () => {
  const { ask, resets } = setup({
    rpc: { update_callback: { outcome: "updated", starts_anew: false } },
  });
  assert.equal((await ask("PATCH", ONE, { events: ["wallet.low"] })).status, 200);
  assert.deepEqual(resets, []);
});

Deno.test("PATCH refuses an address as POST does, an empty change and a status of ours", async () => {
  const { ask, calls } = setup();
  for (const body of [{ url: "https://10.0.0.1/" }, {}, { status: "paused" }]) {
    assert.equal((await ask("PATCH", ONE, body)).status, 422);
  }
  assert.deepEqual(calls, []);
});

Deno.test("POST secret shows the new secret and until when the old one signs", async () => {
  const response = await setup().ask("POST", `${ONE}/secret`);
  assert.deepEqual(await response.json(), {
    secret: SECRET,
    previous_secret_until: "2026-11-23T12:00:00Z",
  });
});

Deno.test("POST replay hands the filter on, and says what it did", async () => {
  const { ask, calls } = setup();
  const filter = { since: "2026-11-22T00:00:00Z", types: ["message.received"] };
  const response = await ask("POST", `${ONE}/replay`, { ...filter, dry_run: true });
  assert.deepEqual(await response.json(), { dry_run: true, events: 3, next_since: null });
  const { dry_run, filter: handed } = calls[0]!.args;
  assert.deepEqual({ dry_run, handed }, { dry_run: true, handed: filter });
});

Deno.test("POST replay refuses a time without an offset and an unknown type", async () => {
  const { ask, calls } = setup();
  for (
    const body of [{}, { since: "2026-11-22" }, { since: "2026-11-22T00:00:00Z", types: ["x"] }]
  ) {
    assert.equal((await ask("POST", `${ONE}/replay`, body)).status, 422);
  }
  assert.deepEqual(calls, []);
});

Deno.test("an endpoint that is not the tenant's is not there", async () => {
  const gone = { outcome: "not_found" };
  const { ask } = setup({
    rpc: {
      update_callback: gone,
      delete_callback: gone,
      rotate_callback_secret: gone,
      replay_callbacks: gone,
    },
  });
  const since = { since: "2026-11-22T00:00:00Z" };
  for (const path of [ONE, `${PATH}/not-an-id`]) {
    assert.equal((await ask("PATCH", path, { status: "active" })).status, 404);
    assert.equal((await ask("DELETE", path)).status, 404);
    assert.equal((await ask("POST", `${path}/secret`)).status, 404);
    assert.equal((await ask("POST", `${path}/replay`, since)).status, 404);
  }
});

Deno.test("owners and admins change callbacks, operators and viewers see them, others do not", async () => {
  const allowed: [Role, number, number][] = [
    ["owner", 201, 200],
    ["admin", 201, 200],
    ["operator", 403, 200],
    ["viewer", 403, 200],
    ["finance", 403, 403],
  ];
  for (const [role, post, get] of allowed) {
    const { ask } = setup({ caller: user(role) });
    assert.equal((await ask("POST", PATH, CALLBACK)).status, post, role);
    assert.equal((await ask("GET", PATH)).status, get, role);
  }
});

Deno.test("nobody reaches another tenant's callbacks", async () => {
  const other = "22222222-2222-4222-8222-222222222222";
  const { ask, calls } = setup({
    caller: { kind: "tenant", tenantId: other, role: "owner", keyId: callbackId },
  });
  assert.equal((await ask("GET", PATH)).status, 403);
  assert.equal((await ask("DELETE", ONE)).status, 403);
  assert.deepEqual(calls, []);
});
