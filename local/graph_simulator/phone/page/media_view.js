import { el, icon } from "./dom.js";

/** Where the bytes are: a file of the simulator, or whatever the business linked to. */
export function sourceOf({ id, link }) {
  return id ? `/_phone/media/${encodeURIComponent(id)}` : link;
}

export function picture(content, kind = "picture") {
  const image = el("img", {
    class: kind,
    src: sourceOf(content),
    alt: content.caption ?? "Picture",
  });
  image.addEventListener("error", () => {
    const why = content.link ? `Picture at ${content.link}` : "This picture is not here any more.";
    image.replaceWith(el("p", { class: "missing" }, icon("picture"), why));
  });
  return image;
}

export function film(content) {
  const video = el("video", { controls: true, src: sourceOf(content) });
  video.addEventListener("error", () => {
    const why = content.link ? `Video at ${content.link}` : "This video is not here any more.";
    video.replaceWith(el("p", { class: "missing" }, icon("picture"), why));
  });
  return video;
}

export function fileCard(content) {
  const name = content.filename ?? content.link?.split("/").at(-1) ?? "Document";
  const link = { href: sourceOf(content), target: "_blank", rel: "noreferrer noopener" };
  return el("a", { class: "card", ...link }, icon("file"), el("span", {}, name));
}

export function locationView({ latitude, longitude, name, address }) {
  const where = `${Number(latitude).toFixed(4)}, ${Number(longitude).toFixed(4)}`;
  return [
    el("div", { class: "map", role: "img", "aria-label": `Map at ${where}` }, icon("pin")),
    el(
      "div",
      { class: "caption" },
      name ? el("strong", {}, name) : null,
      address ? el("p", {}, address) : null,
      el("p", { class: "label" }, where),
    ),
  ];
}

/** At most two letters that stand for a name. */
export function initials(name = "") {
  const words = String(name).split(/\s+/).filter((word) => /^\p{L}/u.test(word));
  return words.slice(0, 2).map((word) => [...word][0]).join("").toUpperCase() || "?";
}
