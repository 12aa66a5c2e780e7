import { contentView } from "./contents.js";
import { el, icon } from "./dom.js";
import { plainText } from "./text_format.js";
import { tickView } from "./ticks.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, {
  weekday: "long",
  day: "numeric",
  month: "long",
});

/** One message with everything that hangs on it. `around` tells what stands before and after. */
export function messageView(message, { previous, quoted, act, business }) {
  const isMine = message.direction === "from_customer";
  const isFirst = previous?.direction !== message.direction || dayOf(previous) !== dayOf(message);
  const who = isMine ? "You" : business;
  return el(
    "li",
    { class: `message ${isMine ? "mine" : "theirs"} ${isFirst ? "first" : ""}`, id: message.id },
    dayOf(previous) === dayOf(message) ? null : el("p", { class: "day" }, dayOf(message)),
    el(
      "article",
      { class: `bubble ${message.type}`, "aria-label": `${who}, ${clock.format(message.at)}` },
      quoted ? quoteView(quoted, business) : null,
      el("div", { class: "content" }, contentView(message, act)),
      el("footer", { class: "meta" }, el("time", {}, clock.format(message.at)), tickView(message)),
      moreButton(message, act),
      reactionsView(message),
    ),
    problemView(message, act),
  );
}

const DAY_MS = 86_400_000;

function dayOf(message) {
  if (!message) return undefined;
  const day = calendar.format(message.at);
  if (day === calendar.format(Date.now())) return "Today";
  return day === calendar.format(Date.now() - DAY_MS) ? "Yesterday" : day;
}

function moreButton(message, act) {
  const onclick = () => act.more(message);
  const label = "Answer, react or look closer";
  return el(
    "button",
    { type: "button", class: "more", title: label, "aria-label": label, onclick },
    icon("more"),
  );
}

function reactionsView({ reactions }) {
  const all = [reactions.business, reactions.customer].filter(Boolean);
  if (all.length === 0) return null;
  return el(
    "p",
    { class: "reactions", "aria-label": `Reactions: ${all.join(" ")}` },
    all.join(" "),
  );
}

function problemView(message, act) {
  if (message.tick !== "failed") return null;
  const canRetry = message.direction === "from_customer";
  return el(
    "p",
    { class: "failure" },
    el("span", {}, message.error ?? "Failed"),
    canRetry
      ? el("button", { type: "button", class: "link", onclick: act.retry }, "Try now")
      : null,
  );
}

/** The message that another one answers, in a line. */
export function quoteView(message, business, onclose) {
  const who = message.direction === "from_customer" ? "You" : business;
  const close = onclose && el(
    "button",
    { type: "button", class: "icon-button small", "aria-label": "Do not quote", onclick: onclose },
    icon("close"),
  );
  return el(
    "div",
    { class: "quoted" },
    el("span", {}, el("strong", {}, who), el("span", { class: "line" }, summaryOf(message))),
    close ?? null,
  );
}

const summaries = {
  text: ({ body }) => body,
  image: ({ caption }) => caption ?? "Picture",
  video: ({ caption }) => caption ?? "Video",
  audio: () => "Voice message",
  document: ({ filename }) => filename ?? "Document",
  sticker: () => "Sticker",
  location: ({ name }) => name ?? "Location",
  contacts: () => "Contact",
  button: ({ text }) => text,
  template: ({ name }) => `Template ${name}`,
  interactive: (content) =>
    content.body?.text ?? content.button_reply?.title ?? content.list_reply?.title ?? "Message",
};

/** A message in a few words, for the list of chats and for quotes. */
export function summaryOf(message) {
  const summary = message.content && summaries[message.type]?.(message.content);
  const words = message.template?.body ?? summary ?? `A message of type ${message.type}`;
  return plainText(String(words));
}
