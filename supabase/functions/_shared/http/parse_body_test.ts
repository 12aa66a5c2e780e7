import { strict as assert } from "node:assert";
import * as z from "zod";
import { parseBody, parseQuery } from "./parse_body.ts";

const schema = z.strictObject({ name: z.string() });

function post(body: string): Request {
  return new Request("http://localhost/x", { method: "POST", body });
}

async function refusal(parsed: Awaited<ReturnType<typeof parseBody>>) {
  assert.ok(!parsed.ok);
  const { status, code, errors } = await parsed.response.json();
  return { status, code, errors };
}

Deno.test("parseBody gives the body as the schema has it", async () => {
  assert.deepEqual(await parseBody(schema, post(`{"name":"a"}`), 100), {
    ok: true,
    value: { name: "a" },
  });
});

Deno.test("parseBody answers a wrong field with 422 and its pointer", async () => {
  assert.deepEqual(await refusal(await parseBody(schema, post(`{"name":1}`), 100)), {
    status: 422,
    code: "invalid_request",
    errors: [{ pointer: "/name", detail: "must be a string" }],
  });
});

Deno.test("parseBody answers what is no JSON with 400 and what is too large with 413", async () => {
  assert.equal((await refusal(await parseBody(schema, post("{"), 100))).status, 400);
  assert.equal((await refusal(await parseBody(schema, post(`{"name":"abc"}`), 5))).status, 413);
});

Deno.test("parseQuery answers a wrong parameter with 400 and its pointer", async () => {
  const query = z.object({ limit: z.string().regex(/^\d+$/, "must be a number") });
  const ask = (search: string) => parseQuery(query, new Request(`http://localhost/x?${search}`));
  assert.deepEqual(ask("limit=5&other=1"), { ok: true, value: { limit: "5" } });
  assert.deepEqual(await refusal(ask("limit=five")), {
    status: 400,
    code: "malformed_request",
    errors: [{ pointer: "/limit", detail: "must be a number" }],
  });
});
