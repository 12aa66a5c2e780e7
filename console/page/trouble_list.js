import { byId, duration, el, moment, showIn, sinceText } from "./dom.js";
import { parseMarkdown } from "./markdown.js";

const SHOWN_SUBJECTS = 50;
/** By the keys of their troubles; `seenAt` is what there is to say of one that nobody dates. */
const cards = new Map();
const seenAt = new Map();

/** Shows the troubles; a card that somebody has opened stays open, and keeps the focus. */
export function showTroubles(troubles, runbook, openTenant) {
  const host = byId("troubles");
  byId("all-well").hidden = troubles.length > 0;
  const wanted = troubles.map((trouble) => {
    const card = cards.get(trouble.key) ?? createCard(trouble, runbook);
    cards.set(trouble.key, card);
    seenAt.set(trouble.key, seenAt.get(trouble.key) ?? new Date());
    update(card, trouble, openTenant);
    return card;
  });
  for (const [key, card] of cards) {
    if (wanted.includes(card)) continue;
    cards.delete(key);
    seenAt.delete(key);
  }
  const isSame = wanted.length === host.children.length &&
    wanted.every((card, index) => host.children[index] === card);
  if (!isSame) host.replaceChildren(...wanted);
}

function createCard({ section }, runbook) {
  const what = el("span", { class: "what" });
  const when = el("span", { class: "when" });
  const more = el("span", { class: "more", "aria-hidden": "true" }, "What to do");
  const summary = el("summary", {}, el("span", { class: "dot" }), what, more, when);
  const subjects = el("ul", { class: "subjects" });
  const blocks = parseMarkdown(runbook[section] ?? "docs/operations.md says what to do.");
  const text = el("div", { class: "runbook" }, blocks.map(blockElement));
  return el("li", {}, el("details", {}, summary, subjects, text));
}

function update(card, trouble, openTenant) {
  card.className = trouble.tone;
  card.querySelector(".what").textContent = trouble.title;
  card.querySelector(".when").textContent = whenText(trouble);
  const subjects = trouble.subjects.slice(0, SHOWN_SUBJECTS).map((subject) =>
    subjectElement(subject)
  );
  const left = trouble.subjects.length - subjects.length;
  if (left > 0) {
    subjects.push(el("li", { class: "quiet" }, `and ${left.toLocaleString("en")} more`));
  }
  const list = card.querySelector(".subjects");
  list.hidden = subjects.length === 0;
  showIn(list, subjects);
  list.onclick = ({ target }) => {
    const tenant = target.closest("button")?.dataset.tenant;
    if (tenant) openTenant(tenant);
  };
}

function whenText({ key, since, last, next, detail }) {
  const now = new Date();
  return [
    since && sinceText(since, now),
    last && `the last ${duration((now - new Date(last)) / 1_000)} ago, at ${moment(last, now)}`,
    !since && !last && `seen here since ${moment(seenAt.get(key), now)}`,
    detail,
    next && `tried again at ${moment(next, now)}`,
  ].filter(Boolean).join(" · ");
}

function subjectElement({ text, note, since, until, tenant }) {
  const times = [since && `since ${moment(since)}`, until && `until ${moment(until)}`];
  return el(
    "li",
    {},
    tenant ? el("button", { type: "button", class: "plain", "data-tenant": tenant }, text) : text,
    el("span", { class: "quiet" }, ` ${[note, ...times].filter(Boolean).join(" · ")}`),
  );
}

function blockElement(block) {
  switch (block.kind) {
    case "code":
      return el("pre", { tabindex: "0" }, el("code", {}, block.text));
    case "table": {
      const [head, ...rows] = block.rows;
      const row = (cells, tag) => el("tr", {}, cells.map((cell) => el(tag, {}, spans(cell))));
      const table = el("table", {}, el("thead", {}, row(head, "th")));
      table.append(el("tbody", {}, rows.map((cells) => row(cells, "td"))));
      return el("div", { class: "scroll", tabindex: "0" }, table);
    }
    case "list":
      return el("ul", {}, block.items.map((item) => el("li", {}, spans(item))));
    default:
      return el("p", {}, spans(block.spans));
  }
}

function spans(list) {
  return list.map(({ text, kind, href }) => {
    if (kind === "code") return el("code", {}, text);
    if (kind === "bold") return el("strong", {}, text);
    if (kind === "link") return el("a", { href, target: "_blank", rel: "noopener" }, text);
    return text;
  });
}
