import { byId, el, icon } from "./dom.js";

const EMOJI = ["\u{1f44d}", "\u2764\ufe0f", "\u{1f602}", "\u{1f62e}", "\u{1f64f}"];
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

function openSheet(title, ...content) {
  const sheet = byId("sheet");
  const close = el(
    "button",
    { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => sheet.close() },
    icon("close"),
  );
  sheet.replaceChildren(
    el("header", {}, el("h2", { id: "sheet-title" }, title), close),
    ...content.flat(),
  );
  sheet.showModal();
  return sheet;
}

/** The rows of a list message; choosing one answers it. */
export function openPicker(title, sections, onPick) {
  const sheet = openSheet(
    title,
    sections.map((section) =>
      el(
        "section",
        {},
        section.title ? el("h3", {}, section.title) : null,
        section.rows.map((row) =>
          pickerRow(row, () => {
            sheet.close();
            onPick(row);
          })
        ),
      )
    ),
  );
}

function pickerRow(row, onclick) {
  return el(
    "button",
    { type: "button", class: "picker-row", onclick },
    el("strong", {}, row.title),
    row.description ? el("span", { class: "quiet" }, row.description) : null,
  );
}

/** What can be done with a message, how far it came, and its content as it was sent. */
export function openDetails(message, { react, answer }) {
  const mine = message.reactions.customer;
  const reactions = EMOJI.map((emoji) =>
    el("button", {
      type: "button",
      class: "emoji",
      "aria-pressed": String(emoji === mine),
      "aria-label": `React with ${emoji}`,
      onclick: () => {
        sheet.close();
        react(emoji === mine ? undefined : emoji);
      },
    }, emoji)
  );
  const sheet = openSheet(
    "Message",
    el("div", { class: "emojis" }, reactions),
    el("button", {
      type: "button",
      class: "picker-row",
      onclick: () => {
        sheet.close();
        answer();
      },
    }, el("strong", {}, icon("reply"), "Answer this message")),
    timelineView(message),
    el("details", {}, el("summary", {}, "As it was sent"), el("pre", {}, asSent(message))),
  );
}

function timelineView({ timeline, error }) {
  if (timeline.length === 0) return "";
  return el(
    "section",
    {},
    el("h3", {}, "Reported"),
    el(
      "ol",
      { class: "timeline" },
      timeline.map(({ status, at }) =>
        el("li", {}, el("span", {}, status), el("time", {}, clock.format(at)))
      ),
    ),
    error ? el("p", { class: "failure" }, error) : null,
  );
}

function asSent({ id, type, content, context_id: context }) {
  return JSON.stringify({ id, type, [type]: content, ...(context && { context }) }, null, 2);
}
