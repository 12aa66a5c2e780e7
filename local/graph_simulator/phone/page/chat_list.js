import { summaryOf } from "./bubble.js";
import { initials } from "./media_view.js";
import { byId, el } from "./dom.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** The name and number of a business, also of one that the simulator has not met. */
export function businessOf(phone, id) {
  const known = phone.businesses().find((one) => one.phone_number_id === id);
  return known ?? { phone_number_id: id, name: `Business ${id.slice(-4)}`, display: id };
}

/** All chats of this phone, the latest first, and the businesses that could be written to. */
export function showChatList(phone, current, open) {
  const ids = new Set([
    current,
    ...phone.chats().map((chat) => chat.phone_number_id),
    ...phone.businesses().map((business) => business.phone_number_id),
  ]);
  const rows = [...ids].map((id) => ({ id, last: phone.messages(id).at(-1) }));
  rows.sort((a, b) => (b.last?.at ?? 0) - (a.last?.at ?? 0));
  byId("chat-list").replaceChildren(...rows.map((row) => chatRow(phone, row, current, open)));
}

function chatRow(phone, { id, last }, current, open) {
  const { name, display } = businessOf(phone, id);
  return el(
    "button",
    {
      type: "button",
      class: "chat-row",
      "aria-current": id === current ? "true" : null,
      onclick: () => open(id),
    },
    el("span", { class: "avatar business", "aria-hidden": "true" }, initials(name)),
    el(
      "span",
      { class: "who" },
      el("strong", {}, name),
      el("span", { class: "quiet line" }, last ? summaryOf(last) : display),
    ),
    last ? el("time", { class: "quiet" }, clock.format(last.at)) : null,
  );
}
