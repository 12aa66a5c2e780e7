import { strict as assert } from "node:assert";
import { readAccountEvent } from "./account_effect.ts";

const template = {
  message_template_id: 1689556908129832,
  message_template_name: "order_confirmation",
  message_template_language: "en-US",
};
const named = {
  kind: "template",
  template_id: "1689556908129832",
  name: "order_confirmation",
  language: "en_US",
};
const number = { display_phone_number: "+1 555-078-3881" };

function status(event: string, title?: string) {
  return { ...template, event, reason: null, ...(title ? { other_info: { title } } : {}) };
}

/** Field, value, and what of the first update matters here. */
const cases: [title: string, field: string, value: unknown, expected: unknown[]][] = [
  ["an approved template goes", "message_template_status_update", status("APPROVED"), [{
    ...named,
    status: { name: "APPROVED", reason: null, effect: "goes", pause_hours: null },
  }]],
  [
    "a first pause waits three hours",
    "message_template_status_update",
    status("PAUSED", "FIRST_PAUSE"),
    [{
      ...named,
      status: { name: "PAUSED", reason: "FIRST_PAUSE", effect: "waits", pause_hours: 3 },
    }],
  ],
  [
    "a second pause waits six",
    "message_template_status_update",
    status("PAUSED", "SECOND_PAUSE"),
    [{
      ...named,
      status: { name: "PAUSED", reason: "SECOND_PAUSE", effect: "waits", pause_hours: 6 },
    }],
  ],
  [
    "a pause for pacing waits until somebody unpauses",
    "message_template_status_update",
    status("PAUSED", "RATE_LIMITING_PAUSE"),
    [{
      ...named,
      status: { name: "PAUSED", reason: "RATE_LIMITING_PAUSE", effect: "waits", pause_hours: null },
    }],
  ],
  [
    "an unpaused template goes whatever the event is called",
    "message_template_status_update",
    status("PAUSED", "UNPAUSE"),
    [{
      ...named,
      status: { name: "APPROVED", reason: "UNPAUSE", effect: "goes", pause_hours: null },
    }],
  ],
  ["a disabled template ends", "message_template_status_update", status("DISABLED"), [{
    ...named,
    status: { name: "DISABLED", reason: null, effect: "ends", pause_hours: null },
  }]],
  ["a status nobody knows changes nothing", "message_template_status_update", status("MELTED"), [{
    ...named,
    status: { name: "MELTED", reason: null, effect: "none", pause_hours: null },
  }]],
  ["a template's quality", "message_template_quality_update", {
    ...template,
    previous_quality_score: "GREEN",
    new_quality_score: "YELLOW",
  }, [{ ...named, quality: "YELLOW" }]],
  ["a template's category", "template_category_update", {
    ...template,
    previous_category: "UTILITY",
    new_category: "MARKETING",
  }, [{ ...named, category: "MARKETING" }]],
  ["an upgraded throughput", "phone_number_quality_update", {
    ...number,
    event: "THROUGHPUT_UPGRADE",
    max_daily_conversations_per_business: "TIER_UNLIMITED",
  }, [{
    kind: "number",
    number: "15550783881",
    messaging_limit: "TIER_UNLIMITED",
    throughput_per_second: 1_000,
  }]],
  ["a flagged number", "phone_number_quality_update", {
    ...number,
    event: "FLAGGED",
    current_limit: "TIER_10K",
  }, [
    { kind: "number", number: "15550783881", messaging_limit: "TIER_10K" },
    {
      kind: "attention",
      subject: "quality",
      number: "15550783881",
      cause: "number_flagged",
      stops: "bulk",
      detail: {},
      until: null,
    },
  ]],
  ["a number that is no longer flagged", "phone_number_quality_update", {
    ...number,
    event: "UNFLAGGED",
  }, [
    { kind: "number", number: "15550783881" },
    {
      kind: "attention_over",
      subject: "quality",
      number: "15550783881",
      causes: ["number_flagged"],
    },
  ]],
  ["a number's name", "phone_number_name_update", {
    ...number,
    decision: "APPROVED",
    requested_verified_name: "Lucky Shrub",
    rejection_reason: null,
  }, [{
    kind: "number",
    number: "15550783881",
    name: { decision: "APPROVED", requested: "Lucky Shrub" },
  }]],
  ["a limit told as a number", "business_capability_update", {
    max_daily_conversations_per_business: 2000,
    max_phone_numbers_per_business: 25,
  }, [{ kind: "number", number: null, messaging_limit: "2000" }]],
  ["a limit as older versions tell it", "business_capability_update", {
    max_daily_conversation_per_phone: 1000,
  }, [{ kind: "number", number: null, messaging_limit: "1000" }]],
  ["a restriction with its end", "account_update", {
    event: "ACCOUNT_RESTRICTION",
    restriction_info: [
      { restriction_type: "RESTRICTED_BIZ_INITIATED_MESSAGING", expiration: 1795348800 },
      { restriction_type: "RESTRICTED_ADD_PHONE_NUMBER_ACTION", expiration: 1795348800 },
    ],
  }, [{
    kind: "attention",
    subject: "restriction:templates",
    number: null,
    cause: "account_restricted",
    stops: "templates",
    detail: {},
    until: "2026-11-22T12:00:00.000Z",
  }]],
  ["a restriction whose end is no moment", "account_update", {
    event: "ACCOUNT_RESTRICTION",
    restriction_info: [
      { restriction_type: "RESTRICTED_CUSTOMER_INITIATED_MESSAGING", expiration: 9e15 },
    ],
  }, [{
    kind: "attention",
    subject: "restriction:answers",
    number: null,
    cause: "account_may_not_answer",
    stops: "all",
    detail: {},
    until: null,
  }]],
  ["a ban", "account_update", {
    event: "DISABLED_UPDATE",
    ban_info: { waba_ban_state: ["DISABLE"], waba_ban_date: "November 22, 2026" },
  }, [{
    kind: "attention",
    subject: "ban",
    number: null,
    cause: "account_disabled",
    stops: "all",
    detail: {},
    until: null,
  }]],
  ["a ban that is over", "account_update", {
    event: "DISABLED_UPDATE",
    ban_info: { waba_ban_state: "REINSTATE" },
  }, [{
    kind: "attention_over",
    subject: "ban",
    number: null,
    causes: [
      "account_disabled",
      "account_to_be_disabled",
      "account_restricted",
      "account_may_not_answer",
    ],
  }]],
  ["a critical alert", "account_alerts", {
    entity_type: "BUSINESS",
    alert_info: { alert_severity: "CRITICAL", alert_type: "OBA_REVOKED" },
  }, [{
    kind: "attention",
    subject: "alert:OBA_REVOKED",
    number: null,
    cause: "account_alert",
    stops: "nothing",
    detail: { type: "OBA_REVOKED" },
    until: null,
  }]],
  ["an alert that informs", "account_alerts", {
    alert_info: { alert_severity: "INFORMATIONAL", alert_type: "OBA_APPROVED" },
  }, []],
  ["a customer who wants no marketing", "user_preferences", {
    user_preferences: [
      { wa_id: "16505551234", category: "marketing_messages", value: "stop" },
      { user_id: "US.1", category: "marketing_messages", value: "resume" },
      { wa_id: "16505551234", category: "something_else", value: "stop" },
    ],
  }, [
    { kind: "preference", phone: "+16505551234", user_id: null, stopped: true },
    { kind: "preference", phone: null, user_id: "US.1", stopped: false },
  ]],
  ["a field that means nothing here", "security", { event: "PIN_CHANGED" }, []],
  ["an event that nobody knows", "account_update", { event: "AD_ACCOUNT_LINKED" }, []],
  ["a value that is not as documented", "account_update", { event: 7 }, []],
  ["a value that is text", "account_update", "x", []],
];

for (const [title, field, value, expected] of cases) {
  Deno.test(`account events: ${title}`, () => {
    assert.deepEqual(readAccountEvent(field, value), expected);
  });
}
