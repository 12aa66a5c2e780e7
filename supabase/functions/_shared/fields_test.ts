import { strict as assert } from "node:assert";
import type * as z from "zod";
import { freeForm, instant, someText, text, webAddress } from "./fields.ts";

function nested(levels: number): Record<string, unknown> {
  return levels === 1 ? {} : { a: nested(levels - 1) };
}

const cases: [label: string, schema: z.ZodType, good: unknown, bad: unknown][] = [
  ["text of at most 3 characters", text(3), "abc", "abcd"],
  ["text that can be stored", text(3), "😀", "\ud83d"],
  ["text without the null character", someText(), "a", "a\0"],
  ["some text", someText(), "a", ""],
  ["an address of the web", webAddress(), "https://example.com/a?b=c", "ftp://example.com"],
  ["an address that has a host", webAddress(), "http://a", "http://"],
  ["a time with offset", instant(), "2026-11-22T09:30:00+01:00", "2026-11-22T09:30:00"],
  ["a time that exists", instant(), "2028-02-29T09:30:00Z", "2027-02-29T09:30:00Z"],
  ["JSON of 32 levels", freeForm(), nested(32), nested(33)],
  ["JSON whose texts can be stored", freeForm(), { a: ["b"] }, { a: ["\0"] }],
  ["JSON whose names can be stored", freeForm(), { a: 1 }, { "\0": 1 }],
];

for (const [label, schema, good, bad] of cases) {
  Deno.test(`fields take ${label} and nothing else`, () => {
    assert.equal(schema.safeParse(good).success, true);
    assert.equal(schema.safeParse(bad).success, false);
  });
}

Deno.test("freeForm refuses JSON nested too deep for the stack", () => {
  const deep = JSON.parse(`{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`);
  assert.equal(freeForm().safeParse(deep).success, false);
});
