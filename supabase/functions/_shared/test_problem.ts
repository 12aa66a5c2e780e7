import { strict as assert } from "node:assert";

/** What a test compares of a problem that was answered: status, code and where in the request it lies. */
export async function problemOf(response: Response) {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const { status, code, errors } = await response.json();
  assert.equal(status, response.status);
  return { status, code, pointers: errors?.map(({ pointer }: { pointer: string }) => pointer) };
}
