import { strict as assert } from "node:assert";
import fc from "fast-check";
import { fingerprintFields, readIdempotencyKey } from "./idempotency_key.ts";

const accepted: [title: string, header: string, key: string][] = [
  ["16 characters", "k".repeat(16), "k".repeat(16)],
  ["255 characters", "k".repeat(255), "k".repeat(255)],
  ["a quoted key as the key itself", `"${"k".repeat(16)}"`, "k".repeat(16)],
];
for (const [title, header, key] of accepted) {
  Deno.test(`readIdempotencyKey() accepts ${title}`, () => {
    assert.deepEqual(readIdempotencyKey(header), { ok: true, key });
  });
}

const refused: [title: string, header: string | null, error: string][] = [
  ["no header", null, "missing_idempotency_key"],
  ["an empty header", "", "missing_idempotency_key"],
  ["15 characters", "k".repeat(15), "invalid_idempotency_key"],
  ["256 characters", "k".repeat(256), "invalid_idempotency_key"],
  ["14 quoted characters", `"${"k".repeat(14)}"`, "invalid_idempotency_key"],
];
for (const [title, header, error] of refused) {
  Deno.test(`readIdempotencyKey() refuses ${title} as ${error}`, () => {
    assert.deepEqual(readIdempotencyKey(header), { ok: false, error });
  });
}

Deno.test("fingerprintFields() does not depend on the order of fields", async () => {
  const one = await fingerprintFields({ amount: 1, nested: { a: 1, b: [{ c: 1, d: 2 }] } });
  const other = await fingerprintFields({ nested: { b: [{ d: 2, c: 1 }], a: 1 }, amount: 1 });
  assert.deepEqual(other, one);
});

Deno.test("fingerprintFields() tells any two different requests apart, and their fields", async () => {
  const fields = fc.dictionary(fc.constantFrom("amount", "currency", "name"), fc.jsonValue());
  await fc.assert(fc.asyncProperty(fields, fields, async (a, b) => {
    const [one, other] = await Promise.all([fingerprintFields(a), fingerprintFields(b)]);
    const same = sorted(a) === sorted(b);
    assert.equal(one.fingerprint === other.fingerprint, same);
    const differ = Object.keys({ ...a, ...b }).some((name) =>
      one.field_digests[name] !== other.field_digests[name]
    );
    assert.equal(differ, !same);
  }));
});

function sorted(value: unknown): string {
  return JSON.stringify(
    value,
    (_name, part) =>
      typeof part === "object" && part !== null && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => a < b ? -1 : 1))
        : part,
  );
}
