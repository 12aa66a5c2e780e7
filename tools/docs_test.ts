import { strict as assert } from "node:assert";
import { dirname, join, normalize } from "node:path";
import { anchorOf } from "../console/runbook.ts";
import { repository } from "./functions.ts";

/** All Markdown of the repository, by path. */
const pages = await readPages();

async function readPages(): Promise<Map<string, string>> {
  const listed = await new Deno.Command("git", {
    args: ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd: repository,
  }).output();
  const paths = new TextDecoder().decode(listed.stdout).trim().split("\n");
  const texts = paths.map(async (path) =>
    [path, await Deno.readTextFile(join(repository, path))] as const
  );
  return new Map(await Promise.all(texts));
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^ *```[\s\S]*?^ *```/gm, "").replaceAll(/`[^`]*`/g, "code");
}

/** As GitHub makes them, the second of one name with -1. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  const headings = markdown.replaceAll(/^ *```[\s\S]*?^ *```/gm, "").matchAll(/^#+ (.+)$/gm);
  for (const [, heading] of headings) {
    const anchor = anchorOf(heading!.replaceAll(/[`*]|\]\([^)]*\)/g, ""));
    let free = anchor;
    for (let i = 1; anchors.has(free); i++) free = `${anchor}-${i}`;
    anchors.add(free);
  }
  return anchors;
}

async function faultOf(page: string, link: string): Promise<string | null> {
  const [path = "", anchor] = decodeURIComponent(link).split("#");
  const target = path === "" ? page : normalize(join(dirname(page), path)).replace(/\/$/, "");
  const exists = await Deno.stat(join(repository, target)).then(() => true, () => false);
  if (!exists) return `${page}: ${link} leads nowhere`;
  if (anchor === undefined) return null;
  const markdown = pages.get(target);
  if (markdown && anchorsOf(markdown).has(anchor)) return null;
  return `${page}: ${link} has no such heading`;
}

Deno.test("every link within the documents leads to a file, and its anchor to a heading", async () => {
  const faults: (string | null)[] = [];
  let links = 0;
  for (const [page, markdown] of pages) {
    for (const [, link] of withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link!)) continue;
      links++;
      faults.push(await faultOf(page, link!));
    }
  }
  assert(links > 50, `only ${links} links were found`);
  assert.deepEqual(faults.filter((fault) => fault !== null), []);
});

Deno.test("every task that the documents name is there", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(repository, "deno.json")));
  const named = [...pages].flatMap(([page, markdown]) =>
    [...markdown.matchAll(/(?:deno(?:@[\d.]+)? task|`task) ([a-z][a-z:]*)/g)]
      .map(([, task]) => ({ page, task: task! }))
  );
  assert(named.length > 10, `only ${named.length} tasks were found`);
  assert.deepEqual(named.filter(({ task }) => tasks[task] === undefined), []);
});

Deno.test("every page of docs is named in the README, or by one that is", () => {
  const readme = pages.get("README.md") ?? "";
  const missing = [...pages.keys()].filter((path) =>
    /^docs\/[^/]+\.md$/.test(path) && !readme.includes(`(${path})`)
  );
  assert.deepEqual(missing, []);
});

// Mermaid takes it for the end of a statement, and GitHub shows an error for the diagram.
Deno.test("no sequence diagram has a semicolon in its text", () => {
  const diagrams = [...pages].flatMap(([page, markdown]) =>
    [...markdown.matchAll(/^```mermaid\nsequenceDiagram\n([\s\S]*?)^```/gm)]
      .map(([, text]) => ({ page, text: text! }))
  );
  assert(diagrams.length > 0);
  assert.deepEqual(diagrams.filter(({ text }) => text.includes(";")), []);
});

Deno.test("docs/deploy.md has every field of Meta's that something is done about", async () => {
  const source = await Deno.readTextFile(
    join(repository, "supabase/functions/wa-inbound/account_effect.ts"),
  );
  const fields = [...source.matchAll(/^ {2}(\w+): read\(/gm)].map(([, field]) => field!);
  assert(fields.length > 8, `only ${fields.length} were found`);
  const deploy = pages.get("docs/deploy.md") ?? "";
  assert.deepEqual(fields.filter((field) => !deploy.includes(`\`${field}\``)), []);
});

Deno.test("a link that leads nowhere, or to no heading, is found", async () => {
  assert.match(await faultOf("README.md", "docs/missing.md") ?? "", /leads nowhere/);
  assert.match(await faultOf("docs/errors.md", "#missing") ?? "", /no such heading/);
  assert.equal(await faultOf("docs/errors.md", "operations.md#dead-letters"), null);
});
