import { byId, el, moment, showIn } from "./dom.js";

const TONES = {
  delivered: "good",
  read: "good",
  sent: "good",
  failed: "bad",
  dead: "bad",
  expired: "warn",
  outcome_unknown: "warn",
};
const words = (name) => name.replaceAll("_", " ");

/** The messages of one tenant: the newest, which follow what happens, and older pages on demand. */
export function createMessages(read) {
  const shown = { tenant: null, status: "", older: [], cursor: null };

  byId("older").onclick = async () => {
    const page = await ask(shown.cursor);
    if (!page) return;
    shown.older.push(...page.messages);
    shown.cursor = page.next_cursor;
    await refresh();
  };
  byId("status").onchange = ({ target }) => choose({ status: target.value });
  byId("rows").onclick = ({ target }) => {
    const id = target.closest("button")?.dataset.id;
    if (id) tell(id);
  };
  byId("close").onclick = () => byId("message").close();

  function ask(cursor) {
    const query = new URLSearchParams({ tenant: shown.tenant, status: shown.status });
    if (cursor) query.set("cursor", cursor);
    return read(`/api/messages?${query}`).then(({ ok, value }) => ok ? value : showFault(value));
  }

  async function refresh() {
    if (shown.tenant === null) return;
    const of = { ...shown };
    const page = await ask(null);
    // Somebody has chosen another tenant meanwhile.
    if (!page || of.tenant !== shown.tenant || of.status !== shown.status) return;
    const newest = page.messages;
    if (shown.older.length === 0) shown.cursor = page.next_cursor;
    const ids = new Set(newest.map(({ id }) => id));
    show([...newest, ...shown.older.filter(({ id }) => !ids.has(id))], shown.cursor !== null);
  }

  async function choose(changes) {
    Object.assign(shown, { older: [], cursor: null }, changes);
    byId("rows").replaceChildren();
    byId("no-messages").hidden = true;
    await refresh();
  }

  async function tell(id) {
    const { ok, value } = await read(`/api/messages/${id}?tenant=${shown.tenant}`);
    byId("message-title").textContent = ok ? `${value.type} to ${value.to}` : "No such message";
    showIn(byId("story"), ok ? story(value) : [el("p", {}, value.detail ?? value.error ?? "")]);
    byId("message").showModal();
  }

  function show(messages, hasOlder) {
    const focused = document.activeElement?.dataset?.id;
    byId("table").hidden = messages.length === 0;
    byId("no-messages").hidden = messages.length > 0;
    byId("no-messages").textContent = shown.status
      ? `None is ${words(shown.status)}.`
      : "None yet: POST /wa-messages sends one.";
    byId("older").hidden = !hasOlder;
    showIn(byId("rows"), messages.map(row));
    if (focused) byId("rows").querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  }

  return { refresh, choose, tenant: () => shown.tenant };
}

function showFault({ detail, error }) {
  byId("table").hidden = true;
  byId("older").hidden = true;
  byId("no-messages").hidden = false;
  byId("no-messages").textContent = detail ?? error ?? "The messages cannot be read.";
  return null;
}

function row({ id, created_at, status, error, to, type, lane }) {
  const cause = error?.cause && ` · ${words(error.cause)}`;
  return el(
    "tr",
    {},
    el(
      "td",
      {},
      el("button", { type: "button", class: "plain", "data-id": id }, moment(created_at)),
    ),
    el("td", { class: `chip ${TONES[status] ?? ""}` }, `${words(status)}${cause ?? ""}`),
    el("td", {}, to),
    el("td", {}, type),
    el("td", {}, lane),
  );
}

function story(message) {
  const { timeline = [], attempts = [], waiting_for, error } = message;
  const facts = {
    id: message.id,
    status: words(message.status),
    from: message.from,
    "planned for": moment(message.planned_send_at),
    "waits for": waiting_for,
    "because of": error && [error.cause, error.detail].filter(Boolean).join(": "),
    "Meta's id": message.wamid,
  };
  return [
    el(
      "dl",
      { class: "facts" },
      Object.entries(facts).filter(([, value]) => value).map(([name, value]) => [
        el("dt", {}, name),
        el("dd", {}, value),
      ]),
    ),
    el("h3", {}, "What happened"),
    el(
      "ol",
      {},
      timeline.map(({ at, status, source }) =>
        el(
          "li",
          {},
          `${moment(at)} · ${words(status)}`,
          el("span", { class: "quiet" }, ` ${source}`),
        )
      ),
    ),
    attempts.length > 0 ? el("h3", {}, "Attempts") : null,
    el(
      "ol",
      {},
      attempts.map(({ started_at, outcome, error }) =>
        el(
          "li",
          {},
          `${moment(started_at)} · ${words(outcome ?? "under way")}`,
          error ? el("pre", { tabindex: "0" }, JSON.stringify(error, null, 2)) : null,
        )
      ),
    ),
  ].filter((part) => part !== null);
}
