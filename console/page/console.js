import { byId, el, moment } from "./dom.js";
import { showParts } from "./health_view.js";
import { createMessages } from "./messages.js";
import { showTroubles } from "./trouble_list.js";
import { troublesOf } from "./troubles.js";

const REFRESH_MS = 2_000;
/** Who needs attention and what is dead is asked for more seldom, since the counts say when. */
const DETAILS_MS = 10_000;

async function read(path) {
  try {
    const response = await fetch(path);
    return { ok: response.ok, status: response.status, value: await response.json() };
  } catch {
    return { ok: false, status: 0, value: { error: "The console was stopped: start it again." } };
  }
}

const names = new Map();
const nameOf = (id) => names.get(id) ?? `tenant ${id.slice(0, 8)}`;
const messages = createMessages(read);
const seen = { details: {}, detailsAt: 0, counts: "", answeredAt: null };

async function refresh() {
  if (document.hidden) return;
  const [answer] = await Promise.all([read("/api/health"), messages.refresh()]);
  // An installation that is down says so with 503.
  if (answer.value.faults === undefined) return showSilence(answer);
  seen.answeredAt = new Date();
  byId("main").hidden = false;
  if (messages.tenant() === null) chooseFirstTenant();
  document.body.classList.remove("stale");
  await refreshDetails(answer.value);
  const now = Date.now();
  const troubles = troublesOf(answer.value, seen.details, nameOf, now);
  showSummary(troubles);
  showTroubles(troubles, runbook, (tenant) => chooseTenant(tenant));
  showParts(answer.value);
}

async function refreshDetails({ messages: counted, senders }) {
  const counts = JSON.stringify([counted, senders?.needing_attention]);
  if (counts === seen.counts && Date.now() - seen.detailsAt < DETAILS_MS) return;
  const { dead_letters = 0, quarantined = 0 } = counted ?? {};
  const [attention, letters, quarantine] = await Promise.all([
    senders?.needing_attention ? read("/api/attention") : null,
    dead_letters > 0 ? read("/api/dead-letters") : null,
    quarantined > 0 ? read("/api/quarantine") : null,
  ]);
  seen.details = {
    attention: attention?.value.attention,
    causes: letters?.value.causes,
    reasons: quarantine?.value.reasons,
  };
  seen.counts = counts;
  seen.detailsAt = Date.now();
}

function showSummary(troubles) {
  const worst = ["bad", "warn", "quiet"].find((tone) => troubles.some((one) => one.tone === tone));
  const grave = troubles.filter(({ tone }) => tone !== "quiet").length;
  say(
    worst === "quiet" ? "good" : worst ?? "good",
    grave === 0
      ? "Everything works"
      : grave === 1
      ? "1 thing is wrong"
      : `${grave} things are wrong`,
    grave === 0 ? "Switchyard console" : `(${grave}) Switchyard console`,
  );
}

/** What was seen last stays, and is said to be old. */
function showSilence({ status, value }) {
  const refused = status === 401 || status === 403;
  const reason = refused
    ? "The API refuses the console's secret key, which was revoked or is another project's: " +
      "start the console with a right SUPABASE_SECRET_KEY."
    : value.error ?? value.detail ?? `The API answers ${status} and no health.`;
  const last = seen.answeredAt ? ` What you see is from ${moment(seen.answeredAt)}.` : "";
  document.body.classList.toggle("stale", seen.answeredAt !== null);
  byId("all-well").hidden = true;
  say("bad", `${reason}${last}`, "(!) Switchyard console");
}

function say(tone, text, title) {
  byId("light").className = `dot ${tone}`;
  if (byId("summary").textContent !== text) byId("summary").textContent = text;
  document.title = title;
}

async function chooseFirstTenant() {
  const [first] = await listTenants();
  const tenant = setup.tenant_id ?? first?.id;
  if (tenant) {
    showTenant(tenant);
    await messages.choose({ tenant });
  } else byId("no-messages").textContent = "There is no tenant yet: POST /admin/tenants makes one.";
}

async function chooseTenant(id) {
  showTenant(id);
  await messages.choose({ tenant: id });
  byId("messages").scrollIntoView({ block: "nearest" });
}

/** The id too, since every command of the runbook that is about a tenant takes it. */
function showTenant(id) {
  byId("tenant").value = nameOf(id);
  byId("tenant-id").textContent = `Its id is ${id}`;
  byId("tenant-id").hidden = false;
}

async function listTenants(search = "") {
  const { ok, value } = await read(`/api/tenants?${new URLSearchParams({ search })}`);
  if (!ok) return [];
  for (const { id, name, slug } of value.tenants) names.set(id, name === slug ? slug : name);
  byId("tenants").replaceChildren(
    ...value.tenants.map(({ slug, name }) => el("option", { value: name }, slug)),
  );
  return value.tenants;
}

/** Takes what was typed for a name, a slug or an id; what matches nothing is said to. */
async function searchTenant() {
  const typed = byId("tenant").value.trim();
  const found = await listTenants(typed);
  const wanted = found.find(({ id, slug, name }) => [id, slug, name].includes(typed)) ?? found[0];
  byId("tenant").setCustomValidity(wanted ? "" : "No tenant has this in its name.");
  byId("tenant").reportValidity();
  if (wanted) await chooseTenant(wanted.id);
}

function showPhone(url) {
  byId("main").classList.toggle("alone", url === null);
  byId("phone").hidden = url === null;
  if (url) byId("frame").src = byId("open").href = url;
}

const [{ value: setup }, { value: runbook }] = await Promise.all([
  read("/api/setup"),
  read("/api/runbook"),
]);
byId("api").textContent = new URL(setup.api_url).host;
showPhone(setup.phone_url);
byId("search").onsubmit = (event) => {
  event.preventDefault();
  searchTenant();
};
byId("tenant").oninput = () => byId("tenant").setCustomValidity("");

document.addEventListener("visibilitychange", refresh);
for (;;) {
  await refresh();
  await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
}
