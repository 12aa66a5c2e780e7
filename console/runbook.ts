const OPERATIONS = new URL("../docs/operations.md", import.meta.url);

/** The sections of docs/operations.md as Markdown, by the anchors of their headings. */
export async function readRunbook(): Promise<Record<string, string>> {
  return sectionsOf(await Deno.readTextFile(OPERATIONS));
}

export function sectionsOf(markdown: string): Record<string, string> {
  const [, ...sections] = markdown.split(/^## /m);
  return Object.fromEntries(sections.map((section) => {
    const [heading = "", ...lines] = section.split("\n");
    return [anchorOf(heading), lines.join("\n").trim()];
  }));
}

/** As GitHub makes anchors of headings. */
export function anchorOf(heading: string): string {
  return heading.trim().toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-");
}
