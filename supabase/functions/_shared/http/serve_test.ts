import { strict as assert } from "node:assert";
import { DatabaseError } from "../database.ts";
import { createLog } from "../telemetry/log.ts";
import { serve } from "./serve.ts";
import type { Handler, ServeDeps } from "./serve.ts";

function setup(handler: Handler, quiet: Pick<ServeDeps, "isQuiet"> = {}) {
  const lines: string[] = [];
  let clock = 1_000;
  const now = () => clock += 5;
  const log = createLog({ write: (line) => lines.push(line), now, fields: {} });
  const answer = serve("example", handler, { log, now, newRequestId: () => "new", ...quiet });
  const ask = (headers: HeadersInit = {}) =>
    answer(new Request("http://localhost/example/a?to=%2B491511234567", { headers }));
  return { ask, logged: () => lines.map((line) => JSON.parse(line)) };
}

Deno.test("serve gives every answer a request id and one log line without the query", async () => {
  const { ask, logged } = setup(() => new Response("ok"));
  const response = await ask();
  assert.equal(response.headers.get("x-request-id"), "new");
  assert.equal(await response.text(), "ok");
  const [line, ...rest] = logged();
  assert.deepEqual(rest, []);
  assert.equal(line.event, "request.answered");
  assert.equal(line.function, "example");
  assert.equal(line.request_id, "new");
  assert.equal(line.path, "/example/a");
  assert.equal(line.status, 200);
  assert.equal(typeof line.duration_ms, "number");
});

Deno.test("serve logs no line for an answer that is quiet, but what was logged meanwhile", async () => {
  const handler: Handler = (_, { log }) => {
    log.warn("example.noticed");
    return new Response("ok");
  };
  const isQuiet: ServeDeps["isQuiet"] = ({ method }, { status }) =>
    method === "GET" && status === 200;
  const { ask, logged } = setup(handler, { isQuiet });
  assert.equal((await ask()).headers.get("x-request-id"), "new");
  assert.deepEqual(logged().map(({ event }) => event), ["example.noticed"]);
});

Deno.test("serve echoes a sane incoming request id", async () => {
  const { ask } = setup((_, { requestId }) => new Response(requestId));
  const response = await ask({ "x-request-id": "abc-1.2_3" });
  assert.equal(response.headers.get("x-request-id"), "abc-1.2_3");
  assert.equal(await response.text(), "abc-1.2_3");
});

Deno.test("serve gives no two requests one id", async () => {
  const log = createLog({ write: () => {}, now: () => 0, fields: {} });
  const serves = [0, 1].map(() => serve("example", () => new Response(), { log, now: () => 0 }));
  const answers = serves.flatMap((answer) => [0, 1].map(() => answer(new Request("http://a/b"))));
  const ids = (await Promise.all(answers)).map(({ headers }) => headers.get("x-request-id"));
  assert.equal(new Set(ids).size, 4);
  for (const id of ids) assert.match(id ?? "", /^[0-9a-f]{16}-\d+$/);
});

for (const [label, id] of [["too long", "a".repeat(129)], ["with spaces", "a b"]] as const) {
  Deno.test(`serve does not echo a request id ${label}`, async () => {
    const response = await setup(() => new Response()).ask({ "x-request-id": id });
    assert.equal(response.headers.get("x-request-id"), "new");
  });
}

Deno.test("serve answers a throw with 500 and says nothing of it, but logs it", async () => {
  const { ask, logged } = setup(() => {
    throw new Error("at /secret/path.ts");
  });
  const response = await ask();
  assert.equal(response.status, 500);
  assert.equal(response.headers.get("x-request-id"), "new");
  const body = await response.text();
  assert.equal(JSON.parse(body).code, "internal_error");
  assert.doesNotMatch(body, /path\.ts/);
  assert.deepEqual(logged().map(({ event }) => event), ["request.failed", "request.answered"]);
});

Deno.test("serve answers an unreachable database with 503 and Retry-After", async () => {
  const response = await setup(() => {
    throw new DatabaseError("Cannot x: no route", { code: "", unavailable: true });
  }).ask();
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("retry-after"), "5");
  assert.equal((await response.json()).code, "database_unavailable");
});

Deno.test("serve answers a database that refuses the call with 500", async () => {
  const response = await setup(() => {
    throw new DatabaseError("Cannot x: no such function", { code: "42883", unavailable: false });
  }).ask();
  assert.equal(response.status, 500);
});

Deno.test("serve passes on an answer whose headers cannot be changed", async () => {
  const response = await setup(() => Response.redirect("http://localhost/b", 302)).ask();
  assert.equal(response.status, 302);
  assert.equal(response.headers.get("location"), "http://localhost/b");
  assert.equal(response.headers.get("x-request-id"), "new");
});
