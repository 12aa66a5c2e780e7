import { strict as assert } from "node:assert";
import { parseBlocks, parseMarks, plainText } from "./text_format.js";

const bold = (...children: unknown[]) => ({ mark: "bold", children });

const texts: [string, string, unknown[]][] = [
  ["plain text", "Hello", ["Hello"]],
  ["bold", "a *b c* d", ["a ", bold("b c"), " d"]],
  ["marks within marks", "*a _b_*", [bold("a ", { mark: "italic", children: ["b"] })]],
  ["strike and code", "~a~ `*b*`", [
    { mark: "strike", children: ["a"] },
    " ",
    { mark: "code", children: ["*b*"] },
  ]],
  ["a block over lines", "```a\n*b*```", [{ mark: "block", children: ["a\n*b*"] }]],
  ["a link without its full stop", "See https://a.b/c_d.", [
    "See ",
    { mark: "link", children: ["https://a.b/c_d"] },
    ".",
  ]],
  ["stars that are no marks", "2 * 3 * 4", ["2 * 3 * 4"]],
  ["snake_case_names", "snake_case_names", ["snake_case_names"]],
  ["markup, which stays text", "<b>x</b>", ["<b>x</b>"]],
];

for (const [label, text, expected] of texts) {
  Deno.test(`parseMarks() of ${label}`, () => assert.deepEqual(parseMarks(text), expected));
}

Deno.test("parseBlocks() gathers quotes and bullets", () => {
  assert.deepEqual(parseBlocks("a\nb\n- c\n* d\n> e\nf"), [
    { kind: "text", lines: ["a", "b"] },
    { kind: "bullets", lines: ["c", "d"] },
    { kind: "quote", lines: ["e"] },
    { kind: "text", lines: ["f"] },
  ]);
});

Deno.test("plainText() is one line without marks", () => {
  assert.equal(plainText("*Hi*\n_there_ https://a.b"), "Hi there https://a.b");
});
