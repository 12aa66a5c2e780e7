/**
 * What Meta's notices about templates, numbers and accounts mean for sending, as data.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview (2026-09)
 */

/** What a person is told of, and what stands still until it is over. */
export interface Attention {
  cause: string;
  /** Nothing unless given: "all" pauses the sender. */
  stops?: "all" | "bulk" | "templates" | "nothing";
  detail?: Record<string, string | null>;
}

interface TemplateStatus {
  /** Messages of the template wait, end as dead letters, or go on. */
  effect: "waits" | "ends" | "goes";
  /** How long Meta pauses it by itself; null: until somebody does something about it. */
  pauseHours?: (title: string | undefined) => number | null;
}

// The third pause is for good. https://developers.facebook.com/docs/whatsapp/message-templates/guidelines#pausing
const PAUSE_HOURS = new Map([["FIRST_PAUSE", 3], ["SECOND_PAUSE", 6]]);

/** A status that is not here changes nothing: Meta's answers decide. */
export const TEMPLATE_STATUSES: ReadonlyMap<string, TemplateStatus> = new Map([
  ["APPROVED", { effect: "goes" }],
  ["REINSTATED", { effect: "goes" }],
  ["UNARCHIVED", { effect: "goes" }],
  ["PAUSED", {
    effect: "waits",
    pauseHours: (title: string | undefined) => PAUSE_HOURS.get(title ?? "") ?? null,
  }],
  ["DISABLED", { effect: "ends" }],
  ["REJECTED", { effect: "ends" }],
  ["IN_APPEAL", { effect: "ends" }],
  ["ARCHIVED", { effect: "ends" }],
  ["PENDING_DELETION", { effect: "ends" }],
  ["DELETED", { effect: "ends" }],
]);

interface NumberEvent {
  attention?: Attention;
  /** Causes that are over. */
  ends?: readonly string[];
  throughputPerSecond?: number;
}

const FLAGGED = "number_flagged";

export const NUMBER_EVENTS: ReadonlyMap<string, NumberEvent> = new Map<string, NumberEvent>([
  ["FLAGGED", { attention: { cause: FLAGGED, stops: "bulk" } }],
  ["UNFLAGGED", { ends: [FLAGGED] }],
  ["DOWNGRADE", { attention: { cause: "messaging_limit_lowered" } }],
  ["UPGRADE", { ends: ["messaging_limit_lowered"] }],
  ["THROUGHPUT_UPGRADE", { throughputPerSecond: 1_000 }],
]);

interface AccountEvent {
  /** What it is about: of two notices about one subject the later one holds. */
  subject: string;
  attention?: Attention;
  ends?: readonly string[];
}

const LOST = "account_lost";

/** Events, ban states and restrictions of account_update. */
export const ACCOUNT_EVENTS: ReadonlyMap<string, AccountEvent> = new Map<string, AccountEvent>([
  ["ACCOUNT_VIOLATION", { subject: "violation", attention: { cause: "account_violation" } }],
  ["RESTRICTED_BIZ_INITIATED_MESSAGING", {
    subject: "restriction:templates",
    attention: { cause: "account_restricted", stops: "templates" },
  }],
  ["RESTRICTED_CUSTOMER_INITIATED_MESSAGING", {
    subject: "restriction:answers",
    attention: { cause: "account_may_not_answer", stops: "all" },
  }],
  ["RESTRICTED_UTILITY_TEMPLATES", {
    subject: "restriction:utility",
    attention: { cause: "utility_templates_restricted" },
  }],
  ["DISABLE", { subject: "ban", attention: { cause: "account_disabled", stops: "all" } }],
  ["SCHEDULE_FOR_DISABLE", { subject: "ban", attention: { cause: "account_to_be_disabled" } }],
  ["REINSTATE", {
    subject: "ban",
    ends: [
      "account_disabled",
      "account_to_be_disabled",
      "account_restricted",
      "account_may_not_answer",
    ],
  }],
  ["ACCOUNT_DELETED", { subject: "access", attention: { cause: LOST, stops: "all" } }],
  ["ACCOUNT_OFFBOARDED", { subject: "access", attention: { cause: LOST, stops: "all" } }],
  ["PARTNER_REMOVED", { subject: "access", attention: { cause: LOST, stops: "all" } }],
  ["ACCOUNT_RECONNECTED", { subject: "access", ends: [LOST] }],
  ["PARTNER_ADDED", { subject: "access", ends: [LOST] }],
]);

/** Alerts that a person should see; others are kept. */
export const ALERTS: ReadonlySet<string> = new Set(["CRITICAL"]);
