import { strict as assert } from "node:assert";
import fc from "fast-check";
import { canonicalJson, digestRequest } from "./canonical_json.ts";

const cases: [label: string, value: unknown, expected: string][] = [
  ["sorts keys at every depth", { b: [{ d: 1, c: 2 }], a: null }, `{"a":null,"b":[{"c":2,"d":1}]}`],
  ["keeps the order of lists", [3, 1, 2], "[3,1,2]"],
  ["leaves out what is undefined", { a: undefined, b: 1 }, `{"b":1}`],
  [
    "sorts by UTF-16 code units",
    { "\u20ac": 1, "\r": 2, "1": 3, "\ud83d\ude00": 4 },
    `{"\\r":2,"1":3,"€":1,"😀":4}`,
  ],
  ["writes numbers as ECMAScript does", [1e21, 0.000001, 4.50, -0], "[1e+21,0.000001,4.5,0]"],
  ["escapes as little as JSON allows", 'é"\n/', `"é\\"\\n/"`],
];

for (const [label, value, expected] of cases) {
  Deno.test(`canonicalJson ${label}`, () => assert.equal(canonicalJson(value), expected));
}

Deno.test("digestRequest is the same for the same request written otherwise", () => {
  const one = digestRequest({ to: "+49", text: { body: "x", preview_url: true } });
  const other = digestRequest({ text: { preview_url: true, body: "x" }, to: "+49" });
  assert.deepEqual(one, other);
});

Deno.test("digestRequest differs in the field that differs", () => {
  const one = digestRequest({ to: "+49", text: { body: "x" } });
  const other = digestRequest({ to: "+49", text: { body: "y" } });
  assert.notEqual(one.fingerprint, other.fingerprint);
  assert.equal(one.field_digests.to, other.field_digests.to);
  assert.notEqual(one.field_digests.text, other.field_digests.text);
});

Deno.test("digestRequest is SHA-256 of the canonical text", () => {
  const { fingerprint, field_digests } = digestRequest({ a: 1 });
  assert.equal(fingerprint, "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862");
  assert.equal(field_digests.a, "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b");
});

Deno.test("digestRequest does not depend on the order of fields", () => {
  const one = digestRequest({ amount: 1, nested: { a: 1, b: [{ c: 1, d: 2 }] } });
  const other = digestRequest({ nested: { b: [{ d: 2, c: 1 }], a: 1 }, amount: 1 });
  assert.deepEqual(other, one);
});

Deno.test("digestRequest tells any two different requests apart, and their fields", () => {
  const fields = fc.dictionary(fc.constantFrom("amount", "currency", "name"), fc.jsonValue());
  fc.assert(fc.property(fields, fields, (a, b) => {
    const [one, other] = [digestRequest(a), digestRequest(b)];
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
