/** A trouble that is told by its title alone; whoever makes it adds what else is known. */
export function trouble(key, { title, section, tone }) {
  return { key, title, section, tone, detail: "", subjects: [] };
}

/** outcome_unknown → outcome unknown */
export const words = (name) => (name ?? "").replaceAll("_", " ");
export const count = (howMany) => (howMany ?? 0).toLocaleString("en");

/** With a plus sign where nobody counted to the end. */
export function plural(howMany, one, many, isComplete = true) {
  return `${count(howMany)}${isComplete ? "" : "+"} ${howMany === 1 ? one : many}`;
}
