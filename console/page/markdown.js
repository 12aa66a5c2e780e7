/** The Markdown that the runbook is written in, as blocks; everything else stays text. */
export function parseMarkdown(source) {
  const lines = source.split("\n");
  const blocks = [];
  for (let at = 0; at < lines.length;) {
    const { length, block } = blockAt(lines, at);
    if (block) blocks.push(block);
    at += length;
  }
  return blocks;
}

function blockAt(lines, at) {
  const line = lines[at];
  if (line.trim() === "") return { length: 1 };
  if (line.startsWith("```")) return fence(lines, at);
  if (line.startsWith("|")) return table(take(lines, at, (next) => next.startsWith("|")));
  if (line.startsWith("- ")) {
    return list(take(lines, at, (next) => next.startsWith("- ") || next.startsWith("  ")));
  }
  const taken = take(lines, at, (next) => next.trim() !== "" && !/^(```|\||- )/.test(next));
  return {
    length: taken.length,
    block: { kind: "paragraph", spans: parseSpans(taken.join(" ").replace(/^#+ /, "")) },
  };
}

function fence(lines, at) {
  const end = lines.findIndex((line, index) => index > at && line.startsWith("```"));
  const last = end < 0 ? lines.length : end;
  return {
    length: last - at + 1,
    block: { kind: "code", text: lines.slice(at + 1, last).join("\n") },
  };
}

function table(lines) {
  const rows = lines.filter((line) => !/^[|\s:-]+$/.test(line)).map((line) =>
    line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => parseSpans(cell.trim()))
  );
  return { length: lines.length, block: { kind: "table", rows } };
}

function list(lines) {
  const items = lines.join("\n").split(/^- /m).slice(1);
  return {
    length: lines.length,
    block: {
      kind: "list",
      items: items.map((item) => parseSpans(item.trim().replaceAll(/\s+/g, " "))),
    },
  };
}

function take(lines, from, belongs) {
  const end = lines.findIndex((line, index) => index > from && !belongs(line));
  return lines.slice(from, end < 0 ? lines.length : end);
}

/** Code, bold and links; a link to another page of the repository is its text. */
export function parseSpans(text) {
  const marks = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)]+)\)/g;
  const spans = [];
  let end = 0;
  for (const { 0: whole, 1: code, 2: bold, 3: label, 4: href, index } of text.matchAll(marks)) {
    if (index > end) spans.push({ text: text.slice(end, index) });
    if (code !== undefined) spans.push({ text: code, kind: "code" });
    else if (bold !== undefined) spans.push({ text: bold, kind: "bold" });
    else spans.push(/^https:/.test(href) ? { text: label, kind: "link", href } : { text: label });
    end = index + whole.length;
  }
  if (end < text.length) spans.push({ text: text.slice(end) });
  return spans;
}
