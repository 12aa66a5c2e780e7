const MARKS = new RegExp(
  [
    "```(?<block>[\\s\\S]+?)```",
    "`(?<code>[^`\\n]+)`",
    "(?<![\\w*])\\*(?<bold>[^\\s*](?:[^*\\n]*[^\\s*])?)\\*(?![\\w*])",
    "(?<![\\w_])_(?<italic>[^\\s_](?:[^_\\n]*[^\\s_])?)_(?![\\w_])",
    "(?<![\\w~])~(?<strike>[^\\s~](?:[^~\\n]*[^\\s~])?)~(?![\\w~])",
    '(?<link>https?:\\/\\/[^\\s<>"]+[^\\s<>".,;:!?)])',
  ].join("|"),
  "g",
);

/**
 * A message's text as a tree: strings, and marks `{mark, children}` for bold, italic, strike,
 * code, block and link. Whatever is no mark stays as it was typed.
 */
export function parseMarks(text) {
  const parts = [];
  let done = 0;
  for (const match of text.matchAll(MARKS)) {
    if (match.index > done) parts.push(text.slice(done, match.index));
    const [mark, inner] = Object.entries(match.groups).find(([, found]) => found !== undefined);
    const isPlain = mark === "code" || mark === "block" || mark === "link";
    parts.push({ mark, children: isPlain ? [inner] : parseMarks(inner) });
    done = match.index + match[0].length;
  }
  if (done < text.length) parts.push(text.slice(done));
  return parts;
}

/** The lines of a text in blocks: `{kind: "text" | "quote" | "bullets", lines}`. */
export function parseBlocks(text) {
  const blocks = [];
  for (const line of text.split("\n")) {
    const kind = /^> /.test(line) ? "quote" : /^[*-] /.test(line) ? "bullets" : "text";
    const content = kind === "text" ? line : line.slice(2);
    const last = blocks.at(-1);
    if (last?.kind === kind) last.lines.push(content);
    else blocks.push({ kind, lines: [content] });
  }
  return blocks;
}

/** The text without its marks, for where there is only one line. */
export function plainText(text) {
  return parseMarks(text).map(wordsOf).join("").replace(/\s+/g, " ");
}

function wordsOf(part) {
  return typeof part === "string" ? part : part.children.map(wordsOf).join("");
}
