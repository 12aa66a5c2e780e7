import { strict as assert } from "node:assert";
import { connectDatabase, DatabaseError } from "./database.ts";

type Answer = () => Response | Promise<Response>;

function setup(answer: Answer) {
  const requests: Request[] = [];
  const call = connectDatabase({
    url: "http://localhost:1",
    secretKey: "sb_secret_test",
    fetch: (input, init) => {
      requests.push(new Request(input as string, init));
      return Promise.resolve(answer());
    },
  });
  return { call, requests };
}

async function refusal(answer: Answer): Promise<DatabaseError> {
  try {
    await setup(answer).call("resolve_tenant", { wanted_tenant_id: "t" });
  } catch (error) {
    assert.ok(error instanceof DatabaseError);
    return error;
  }
  throw new Error("expected a DatabaseError");
}

Deno.test("connectDatabase calls a function of switchyard_api as service_role", async () => {
  const rows = [{ tenant_id: "t", tenant_status: "active" }];
  const { call, requests } = setup(() => Response.json(rows));
  assert.deepEqual(await call("resolve_tenant", { wanted_tenant_id: "t" }), rows);
  const [request] = requests;
  assert.ok(request);
  assert.equal(request.url, "http://localhost:1/rest/v1/rpc/resolve_tenant");
  assert.equal(request.headers.get("content-profile"), "switchyard_api");
  assert.equal(request.headers.get("apikey"), "sb_secret_test");
  assert.deepEqual(await request.json(), { wanted_tenant_id: "t" });
});

const failures: [label: string, status: number, code: string, unavailable: boolean][] = [
  ["a missing function", 404, "PGRST202", false],
  ["a missing grant", 403, "42501", false],
  ["PostgREST without a database", 503, "PGRST002", true],
  ["a database that shuts down", 500, "57P01", true],
  ["a statement timeout", 500, "57014", true],
  ["too many connections", 500, "53300", true],
  ["a deadlock", 409, "40P01", true],
  ["a gateway's bad answer", 502, "", true],
];

for (const [label, status, code, unavailable] of failures) {
  Deno.test(`connectDatabase throws a DatabaseError for ${label}`, async () => {
    const error = await refusal(() => Response.json({ message: "why", code }, { status }));
    assert.equal(error.message, "Cannot resolve_tenant: why");
    assert.equal(error.code, code);
    assert.equal(error.unavailable, unavailable);
  });
}

Deno.test("connectDatabase keeps the row that broke a rule out of its error", async () => {
  const details = "Failing row contains (1, hello)";
  const error = await refusal(() =>
    Response.json({ message: "violates", code: "23514", details, hint: null }, { status: 400 })
  );
  assert.deepEqual(error.cause, { message: "violates", code: "23514", hint: null });
});

Deno.test("connectDatabase throws an unavailable DatabaseError when nothing answers", async () => {
  const error = await refusal(() => {
    throw new TypeError("connection refused");
  });
  assert.match(error.message, /^Cannot resolve_tenant: .*connection refused/);
  assert.equal(error.unavailable, true);
});

Deno.test("connectDatabase stops when its signal is aborted", async () => {
  const { call, requests } = setup(() => Response.json([]));
  const stopped = AbortSignal.abort(new Error("stopped"));
  await call("resolve_tenant", { wanted_tenant_id: "t" }, { signal: stopped }).catch(() => {});
  assert.equal(requests[0]?.signal.aborted, true);
});
