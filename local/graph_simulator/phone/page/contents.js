import { el, icon } from "./dom.js";
import { interactiveView } from "./interactive_view.js";
import { fileCard, film, initials, locationView, picture, sourceOf } from "./media_view.js";
import { templateView } from "./template_view.js";
import { textView } from "./text_view.js";

/** How each type of message looks inside its bubble. `act` is what a tap may do. */
const views = {
  text: ({ body }) => textView(String(body ?? "")),
  image: (content) => [picture(content), caption(content)],
  sticker: (content) => [picture(content, "sticker")],
  video: (content) => [film(content), caption(content)],
  audio: (content) => [el("audio", { controls: true, src: sourceOf(content) })],
  document: (content) => [fileCard(content), caption(content)],
  location: locationView,
  contacts: (contacts) => [].concat(contacts).map(contactCard),
  interactive: interactiveView,
  template: templateView,
  button: ({ text }) => [el("p", { class: "chosen" }, icon("check"), String(text ?? ""))],
  order: ({ product_items: items = [] }) => [
    el("p", { class: "label" }, "Order"),
    el(
      "ul",
      {},
      items.map((item) => el("li", {}, `${item.quantity} × ${item.product_retailer_id}`)),
    ),
  ],
};

/** The inside of a message's bubble; a type that is not known is shown as what it is. */
export function contentView(message, act) {
  const view = views[message.type];
  if (view === undefined || !message.content) return [unknownView(message)];
  return view(message.content, act, message);
}

function unknownView({ type, content }) {
  return el(
    "details",
    { class: "unknown" },
    el("summary", {}, `A message of type ${type}`),
    el("pre", {}, JSON.stringify(content, null, 2) ?? "empty"),
  );
}

function caption(content) {
  return content.caption ? el("div", { class: "caption" }, textView(content.caption)) : null;
}

function contactCard({ name, phones = [] }) {
  return el(
    "div",
    { class: "card" },
    el("span", { class: "avatar small", "aria-hidden": "true" }, initials(name?.formatted_name)),
    el(
      "span",
      {},
      el("strong", {}, name?.formatted_name ?? "Contact"),
      phones.map(({ phone }) => el("p", { class: "label" }, phone)),
    ),
  );
}
