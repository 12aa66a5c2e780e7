import { FAULT_SECTIONS, faultTroubles } from "./faults.js";
import { count, plural, trouble, words } from "./words.js";

/**
 * What an operator has to know: is anything wrong, where, since when, what to do. Each trouble has the
 * section of docs/operations.md that says what to do.
 */

const TONES = ["bad", "warn", "quiet"];

/** Every section that a trouble may name. */
export const SECTIONS = [
  ...FAULT_SECTIONS,
  "sender-needs-attention",
  "breakers",
  "dead-letters",
  "outcomes-unknown",
  "files-that-could-not-be-kept",
];

/**
 * Lists the troubles, the worst first. `details` are the answers about senders, dead letters and
 * quarantine, as far as there are any; `nameOf` names a tenant.
 */
export function troublesOf(health, details, nameOf, now) {
  const troubles = [
    ...faultTroubles(health, now),
    ...attentionTroubles(details.attention ?? [], nameOf),
    ...breakerTroubles(health.breakers ?? [], nameOf),
    ...callbackTroubles(health.queues?.callbacks),
    ...deadLetterTroubles(details.causes ?? []),
    ...quarantineTroubles(details.reasons ?? []),
    ...unknownTroubles(health.messages),
    ...mediaTroubles(health.messages),
  ];
  return TONES.flatMap((tone) => troubles.filter((trouble) => trouble.tone === tone));
}

/** GET /admin/attention lists no more. */
const MOST_LISTED = 1_000;

// One for each cause, since the same is to be done for all that have it.
function attentionTroubles(attention, nameOf) {
  const byCause = Map.groupBy(attention, ({ cause }) => cause.split(":")[0]);
  return [...byCause].map(([cause, rows]) => ({
    ...trouble(`attention:${cause}`, {
      title: `${
        plural(rows.length, "sender needs", "senders need", attention.length < MOST_LISTED)
      } attention: ${words(cause)}`,
      section: "sender-needs-attention",
      tone: rows.some(({ stops }) => stops === "all") ? "bad" : "warn",
    }),
    since: rows.map(({ raised_at }) => raised_at).sort()[0],
    detail: STOPS[strongest(rows)],
    subjects: rows.map(({ tenant_id, phone_number_id, cause, raised_at, until }) => ({
      text: `${nameOf(tenant_id)} · ${phone_number_id}`,
      // What the cause is of: a template's name, for one.
      note: cause.split(":").slice(1).join(":"),
      since: raised_at,
      until,
      tenant: tenant_id,
    })),
  }));
}

const STOPS = {
  all: "nothing of theirs is sent",
  templates: "their templates wait",
  bulk: "their bulk messages wait",
  nothing: "everything is sent",
};
const strongest = (rows) =>
  Object.keys(STOPS).find((stops) => rows.some((row) => row.stops === stops)) ?? "nothing";

/** More of one kind are one trouble: a list of hundreds says less than their number. */
const MOST_BREAKERS = 5;

function breakerTroubles(breakers, nameOf) {
  const named = breakers.map((breaker) => ({ ...breaker, what: scopeText(breaker.scope, nameOf) }));
  const byKind = Map.groupBy(named, ({ scope, state }) => `${split(scope)[0]}:${state}`);
  return [...byKind].flatMap(([kind, group]) =>
    group.length > MOST_BREAKERS ? [manyBreakers(kind, group)] : group.map(oneBreaker)
  );
}

function oneBreaker({ scope, state, cause, what, opened_at, next_probe_at }) {
  return {
    ...trouble(`breaker:${scope}`, {
      title: state === "isolated" ? `Isolated by hand: ${what}` : `Calls are held back: ${what}`,
      section: "breakers",
      tone: state === "half_open" ? "warn" : "bad",
    }),
    since: opened_at ?? undefined,
    detail: state === "isolated" ? "until it is reset" : words(cause),
    next: next_probe_at ?? undefined,
  };
}

function manyBreakers(kind, group) {
  const [scope, state] = kind.split(":");
  const opened = group.map(({ opened_at }) => opened_at).filter(Boolean).sort();
  return {
    ...trouble(`breakers:${kind}`, {
      title: `${count(group.length)} breakers are ${words(state)}: ${words(scope)}`,
      section: "breakers",
      tone: state === "half_open" ? "warn" : "bad",
    }),
    since: opened[0],
    subjects: group.map(({ what, cause, opened_at }) => ({
      text: what,
      note: words(cause),
      since: opened_at,
    })),
  };
}

function scopeText(scope, nameOf) {
  const [kind, id = ""] = split(scope);
  return { app: "everything", tenant: nameOf(id) }[kind] ?? `${words(kind)} ${id}`;
}

function callbackTroubles(callbacks) {
  const { paused_endpoints = 0, failing_endpoints = 0 } = callbacks ?? {};
  const states = [
    ["paused", paused_endpoints, "nothing arrived for a day, nothing is sent any more"],
    ["failing", failing_endpoints, "nothing arrived for 15 minutes"],
  ];
  return states.filter(([, howMany]) => howMany > 0).map(([state, howMany, detail]) => ({
    ...trouble(`callbacks:${state}`, {
      title: `${plural(howMany, "callback endpoint is", "callback endpoints are")} ${state}`,
      section: "callbacks-not-delivered-callbacks",
      tone: "warn",
    }),
    detail,
  }));
}

function deadLetterTroubles(causes) {
  return causes.map(({ cause, count: howMany, is_complete, newest_at }) => ({
    ...trouble(`dead:${cause}`, {
      title: `${plural(howMany, "dead letter", "dead letters", is_complete)}: ${words(cause)}`,
      section: "dead-letters",
      tone: "warn",
    }),
    last: newest_at,
  }));
}

function quarantineTroubles(reasons) {
  return reasons.map(({ reason, count: howMany, is_complete, newest_at }) => ({
    ...trouble(`quarantine:${reason}`, {
      title: `${plural(howMany, "event", "events", is_complete)} in quarantine: ${words(reason)}`,
      section: "quarantine-quarantine",
      // What came lately is a fault of its own.
      tone: "quiet",
    }),
    last: newest_at,
  }));
}

function unknownTroubles(messages) {
  const howMany = messages?.outcome_unknown ?? 0;
  if (howMany === 0) return [];
  return [{
    ...trouble("unknown", {
      title: `${plural(howMany, "message went", "messages went")} out, or not: outcome unknown`,
      section: "outcomes-unknown",
      tone: "quiet",
    }),
    detail: "most settle by themselves",
  }];
}

function mediaTroubles(messages) {
  const howMany = messages?.media_failed ?? 0;
  if (howMany === 0) return [];
  return [trouble("media", {
    title: `${plural(howMany, "file", "files")} of customers could not be kept`,
    section: "files-that-could-not-be-kept",
    tone: "quiet",
  })];
}

function split(scope) {
  const at = scope.indexOf(":");
  return at < 0 ? [scope] : [scope.slice(0, at), scope.slice(at + 1)];
}
