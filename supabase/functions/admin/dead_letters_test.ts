import { strict as assert } from "node:assert";
import { ROLES } from "../_shared/http/caller.ts";
import { problemOf } from "../_shared/test_problem.ts";
import { createTestAdmin, secret, tenantId, user, userId } from "./test_admin.ts";

const letterId = "22222222-2222-4222-8222-222222222222";

const letter = { id: letterId, cause: "template_paused", to: "+15550200001", held_back: null };
const answers: Record<string, unknown> = {
  list_dead_letters: { causes: [], dead_letters: [letter], next_cursor: null },
  preview_redrive: { messages: 2, events: 0, held_back: { expired: 1 } },
  redrive_dead_letters: { redrive_id: letterId, messages: 2, events: 0, left: 7 },
};

function setup({ caller = secret } = {}) {
  const { ask, calls, lines } = createTestAdmin({ caller, rpc: answers });
  const get = (query = "") => ask("GET", `/dead-letters${query}`);
  const post = (body: unknown) => ask("POST", "/dead-letters/redrive", body);
  return { get, post, calls, lines };
}

Deno.test("GET dead-letters asks for the caller's tenant and passes the filter on", async () => {
  const { get, calls } = setup({ caller: user("operator") });
  const query = "?cause=template_paused&from=100000000000001&to=%2B15550200001" +
    "&since=2026-11-22T09:30:00%2B01:00&until=2026-11-22T12:00:00Z&source=message" +
    `&cursor=${letterId}&limit=10`;
  const response = await get(query);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), answers.list_dead_letters);
  assert.deepEqual(calls, [{
    name: "list_dead_letters",
    args: {
      wanted_tenant_id: tenantId,
      filter: {
        cause: "template_paused",
        from: "100000000000001",
        to: "+15550200001",
        since: "2026-11-22T09:30:00+01:00",
        until: "2026-11-22T12:00:00Z",
        source: "message",
      },
      cursor: letterId,
      page_limit: 10,
    },
  }]);
});

Deno.test("GET dead-letters by a secret caller reads all tenants, or the one it names", async () => {
  const all = setup();
  await all.get();
  assert.deepEqual(all.calls[0]?.args, {
    wanted_tenant_id: null,
    filter: {},
    cursor: null,
    page_limit: 50,
  });
  const one = setup({ caller: { kind: "secret", tenantId } });
  await one.get();
  assert.equal(one.calls[0]?.args.wanted_tenant_id, tenantId);
});

Deno.test("GET dead-letters reads a plus sign that was not escaped", async () => {
  const { get, calls } = setup();
  await get("?to=+15550200001&since=2026-11-22T09:30:00+01:00");
  assert.deepEqual(calls[0]?.args.filter, {
    to: "+15550200001",
    since: "2026-11-22T09:30:00+01:00",
  });
});

Deno.test("GET dead-letters keeps recipients from a viewer, who may not read messages", async () => {
  const response = await setup({ caller: user("viewer") }).get();
  const { dead_letters } = await response.json();
  assert.deepEqual(dead_letters, [{ id: letterId, cause: "template_paused", held_back: null }]);
});

for (
  const [query, pointer] of [
    ["?from=+1555", "/from"],
    ["?to=nobody", "/to"],
    ["?since=yesterday", "/since"],
    ["?until=2026-11-22T12:00:00", "/until"],
    ["?source=webhook", "/source"],
    ["?cause=", "/cause"],
    ["?cursor=5", "/cursor"],
    ["?limit=0", "/limit"],
    ["?limit=201", "/limit"],
  ] as const
) {
  Deno.test(`GET dead-letters${query} answers 400 and asks nothing`, async () => {
    const { get, calls } = setup();
    const found = await problemOf(await get(query));
    assert.deepEqual(found, { status: 400, code: "malformed_request", pointers: [pointer] });
    assert.deepEqual(calls, []);
  });
}

Deno.test("POST redrive takes dead letters up at the rate and says what is left", async () => {
  const { post, calls, lines } = setup({ caller: user("admin") });
  const filter = { cause: "template_paused", expired: true };
  const response = await post({ filter, dry_run: false, rate: 2.5 });
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), {
    dry_run: false,
    ...answers.redrive_dead_letters as object,
  });
  assert.deepEqual(calls, [{
    name: "redrive_dead_letters",
    args: {
      wanted_tenant_id: tenantId,
      filter,
      rate_per_second: 2.5,
      actor: { kind: "user", id: userId, request_id: "r" },
    },
  }]);
  assert.match(lines.join("\n"), /dead_letters\.redriven/);
});

Deno.test("POST redrive with dry_run previews and changes nothing", async () => {
  const { post, calls } = setup();
  const response = await post({ filter: { to: "15550200001" }, dry_run: true });
  assert.deepEqual(await response.json(), { dry_run: true, ...answers.preview_redrive as object });
  assert.deepEqual(calls, [{
    name: "preview_redrive",
    args: { wanted_tenant_id: null, filter: { to: "+15550200001" }, rate_per_second: 10 },
  }]);
});

for (
  const [body, pointer] of [
    [{}, "/filter"],
    [[], ""],
    [{ filter: {}, rate: 0 }, "/rate"],
    [{ filter: {}, rate: 1_001 }, "/rate"],
    [{ filter: {}, rate: "fast" }, "/rate"],
    [{ filter: {}, dry_run: "yes" }, "/dry_run"],
    [{ filter: {}, tenant: tenantId }, "/tenant"],
    [{ filter: { causes: ["a"] } }, "/filter/causes"],
    [{ filter: { cause: 5 } }, "/filter/cause"],
    [{ filter: { cause: "" } }, "/filter/cause"],
    [{ filter: { cause: "a\0b" } }, "/filter/cause"],
    [{ filter: { from: "+1555" } }, "/filter/from"],
    [{ filter: { to: "nobody" } }, "/filter/to"],
    [{ filter: { since: "2026-11-22" } }, "/filter/since"],
    [{ filter: { expired: "true" } }, "/filter/expired"],
    [{ filter: { before_id: letterId } }, "/filter/before_id"],
  ] as const
) {
  const title = `POST redrive of ${JSON.stringify(body)} answers 422 and moves nothing`;
  Deno.test(title, async () => {
    const { post, calls } = setup();
    const { status, pointers } = await problemOf(await post(body));
    assert.deepEqual([status, [...new Set(pointers)]], [422, [pointer]]);
    assert.deepEqual(calls, []);
  });
}

Deno.test("dead letters are read by all but finance, and redriven by owners and admins", async () => {
  const may = async (ask: (world: ReturnType<typeof setup>) => Promise<Response>) => {
    const admitted = [];
    for (const role of ROLES) {
      const world = setup({ caller: user(role) });
      const { status } = await ask(world);
      assert.equal(status === 403, world.calls.length === 0);
      if (status !== 403) admitted.push(role);
    }
    return admitted.sort();
  };
  assert.deepEqual(await may(({ get }) => get()), ["admin", "operator", "owner", "viewer"]);
  for (const dry_run of [true, false]) {
    assert.deepEqual(await may(({ post }) => post({ filter: {}, dry_run })), ["admin", "owner"]);
  }
});
