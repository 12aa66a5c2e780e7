/**
 * What an operator has to know: is anything wrong, where, since when, what to do. Each trouble has the
 * section of docs/operations.md that says what to do.
 */

/** The faults of GET /health/detailed, in the order in which they are to be put right. */
const FAULTS = {
  database: {
    title: "The database does not answer",
    section: "database-down-database",
    tone: "bad",
    detail: ({ database }) => words(database?.error),
  },
  secrets: {
    title: "Nothing rings the functions: Vault lacks a secret",
    section: "secrets-missing-secrets",
    tone: "bad",
    detail: ({ secrets = {} }) =>
      ["switchyard_project_url", "switchyard_secret_key"].filter((name) => secrets[name] === false)
        .join(", "),
  },
  cron: {
    title: "Cron is silent",
    section: "cron-silent-cron",
    tone: "bad",
    since: ({ cron }) => cron?.ticked_at,
    detail: ({ cron }) => cron?.ticked_at ? "no tick since then" : "it has never ticked",
  },
  outbound: {
    title: "Messages go out late",
    section: "outbound-backlog-growing-old-outbound",
    tone: "bad",
    age: ({ queues }) => queues?.outbound.oldest_age_seconds,
    detail: ({ queues }) => `${count(queues?.outbound.depth)} due`,
  },
  inbound: {
    title: "Webhooks are applied late",
    section: "inbound-backlog-growing-old-inbound",
    tone: "bad",
    age: ({ queues }) => queues?.inbound.oldest_age_seconds,
    detail: ({ queues }) => `${count(queues?.inbound.depth)} waiting`,
  },
  wallet: {
    title: "The books do not agree",
    section: "books-that-do-not-agree-wallet",
    tone: "bad",
    detail: ({ wallet }) => plural(wallet?.findings ?? 0, "finding", "findings"),
  },
  callbacks: {
    title: "Callbacks are not looked at",
    section: "callbacks-not-delivered-callbacks",
    tone: "bad",
    age: ({ queues }) => queues?.callbacks.unread_age_seconds,
    detail: ({ queues }) => `${count(queues?.callbacks.depth)} due`,
  },
  quarantine: {
    title: "Webhooks came that are not understood, or nobody's",
    section: "quarantine-quarantine",
    tone: "warn",
    detail: ({ messages }) => `${count(messages?.quarantined_lately)} within a day`,
  },
  redis: {
    title: "Redis does not answer",
    section: "redis-down-slow-or-full-redis",
    tone: "warn",
    detail: ({ redis }) => `${words(redis?.error)}; everything goes on, more slowly`,
  },
};

const TONES = ["bad", "warn", "quiet"];

/** Every section that a trouble may name. */
export const SECTIONS = [
  ...Object.values(FAULTS).map(({ section }) => section),
  ...["sender-needs-attention", "breakers", "dead-letters", "outcomes-unknown"],
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

function faultTroubles(health, now) {
  const names = health.faults ?? [];
  return Object.entries(FAULTS).filter(([name]) => names.includes(name)).map(([name, fault]) => {
    const age = fault.age?.(health);
    const since = fault.since?.(health) ??
      (age === undefined ? undefined : new Date(now - age * 1_000).toISOString());
    return { ...trouble(`fault:${name}`, fault), since, detail: fault.detail(health) };
  });
}

// One for each cause, since the same is to be done for all that have it.
function attentionTroubles(attention, nameOf) {
  const byCause = Map.groupBy(attention, ({ cause }) => cause.split(":")[0]);
  return [...byCause].map(([cause, rows]) => ({
    ...trouble(`attention:${cause}`, {
      title: `${plural(rows.length, "sender needs", "senders need")} attention: ${words(cause)}`,
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

function breakerTroubles(breakers, nameOf) {
  return breakers.map(({ scope, state, cause, opened_at, next_probe_at }) => {
    const [kind, id = ""] = split(scope);
    const what = { app: "everything", tenant: nameOf(id) }[kind] ?? `${words(kind)} ${id}`;
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
  });
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

function trouble(key, { title, section, tone }) {
  return { key, title, section, tone, detail: "", subjects: [] };
}

function split(scope) {
  const at = scope.indexOf(":");
  return at < 0 ? [scope] : [scope.slice(0, at), scope.slice(at + 1)];
}

const words = (name) => (name ?? "").replaceAll("_", " ");
const count = (howMany) => (howMany ?? 0).toLocaleString("en");

function plural(howMany, one, many, isComplete = true) {
  return `${count(howMany)}${isComplete ? "" : "+"} ${howMany === 1 ? one : many}`;
}
