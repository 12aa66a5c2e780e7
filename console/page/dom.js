/** Makes an element. Text is only ever set as text, so what a stranger sent cannot bring markup. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null));
  return element;
}

/** The element with this id; the page always has it. */
export const byId = (id) => document.getElementById(id);

/** Replaces what is shown only where it differs, so that focus, selection and scrolling stay. */
export function showIn(host, children) {
  const draft = el("div", {}, ...children);
  if (host.innerHTML !== draft.innerHTML) host.replaceChildren(...draft.childNodes);
}

/** 75 s → "1 min" */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** A moment by this machine's clock: the time today, else with the date. */
export function moment(iso, now = new Date()) {
  const at = new Date(iso);
  const isToday = at.toDateString() === now.toDateString();
  return at.toLocaleString(
    [],
    isToday ? { timeStyle: "medium" } : {
      dateStyle: "medium",
      timeStyle: "short",
    },
  );
}

/** Since when, and for how long that is. */
export function sinceText(iso, now) {
  return `since ${moment(iso, now)}, for ${duration((now - new Date(iso)) / 1_000)}`;
}
