import { el } from "./dom.js";
import { parseBlocks, parseMarks } from "./text_format.js";

const tags = { bold: "strong", italic: "em", strike: "s", code: "code", block: "pre" };

/** A message's text with its marks, quotes and bullets. */
export function textView(text) {
  // A block of code may span lines, so it must not be cut into lines first.
  if (text.includes("```")) return [el("p", {}, marks(text))];
  return parseBlocks(text).map(({ kind, lines }) => {
    if (kind === "bullets") return el("ul", {}, lines.map((line) => el("li", {}, marks(line))));
    const joined = marks(lines.join("\n"));
    return kind === "quote" ? el("blockquote", {}, joined) : el("p", {}, joined);
  });
}

function marks(text) {
  return parseMarks(text).map((part) => {
    if (typeof part === "string") return part;
    if (part.mark === "link") {
      const [href] = part.children;
      return el("a", { href, target: "_blank", rel: "noreferrer noopener" }, href);
    }
    return el(tags[part.mark], {}, part.children.map(node));
  });
}

function node(part) {
  return typeof part === "string" ? part : el(tags[part.mark], {}, part.children.map(node));
}
