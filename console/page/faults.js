import { count, plural, trouble, words } from "./words.js";

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

/** The sections of docs/operations.md about faults. */
export const FAULT_SECTIONS = Object.values(FAULTS).map(({ section }) => section);

/** The faults that health names, with what it knows of each. */
export function faultTroubles(health, now) {
  const names = health.faults ?? [];
  return Object.entries(FAULTS).filter(([name]) => names.includes(name)).map(([name, fault]) => {
    const age = fault.age?.(health);
    const since = fault.since?.(health) ??
      (age === undefined ? undefined : new Date(now - age * 1_000).toISOString());
    return { ...trouble(`fault:${name}`, fault), since, detail: fault.detail(health) };
  });
}
