import { byId, duration, el, showIn } from "./dom.js";

const TONES = { ok: "good", degraded: "warn", down: "bad" };
const state = (isGood, text) => ({ tone: isGood ? "good" : "warn", text });

/** Shows what the installation consists of, and how much waits in it. */
export function showParts(health) {
  const parts = Object.entries(partsOf(health)).map(([name, { tone, text }]) =>
    el("div", {}, el("dt", {}, el("span", { class: `dot ${tone}` }), name), el("dd", {}, text))
  );
  showIn(byId("parts"), parts);
  const numbers = numbersOf(health).map(([name, count, note]) =>
    el(
      "div",
      {},
      el("dd", {}, count === undefined ? "–" : count.toLocaleString("en")),
      el("dt", {}, name, note ? el("small", {}, note) : null),
    )
  );
  showIn(byId("numbers"), numbers);
}

function partsOf({ database, redis, cron, senders, credentials, breakers, secrets, faults = [] }) {
  const { total_requests = 0, cache_hit_rate = 0 } = credentials?.stats ?? {};
  return {
    Database: timed(database),
    Redis: timed(redis),
    Cron: cron
      ? state(!faults.includes("cron"), tickText(cron.age_seconds))
      : { tone: "", text: "unknown" },
    Vault: faults.includes("database")
      ? { tone: "", text: "unknown" }
      : state(!faults.includes("secrets"), vaultText(secrets)),
    Senders: senders
      ? state(!senders.paused && !senders.needing_attention, sendersText(senders))
      : { tone: "", text: "unknown" },
    Breakers: breakers
      ? state(
        breakers.length === 0,
        breakers.length ? `${breakers.length} not closed` : "all closed",
      )
      : { tone: "", text: "not shared without Redis" },
    Tokens: state(
      credentials?.status === "ok",
      total_requests ? `${Math.round(cache_hit_rate * 100)} % from memory` : "none read yet",
    ),
  };
}

function timed(part) {
  if (part?.status === "ok") {
    return { tone: TONES.ok, text: `answers in ${Math.round(part.duration_ms)} ms` };
  }
  if (part?.status === "not_configured") return { tone: "", text: "not configured" };
  return { tone: TONES.down, text: part?.error ?? "does not answer" };
}

const tickText = (age) => age === null ? "has never ticked" : `ticked ${duration(age)} ago`;
const vaultText = ({ switchyard_project_url, switchyard_secret_key } = {}) =>
  switchyard_project_url && switchyard_secret_key ? "both secrets set" : "a secret is missing";
const sendersText = ({ active, paused, needing_attention = 0 }) =>
  [
    `${active.toLocaleString("en")} active`,
    paused && `${paused.toLocaleString("en")} paused`,
    needing_attention && `${needing_attention.toLocaleString("en")} need attention`,
  ].filter(Boolean).join(", ");

function numbersOf({ queues, messages }) {
  const { outbound, inbound, callbacks } = queues ?? {};
  return [
    ["due to send", outbound?.depth, oldest(outbound)],
    ["being sent", outbound?.in_flight],
    ["events waiting", inbound?.depth, oldest(inbound)],
    ["callbacks due", callbacks?.depth, oldest(callbacks)],
    ["outcome unknown", messages?.outcome_unknown],
    ["dead letters", messages?.dead_letters],
    ["quarantined", messages?.quarantined],
  ];
}

const oldest = (queue) =>
  queue?.depth > 0 ? `oldest ${duration(queue.oldest_age_seconds)}` : undefined;
