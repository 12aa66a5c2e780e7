import { fileCard, film, picture } from "./media_view.js";
import { el, icon } from "./dom.js";
import { textView } from "./text_view.js";

/** What can be tapped, by kind of interactive message; `act` sends the answer. */
const actions = {
  button: ({ buttons = [] }, act) =>
    buttons.map(({ reply }) => tap(reply.title, () => act.reply("button_reply", reply))),
  list: ({ button, sections = [] }, act) => [
    tap(button, () => act.pick(button, sections, (row) => act.reply("list_reply", row)), "list"),
  ],
  cta_url: ({ parameters }) => [linkButton(parameters?.display_text, parameters?.url)],
  flow: ({ parameters }, act) => [
    tap(parameters?.flow_cta ?? "Open", () =>
      act.reply("nfm_reply", {
        name: "flow",
        body: "Sent",
        response_json: JSON.stringify({ flow_token: parameters?.flow_token ?? "unused" }),
      })),
  ],
  location_request_message: (_action, act) => [tap("Send location", act.shareLocation, "pin")],
  product: ({ product_retailer_id: id }) => [el("p", { class: "label" }, `Product ${id}`)],
  product_list: ({ sections = [] }) => [
    el("p", { class: "label" }, `${sections.flatMap(productsOf).length} products`),
  ],
  catalog_message: () => [el("p", { class: "label" }, "The catalogue opens on a real phone.")],
};

const productsOf = ({ product_items: items = [] }) => items;

/** An interactive message, or the answer that the customer gave to one. */
export function interactiveView(content, act) {
  const answer = content.button_reply ?? content.list_reply;
  if (answer) {
    const description = answer.description ? el("p", { class: "label" }, answer.description) : null;
    return [el("p", { class: "chosen" }, icon("check"), answer.title), description];
  }
  if (content.nfm_reply) return [el("p", { class: "chosen" }, icon("check"), "Form sent")];
  const buttons = actions[content.type]?.(content.action ?? {}, act) ?? [
    el("p", { class: "label" }, content.type),
  ];
  return [
    headerView(content.header),
    content.body?.text ? el("div", {}, textView(content.body.text)) : null,
    content.footer?.text ? el("p", { class: "label" }, content.footer.text) : null,
    el("div", { class: "taps" }, buttons),
  ];
}

function headerView(header) {
  if (!header) return null;
  if (header.type === "text") return el("p", { class: "heading" }, header.text);
  if (header.type === "image") return picture(header.image);
  if (header.type === "video") return film(header.video);
  return fileCard(header.document ?? {});
}

export function tap(title, onclick, image) {
  return el("button", { type: "button", class: "tap", onclick }, image ? icon(image) : null, title);
}

export function linkButton(title, href) {
  const safe = /^https?:/.test(href ?? "") ? href : null;
  const attributes = { class: "tap", href: safe, target: "_blank", rel: "noreferrer noopener" };
  return el("a", attributes, icon("link"), title ?? "Open");
}
