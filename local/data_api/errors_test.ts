import { strict as assert } from "node:assert";

import { toPostgrestError } from "./errors.ts";

const failure = (code: string) => Object.assign(new Error("as it was"), { code, hint: "a hint" });

function statusOf(code: string): number | undefined {
  const error = toPostgrestError(failure(code)) as { code: string; detail: string };
  return error.code === "PGRST" ? JSON.parse(error.detail).status : undefined;
}

const STATUSES: [code: string, status: number | undefined][] = [
  ["ECONNREFUSED", 503],
  ["CONNECTION_CLOSED", 503],
  ["CONNECT_TIMEOUT", 503],
  ["57P01", 503],
  ["57P03", 503],
  ["08006", 503],
  ["53300", 503],
  ["53400", 500],
  ["57014", 500],
  ["40001", 500],
  ["23505", 409],
  ["23502", 400],
  ["22P02", 400],
  ["25006", 405],
  ["P0001", 400],
  ["P0002", 500],
  ["42501", undefined],
  ["PT402", undefined],
];

for (const [code, status] of STATUSES) {
  const outcome = status ? `becomes a ${status}` : "is left to lite";
  Deno.test(`error ${code} ${outcome}`, () => assert.equal(statusOf(code), status));
}

Deno.test("an error keeps its code, message and hint", () => {
  const { message } = toPostgrestError(failure("P0001")) as Error;
  const kept = { code: "P0001", message: "as it was", details: null, hint: "a hint" };
  assert.deepEqual(JSON.parse(message), kept);
});

Deno.test("what is no error of the database is returned as it is", () => {
  const error = new TypeError("a mistake");
  assert.equal(toPostgrestError(error), error);
});
