import { fileCard, film, locationView, picture } from "./media_view.js";
import { el } from "./dom.js";
import { linkButton, tap } from "./interactive_view.js";
import { textView } from "./text_view.js";

/** A template message: filled where the simulator knows the template, else name and parameters. */
export function templateView(content, act, message) {
  const filled = message.template;
  if (filled === undefined) return unknownTemplate(content, act);
  return [
    headerMedia(content),
    filled.header ? el("p", { class: "heading" }, filled.header) : null,
    el("div", {}, textView(filled.body)),
    filled.footer ? el("p", { class: "label" }, filled.footer) : null,
    el(
      "div",
      { class: "taps" },
      filled.buttons.map((button, index) => templateButton(button, index, content, act)),
    ),
  ];
}

function unknownTemplate(content, act) {
  const bodies = componentsOf(content, "body").flatMap(({ parameters = [] }) => parameters);
  const replies = componentsOf(content, "button").filter(({ sub_type: type }) =>
    String(type).toLowerCase() === "quick_reply"
  );
  return [
    headerMedia(content),
    el("p", { class: "label" }, `Template · ${content.language?.code ?? ""}`),
    el("p", { class: "heading" }, content.name),
    bodies.length === 0
      ? null
      : el("ol", { class: "parameters" }, bodies.map((one) => el("li", {}, parameterText(one)))),
    el(
      "div",
      { class: "taps" },
      replies.map((component) => {
        const payload = component.parameters?.[0]?.payload ?? `button ${component.index}`;
        return tap(String(payload), () => act.tapTemplate(String(payload), String(payload)));
      }),
    ),
  ];
}

function templateButton({ type, text, url }, index, content, act) {
  const component = componentsOf(content, "button").find((one) => Number(one.index) === index);
  const parameter = component?.parameters?.[0];
  if (type === "URL") {
    return linkButton(text, String(url ?? "").replace(/\{\{.*?\}\}/, parameter?.text ?? ""));
  }
  if (type === "QUICK_REPLY") {
    return tap(text, () => act.tapTemplate(text, String(parameter?.payload ?? text)));
  }
  if (type === "COPY_CODE") {
    const code = parameter?.coupon_code ?? parameter?.text ?? "";
    return tap(text, () => navigator.clipboard?.writeText(String(code)));
  }
  return tap(text, () => {});
}

function headerMedia(content) {
  const [header] = componentsOf(content, "header");
  const parameter = header?.parameters?.[0];
  if (parameter?.type === "image") return picture(parameter.image);
  if (parameter?.type === "video") {
    return film(parameter.video);
  }
  if (parameter?.type === "document") return fileCard(parameter.document);
  return parameter?.type === "location" ? el("div", {}, locationView(parameter.location)) : null;
}

function componentsOf({ components = [] }, type) {
  return components.filter((component) => component.type.toLowerCase() === type);
}

function parameterText(parameter) {
  const content = parameter[parameter.type];
  return typeof content === "string" ? content : content?.fallback_value ?? `[${parameter.type}]`;
}
