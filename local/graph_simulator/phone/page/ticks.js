import { el, icon } from "./dom.js";

const looks = {
  from_customer: {
    pending: ["clock", "On its way to the business"],
    accepted: ["check", "Taken by the business"],
    read: ["checks", "Read by the business", "read"],
    failed: ["alert", "Not taken by the business", "failed"],
  },
  from_business: {
    accepted: ["clock", "Accepted, not reported as sent yet"],
    sent: ["check", "Reported as sent"],
    delivered: ["checks", "Reported as delivered"],
    read: ["checks", "Reported as read", "read"],
    failed: ["alert", "Reported as failed", "failed"],
  },
};

/** The mark beside the time: how far a message has come, in a picture and in words. */
export function tickView({ direction, tick }) {
  const [image, words, kind = ""] = looks[direction][tick] ?? looks.from_customer.pending;
  return el(
    "span",
    { class: `tick ${kind}`, title: words },
    icon(image),
    el("span", { class: "visually-hidden" }, words),
  );
}
