import { strict as assert } from "node:assert";
import { problem } from "./problem.ts";
import { PROBLEMS } from "./problem_codes.ts";

Deno.test("a problem has the members of RFC 9457, its code and its media type", async () => {
  const response = problem(422, "invalid_message", "See errors.", {
    errors: [{ pointer: "/text/body", detail: "is too long" }],
    max_bytes: 5,
  });
  assert.equal(response.status, 422);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  assert.deepEqual(await response.json(), {
    type: "urn:problem-type:switchyard:invalid_message",
    title: "The message is not valid",
    status: 422,
    detail: "See errors.",
    code: "invalid_message",
    errors: [{ pointer: "/text/body", detail: "is too long" }],
    max_bytes: 5,
  });
});

Deno.test("a problem carries the headers that it is given", () => {
  const response = problem(503, "overloaded", "Later.", { headers: { "retry-after": "1" } });
  assert.equal(response.headers.get("retry-after"), "1");
});

Deno.test("docs/errors.md explains every problem code with its status", async () => {
  const page = await Deno.readTextFile(new URL("../../../../docs/errors.md", import.meta.url));
  const missing = Object.entries(PROBLEMS).filter(([code, { status }]) =>
    !new RegExp(`\\| \`${code}\` *\\| ${status} *\\|`).test(page)
  );
  assert.deepEqual(missing.map(([code]) => code), []);
});
