import { strict as assert } from "node:assert";
import * as z from "zod";
import { phraseIssue, text } from "../fields.ts";
import { tellFaults, toFieldErrors } from "./field_errors.ts";

const schema = z.strictObject({
  name: text(3),
  kind: z.enum(["a", "b", "c"]).optional(),
  list: z.array(z.int().min(1)).min(1).max(2).optional(),
  "x/y~z": z.boolean().optional(),
});

function faultsOf(value: unknown) {
  const parsed = schema.safeParse(value, { error: phraseIssue });
  assert.ok(!parsed.success);
  return toFieldErrors(parsed.error);
}

const cases: [label: string, value: unknown, pointer: string, detail: string][] = [
  ["the whole body", [], "", "must be an object"],
  ["a missing field", {}, "/name", "is required"],
  ["a field of another type", { name: 1 }, "/name", "must be a string"],
  ["an empty text", { name: "" }, "/name", "must not be empty"],
  ["a text too long", { name: "abcd" }, "/name", "has 4 characters, at most 3 are allowed"],
  ["a value of no list", { name: "a", kind: "d" }, "/kind", "must be a, b, or c"],
  ["a list too short", { name: "a", list: [] }, "/list", "must have at least 1 item"],
  ["a list too long", { name: "a", list: [1, 1, 1] }, "/list", "must have at most 2 items"],
  ["a number too small", { name: "a", list: [1, 0] }, "/list/1", "must be at least 1"],
  ["an unknown field", { name: "a", nmae: 1 }, "/nmae", "is not a known field"],
  ["a field with signs of pointers", { name: "a", "x/y~z": 1 }, "/x~1y~0z", "must be a boolean"],
];

for (const [label, value, pointer, detail] of cases) {
  Deno.test(`toFieldErrors points at ${label}`, () => {
    assert.deepEqual(faultsOf(value), [{ pointer, detail }]);
  });
}

Deno.test("a kind that nobody knows is answered with those that there are", () => {
  const kinds = z.discriminatedUnion("type", [
    z.object({ type: z.literal("text") }),
    z.object({ type: z.literal("image") }),
  ]);
  const parsed = kinds.safeParse({ type: "txt" }, { error: phraseIssue });
  assert.deepEqual(toFieldErrors(parsed.error!), [
    { pointer: "/type", detail: "must be text or image" },
  ]);
});

const one = { pointer: "/to", detail: "is required" };
const whole = { pointer: "", detail: "must be an object" };
const told: [sentence: string, errors: { pointer: string; detail: string }[]][] = [
  ["The body has 1 fault: /to is required.", [one]],
  ["The body has 1 fault: it must be an object.", [whole]],
  ["The body has 2 faults, the first: /to is required.", [one, whole]],
];
for (const [sentence, errors] of told) {
  Deno.test(`tellFaults says "${sentence}"`, () => {
    assert.equal(tellFaults("The body", errors), sentence);
  });
}

Deno.test("toFieldErrors counts an emoji as one character", () => {
  assert.ok(schema.safeParse({ name: "😀😀😀" }).success);
});

Deno.test("toFieldErrors ends after 50 faults", () => {
  const unknown = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`f${index}`, 1]));
  assert.equal(faultsOf(unknown).length, 50);
});
