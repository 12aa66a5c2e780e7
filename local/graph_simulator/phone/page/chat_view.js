import { messageView } from "./bubble.js";
import { byId } from "./dom.js";

const NEAR_BOTTOM_PX = 120;
const shown = new Map();
let isAtBottom = true;

byId("scroller").addEventListener("scroll", ({ target }) => {
  isAtBottom = target.scrollHeight - target.scrollTop - target.clientHeight < NEAR_BOTTOM_PX;
});
// A quote or a longer text below takes room from the messages: the last one stays in sight.
new ResizeObserver(() => isAtBottom && scrollToEnd()).observe(byId("scroller"));

/** Brings the list of messages up to date; what did not change keeps its element and its focus. */
export function showMessages(messages, business, actFor) {
  const list = byId("messages");
  const wasAtBottom = isAtBottom;
  const present = new Set();
  messages.forEach((message, index) => {
    const quoted = messages.find(({ id }) => id === message.context_id);
    const previous = messages[index - 1];
    const key = JSON.stringify([message, quoted?.id, previous?.id, business]);
    present.add(message.id);
    const known = shown.get(message.id);
    if (known?.key !== key) {
      const element = messageView(message, { previous, quoted, business, act: actFor(message) });
      if (known) known.element.replaceWith(element);
      shown.set(message.id, { key, element });
    }
    place(list, shown.get(message.id).element, index);
  });
  for (const id of [...shown.keys()]) {
    if (present.has(id)) continue;
    shown.get(id).element.remove();
    shown.delete(id);
  }
  if (wasAtBottom) scrollToEnd();
}

function place(list, element, index) {
  if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
}

/** Forgets what is shown, so that another chat begins anew. */
export function clearMessages() {
  shown.clear();
  byId("messages").replaceChildren();
}

/** Also after a picture has got its height, or is not to be had. */
export function scrollToEnd() {
  const scroller = byId("scroller");
  scroller.scrollTop = scroller.scrollHeight;
  for (const image of scroller.querySelectorAll("img")) {
    if (image.complete) continue;
    for (const end of ["load", "error"]) image.addEventListener(end, scrollToEnd, { once: true });
  }
}
