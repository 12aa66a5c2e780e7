import { businessOf, showChatList } from "./chat_list.js";
import { clearMessages, scrollToEnd, showMessages } from "./chat_view.js";
import { createComposer } from "./composer.js";
import { openNewChat, openOwner } from "./dialogs.js";
import { byId, icon } from "./dom.js";
import { initials } from "./media_view.js";
import { createPhone } from "./phone.js";
import { openDetails, openPicker } from "./sheets.js";

const DEMO_CUSTOMER = "15550100002";
const DEMO_BUSINESS = "100000000000001";

const fromPath = /^\/phone\/(.+)$/.exec(location.pathname)?.[1] ?? DEMO_CUSTOMER;
const owner = decodeURIComponent(fromPath).replace(/\D/g, "") || DEMO_CUSTOMER;
let business = new URLSearchParams(location.search).get("with") ?? DEMO_BUSINESS;

const phone = createPhone(owner, show);
const composer = createComposer({
  send: (message) => phone.send(business, message),
  sendPicture: (file, message) => phone.sendPicture(business, file, message),
});

function show(changed = business) {
  showOwner();
  showChatList(phone, business, open);
  if (changed === business) showChat();
}

function showOwner() {
  const { name, display, online } = phone.customer();
  byId("owner-avatar").textContent = initials(name);
  byId("owner-name").textContent = name;
  byId("owner-state").textContent = online === false ? `${display} · offline` : display;
  document.title = `${name} · phone`;
}

function showChat() {
  const { name, display } = businessOf(phone, business);
  const messages = phone.messages(business);
  byId("business-avatar").textContent = initials(name);
  byId("business-name").textContent = name;
  const isTyping = phone.isTyping(business);
  byId("business-state").textContent = isTyping ? "typing…" : display;
  byId("business-state").classList.toggle("typing", isTyping);
  byId("empty-name").textContent = name;
  byId("empty").hidden = messages.length > 0;
  showMessages(messages, name, actFor);
  const waitsForEyes = messages.some(({ direction, tick }) =>
    direction === "from_business" && tick === "delivered"
  );
  if (waitsForEyes && !document.hidden) lookAtChat();
}

function lookAtChat() {
  if (phone.customer().receipts === "when_opened") phone.opened(business);
}

/** What can be done with one message. */
function actFor(message) {
  const context = { message_id: message.id };
  const send = (answer) => composer.attempt(() => phone.send(business, { ...answer, context }));
  return {
    reply: (type, content) => send({ type: "interactive", interactive: { type, [type]: content } }),
    tapTemplate: (text, payload) => send({ type: "button", button: { text, payload } }),
    pick: openPicker,
    shareLocation: composer.shareLocation,
    retry: phone.retry,
    more: () =>
      openDetails(message, {
        answer: () => composer.quote(message, businessOf(phone, business).name),
        react: (emoji) =>
          composer.attempt(() =>
            phone.send(business, {
              type: "reaction",
              reaction: { message_id: message.id, ...(emoji && { emoji }) },
            })
          ),
      }),
  };
}

function open(id) {
  business = id;
  document.body.dataset.view = "chat";
  history.replaceState(null, "", `/phone/${owner}?with=${id}`);
  clearMessages();
  show();
  lookAtChat();
  scrollToEnd();
  byId("text").focus();
}

async function saveOwner({ phone: number, patch }) {
  if (number !== owner) return location.assign(`/phone/${number}?with=${business}`);
  await phone.change(patch);
}

byId("new-chat-button").append(icon("plus"));
byId("back-button").append(icon("back"));
byId("picture-button").append(icon("picture"));
byId("location-button").append(icon("pin"));
document.querySelector("button.send").append(icon("send"));
byId("owner-button").addEventListener("click", () => openOwner(phone.customer(), saveOwner));
byId("new-chat-button").addEventListener("click", () => openNewChat(open));
byId("back-button").addEventListener("click", () => document.body.dataset.view = "shelf");
document.addEventListener("visibilitychange", () => document.hidden || showChat());

show();
phone.connect();
