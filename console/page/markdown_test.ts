import { strict as assert } from "node:assert";
import { readRunbook } from "../runbook.ts";
import { parseMarkdown, parseSpans } from "./markdown.js";

const texts: [title: string, source: string, blocks: unknown[]][] = [
  ["a paragraph over lines", "a\nb\n\nc", [
    { kind: "paragraph", spans: [{ text: "a b" }] },
    { kind: "paragraph", spans: [{ text: "c" }] },
  ]],
  ["code, as it stands", "See:\n```sh\na |\n\n- b\n```\nc", [
    { kind: "paragraph", spans: [{ text: "See:" }] },
    { kind: "code", text: "a |\n\n- b" },
    { kind: "paragraph", spans: [{ text: "c" }] },
  ]],
  ["code without an end", "```\na", [{ kind: "code", text: "a" }]],
  ["a list over lines", "- a\n  b\n- c", [
    { kind: "list", items: [[{ text: "a b" }], [{ text: "c" }]] },
  ]],
  ["a table", "| A | B |\n| - | - |\n| a | `b` |", [{
    kind: "table",
    rows: [[[{ text: "A" }], [{ text: "B" }]], [[{ text: "a" }], [{ text: "b", kind: "code" }]]],
  }]],
];
for (const [title, source, blocks] of texts) {
  Deno.test(`parseMarkdown() of ${title}`, () => assert.deepEqual(parseMarkdown(source), blocks));
}

Deno.test("parseSpans() keeps links out of the repository, and the text of those within", () => {
  assert.deepEqual(parseSpans("**a** [b](c.md#d), [e](https://f.test/) <b>"), [
    { text: "a", kind: "bold" },
    { text: " " },
    { text: "b" },
    { text: ", " },
    { text: "e", kind: "link", href: "https://f.test/" },
    { text: " <b>" },
  ]);
});

Deno.test("the whole runbook is blocks, and no mark is left in their text", async () => {
  for (const [section, source] of Object.entries(await readRunbook())) {
    const blocks = parseMarkdown(source);
    assert(blocks.length > 0, section);
    const shown = JSON.stringify(blocks.filter(({ kind }: { kind: string }) => kind !== "code"));
    assert.doesNotMatch(shown, /\*\*|\]\(|```/, section);
  }
});
