import { quoteView } from "./bubble.js";
import { byId } from "./dom.js";

const TALLEST_PX = 160;
/** A place to send without asking a browser where it is. */
const SOMEWHERE = {
  latitude: 52.5163,
  longitude: 13.3777,
  name: "Brandenburg Gate",
  address: "Berlin",
};

/** The line to write in: Enter sends, Shift and Enter begin a new line. */
export function createComposer({ send, sendPicture }) {
  const form = byId("composer");
  const text = byId("text");
  let quoted = null;

  function quote(message, business) {
    quoted = message;
    byId("quote").hidden = message === null;
    byId("quote").replaceChildren(
      ...(message ? [quoteView(message, business, () => quote(null))] : []),
    );
    text.focus();
  }

  function grow() {
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight, TALLEST_PX)}px`;
    form.classList.toggle("ready", text.value.trim() !== "");
  }

  async function attempt(sending) {
    byId("problem").hidden = true;
    try {
      await sending();
      quote(null);
    } catch (error) {
      byId("problem").textContent = `Not sent: ${error.message}`;
      byId("problem").hidden = false;
    }
  }

  const quoting = () => quoted === null ? {} : { context: { message_id: quoted.id } };
  const shareLocation = () =>
    attempt(() => send({ type: "location", location: SOMEWHERE, ...quoting() }));

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const body = text.value.trim();
    if (body === "") return;
    text.value = "";
    grow();
    attempt(() => send({ type: "text", text: { body }, ...quoting() }));
  });
  text.addEventListener("input", grow);
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  byId("location-button").addEventListener("click", shareLocation);
  byId("picture-button").addEventListener("click", () => byId("picture").click());
  byId("picture").addEventListener("change", ({ target }) => {
    const [file] = target.files;
    target.value = "";
    if (file) attempt(() => sendPicture(file, quoting()));
  });

  return { quote, shareLocation, attempt };
}
