import { strict as assert } from "node:assert";
import { NEW_BREAKER } from "../_shared/resilience/breaker.ts";
import { statisticsOf } from "../_shared/resilience/breaker_statistics.ts";
import type { BreakerConsole } from "./command.ts";
import { createTestAdmin, secret, secretActor, user } from "./test_admin.ts";

const scope = "template:200000000000001:order_shipped:pt_BR";

function breakerConsole(overrides: Partial<BreakerConsole> = {}): BreakerConsole {
  return {
    list: () => Promise.resolve([statisticsOf(scope, NEW_BREAKER, 0)]),
    reset: (it) => Promise.resolve(statisticsOf(it, { ...NEW_BREAKER, generation: 2 }, 0)),
    isolate: (it) => Promise.resolve(statisticsOf(it, { ...NEW_BREAKER, state: "isolated" }, 0)),
    ...overrides,
  };
}

function setup(
  breakers: BreakerConsole | null = breakerConsole(),
  caller = secret,
  released: number[] = [],
) {
  const rpc = { release_held_messages: () => released.shift() ?? 0 };
  return createTestAdmin({ caller, rpc, breakers });
}

const pathOf = (name: string, action: string) => `/breakers/${encodeURIComponent(name)}/${action}`;

Deno.test("GET breakers lists them with their statistics", async () => {
  const response = await setup().ask("GET", "/breakers");
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { breakers: [statisticsOf(scope, NEW_BREAKER, 0)] });
});

Deno.test("POST isolate changes the breaker, tells its state and writes the audit log", async () => {
  const { ask, calls } = setup();
  const response = await ask("POST", pathOf(scope, "isolate"));
  assert.equal(response.status, 200);
  const told = await response.json();
  assert.deepEqual([told.scope, told.state], [scope, "isolated"]);
  const args = { scope, action: "isolated", actor: secretActor };
  assert.deepEqual(calls, [{ name: "note_breaker_change", args }]);
});

Deno.test("POST reset closes the breaker, writes the audit log and lets go of all that it held back", async () => {
  const { ask, calls } = setup(breakerConsole(), secret, [5_000, 5_000, 17, 0]);
  const response = await ask("POST", pathOf(scope, "reset"));
  assert.equal(response.status, 200);
  const told = await response.json();
  assert.deepEqual([told.scope, told.state], [scope, "closed"]);
  const release = { name: "release_held_messages", args: { scope } };
  assert.deepEqual(calls, [
    { name: "note_breaker_change", args: { scope, action: "reset", actor: secretActor } },
    ...[release, release, release, release],
  ]);
});

Deno.test("POST reset ends though messages are held back as fast as they are let go", async () => {
  const { ask, calls } = setup(breakerConsole(), secret, Array(1_000).fill(5_000));
  assert.equal((await ask("POST", pathOf(scope, "reset"))).status, 200);
  assert.ok(calls.length < 50);
});

Deno.test("POST reset of a breaker nothing was heard of answers 404", async () => {
  const { ask, calls } = setup(breakerConsole({ reset: () => Promise.resolve(null) }));
  const response = await ask("POST", pathOf("app", "reset"));
  assert.equal((await response.json()).code, "not_found");
  assert.deepEqual([response.status, calls], [404, []]);
});

for (const name of ["tenant", "recipient:5", "tenant:a b", "sender:"]) {
  Deno.test(`POST isolate of "${name}" changes nothing and answers 404`, async () => {
    const { ask, calls } = setup();
    assert.equal((await ask("POST", pathOf(name, "isolate"))).status, 404);
    assert.deepEqual(calls, []);
  });
}

const routes = [
  ["GET", "/breakers"],
  ["POST", pathOf("app", "reset")],
  ["POST", pathOf("app", "isolate")],
] as const;

for (const [method, path] of routes) {
  Deno.test(`${method} ${path} without Redis answers 503 and says so`, async () => {
    const { ask, calls } = setup(null);
    const response = await ask(method, path);
    const { code, detail } = await response.json();
    assert.deepEqual([response.status, code, calls], [503, "redis_not_configured", []]);
    assert.match(detail, /Redis/);
  });

  Deno.test(`${method} ${path} while Redis does not answer is 503, to be repeated`, async () => {
    const gone = () => Promise.reject(new Error("connection refused"));
    const { ask, calls } = setup({ list: gone, reset: gone, isolate: gone });
    const response = await ask(method, path);
    assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "5"]);
    assert.equal((await response.json()).code, "redis_unavailable");
    assert.deepEqual(calls, []);
  });

  Deno.test(`${method} ${path} is for secret callers alone`, async () => {
    assert.equal((await setup(breakerConsole(), user("owner")).ask(method, path)).status, 403);
  });
}
