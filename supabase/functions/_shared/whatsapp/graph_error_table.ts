/** Whom an error concerns: what is to be slowed down or held back when it comes. */
export type ErrorScope =
  | "app"
  | "business_account"
  | "sender"
  | "pair"
  | "template"
  | "tenant"
  | "none";

/** Whom not to write to again: nobody, or this recipient always, with marketing, when it recurs. */
export type Suppression =
  | "none"
  | "recipient"
  | "marketing"
  | "marketing_for_a_day"
  | "recipient_when_repeated";

export interface GraphErrorRule {
  code: number;
  /** Last code of a range that begins at `code`. */
  through?: number;
  /** The rule then speaks of answers that carry this subcode alone. */
  subcode?: number;
  /** The rule then speaks of answers whose details match. */
  details?: RegExp;
  /** Stable name, by which dead letters are filtered. */
  cause: string;
  title: string;
  /**
   * retry: the message is tried again. pause: it waits, and the scope with it. credential: the token
   * or its permissions are refused. dead: this message can never be sent.
   */
  outcome: "retry" | "pause" | "credential" | "dead";
  scope: ErrorScope;
  /** Wait before the second try. */
  delay_ms: number;
  /** How many times longer each further wait is. */
  growth: number;
  /** Tries in all, the first included. */
  max_tries: number;
  /** How long nothing else of the scope is tried either; null: go on. */
  pause_ms: number | null;
  /** The scope sends too fast. */
  throttled: boolean;
  /** An operator has to know. */
  alert: boolean;
  suppress: Suppression;
  /** With a 5xx the message may have been sent nevertheless. */
  unknown_on_5xx: boolean;
}

/** Tried until the message itself expires. */
const UNTIL_EXPIRY = Infinity;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

type Details = Partial<Omit<GraphErrorRule, "code" | "cause" | "title" | "outcome">>;
type Codes = number | readonly [from: number, through: number];

const throttled = { delay_ms: 10 * SECOND, max_tries: UNTIL_EXPIRY, throttled: true } as const;

/**
 * Every code that Meta documents for what we call, in its order, and what we do about it. Codes are
 * from https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
 * (2026-09-08) and https://developers.facebook.com/docs/graph-api/guides/error-handling (2026-09);
 * docs/meta-errors.md says the same in prose, with the sources of what these pages leave out.
 */
export const GRAPH_ERROR_RULES: readonly GraphErrorRule[] = [
  // Authorisation and generic Graph
  credential(0, "token_invalid", "The token does not authenticate the app user"),
  retry(1, "api_unknown", "Unknown API error", { max_tries: 3, unknown_on_5xx: true }),
  retry(2, "api_unavailable", "The API is overloaded or down", { scope: "app" }),
  credential(3, "capability_missing", "A capability or permission is missing"),
  retry(4, "app_call_limit", "The app calls too often", { scope: "app", ...throttled }),
  credential(10, "permission_missing", "A permission was not granted or was removed"),
  dead(33, "phone_number_gone", "The phone number is deleted or wrong", {
    scope: "sender",
    pause_ms: HOUR,
    alert: true,
  }),
  dead(100, "parameter_unsupported", "A parameter is unsupported, misspelt or too long"),
  dead(100, "object_not_accessible", "The object does not exist or is not assigned", {
    subcode: 33,
    scope: "sender",
    pause_ms: HOUR,
    alert: true,
  }),
  credential(102, "session_invalid", "The session is not valid"),
  credential(104, "proof_missing", "The app secret proof is missing"),
  credential(190, "token_expired", "The access token is not valid any more"),
  credential(190, "app_removed", "The user removed the app", { subcode: 458 }),
  credential(190, "user_checkpoint", "The user must log in at Facebook", { subcode: 459 }),
  credential(190, "password_changed", "The user changed the password", { subcode: 460 }),
  credential(190, "token_expired", "The access token expired", { subcode: 463 }),
  credential(190, "user_unconfirmed", "The user is not confirmed", { subcode: 464 }),
  credential(190, "token_invalidated", "The access token was invalidated", { subcode: 467 }),
  credential(190, "session_invalid", "The session is not valid", { subcode: 492 }),
  credential([200, 299], "permission_missing", "A permission was not granted or was removed"),
  retry(341, "app_call_limit", "The app calls too often", { scope: "app", ...throttled }),
  pause(368, "policy_block", "Blocked for a while by policy", "tenant", HOUR),
  retry(613, "call_limit", "Calls come too often", { scope: "app", ...throttled }),
  dead(803, "object_unknown", "The id is unknown"),
  retry(80007, "business_account_call_limit", "The business account is called too often", {
    scope: "business_account",
    ...throttled,
  }),
  retry(80008, "business_account_call_limit", "The business account is called too often", {
    scope: "business_account",
    ...throttled,
  }),

  // Throughput and integrity
  retry(130429, "sender_throughput", "The number sends too fast", {
    scope: "sender",
    ...throttled,
  }),
  // 1, 4, 16, 64 s is what Meta asks for.
  retry(131056, "pair_limit", "Too many messages to this recipient", {
    scope: "pair",
    ...throttled,
    delay_ms: SECOND,
    growth: 4,
  }),
  pause(131048, "spam_limit", "Too many blocks or reports of this number", "sender", HOUR),
  // Trying again within a day draws enforcement on the account since 2026-04-30.
  dead(131049, "marketing_cap", "Held back for the health of the ecosystem", {
    scope: "pair",
    suppress: "marketing_for_a_day",
  }),
  pause(131064, "template_classification", "The template seems misclassified", "template", HOUR),
  dead(130472, "marketing_experiment", "The recipient is in Meta's experiment"),
  dead(130497, "country_not_allowed", "The business may not write to this country", {
    alert: true,
  }),
  pause(131031, "account_locked", "The account is locked", "tenant", HOUR),
  pause(131057, "sender_in_maintenance", "The number is in maintenance", "sender", MINUTE, {
    alert: false,
  }),
  dead(133016, "registration_limit", "Registered too often within 72 hours", {
    scope: "sender",
    alert: true,
  }),
  dead(130403, "recipient_blocked", "The recipient is blocked", { suppress: "recipient" }),

  // Sending
  retry(131000, "something_went_wrong", "Unknown failure at Meta"),
  credential(131005, "permission_missing", "A permission is missing"),
  dead(131008, "parameter_missing", "A required parameter is missing"),
  dead(131009, "parameter_invalid", "The value of a parameter is not valid"),
  retry(131016, "service_unavailable", "The service is unavailable", { scope: "app" }),
  dead(131020, "group_invalid", "The group is not valid"),
  dead(131021, "recipient_is_sender", "Recipient and sender are the same number"),
  dead(131026, "undeliverable", "The message cannot be delivered", {
    scope: "pair",
    suppress: "recipient_when_repeated",
  }),
  dead(131030, "recipient_not_allowed", "The recipient is not on the test number's list"),
  dead(131035, "webhook_lost", "A webhook was dropped after its retries", { alert: true }),
  dead(131036, "webhook_not_decrypted", "A webhook could not be decrypted", { alert: true }),
  pause(131037, "display_name_missing", "The number needs an approved name", "sender", HOUR),
  dead(131041, "group_unknown", "The group is unknown"),
  pause(131042, "payment_problem", "The account cannot pay", "tenant", 15 * MINUTE),
  dead(131044, "payment_problem", "The account cannot pay for calls", { alert: true }),
  pause(131045, "certificate_wrong", "The number's registration is wrong", "sender", 15 * MINUTE),
  dead(131047, "window_expired", "More than 24 hours since the recipient wrote", {
    scope: "pair",
    alert: true,
  }),
  dead(131050, "marketing_stopped", "The recipient stopped marketing", {
    scope: "pair",
    suppress: "marketing",
  }),
  dead(131051, "type_unsupported", "The message type is unsupported"),
  dead(131052, "media_not_received", "The sender's media could not be downloaded"),
  dead(131053, "media_upload_failed", "The media could not be uploaded"),
  retry(131053, "media_upload_failed", "The link to the media did not answer in time", {
    details: /timed?[ -]?out/i,
    max_tries: 2,
  }),
  dead(131055, "method_not_allowed", "The method is not allowed"),
  dead(131059, "cursor_invalid", "The cursor is not valid"),
  dead(131060, "message_unavailable", "The message is not available"),
  dead(131062, "needs_phone_number", "The template needs a phone number, not a user id"),
  dead(131063, "marketing_disabled", "Marketing templates are disabled here", { alert: true }),
  dead([131201, 131215], "group_error", "The group cannot take the message"),
  dead(131207, "group_suspended", "The group is suspended", { alert: true }),
  retry(131208, "group_limit", "The group gets too many messages", throttled),
  retry(135000, "generic_user_error", "Something is wrong with the parameters", { max_tries: 2 }),
  dead(136024, "already_verified", "The number is verified already"),
  dead(137000, "identity_changed", "The recipient's identity changed"),
  dead(134011, "payment_terms", "The payment terms are not accepted", { alert: true }),
  dead(139200, "direct_send_blocked", "Direct Send is blocked: use a template"),
  dead([138000, 138999], "calling", "An error of calling"),
  dead([147001, 147005], "username", "An error of usernames"),

  // Templates and flows
  dead(132000, "template_parameters_mismatch", "The number of parameters differs"),
  dead(132001, "template_not_found", "No approved template of this name and language", {
    scope: "template",
    pause_ms: 10 * MINUTE,
    alert: true,
  }),
  dead(132005, "template_text_too_long", "The filled-in text is too long"),
  dead(132007, "template_policy", "The content breaks a policy", {
    scope: "template",
    pause_ms: HOUR,
    alert: true,
  }),
  dead(132008, "template_parameter_invalid", "The value of a parameter is not valid"),
  dead(132012, "template_parameter_format", "The format of a parameter differs"),
  pause(132015, "template_paused", "The template is paused for quality", "template", HOUR),
  dead(132016, "template_disabled", "The template is disabled for good", {
    scope: "template",
    pause_ms: 24 * HOUR,
    alert: true,
  }),
  dead(132018, "template_parameter_invalid", "The parameters are not valid"),
  dead(132068, "flow_blocked", "The flow is blocked", { alert: true }),
  retry(132069, "flow_throttled", "The flow is throttled", { ...throttled, delay_ms: 10 * MINUTE }),
  dead(134100, "marketing_only", "Only marketing messages are sent this way"),
  retry(134101, "template_syncing", "The template is being synchronised", {
    scope: "template",
    delay_ms: 10 * MINUTE,
  }),
  dead(134102, "template_unavailable", "The template is unavailable", {
    scope: "template",
    alert: true,
  }),
  dead([139000, 139004], "flow_management", "The flow cannot be used or changed"),
  dead([139100, 139101], "block_list", "The block list was not changed"),
  retry(139102, "block_list_busy", "The block list is being changed"),
  retry(139103, "block_list_failed", "The block list failed"),
  dead(1752041, "already_onboarded", "Onboarded already"),

  // Registration, migration, template creation, synchronisation
  dead(133000, "deregistration_incomplete", "An earlier deregistration is incomplete", {
    scope: "sender",
    alert: true,
  }),
  retry(133004, "registration_unavailable", "Registration is unavailable for a while"),
  dead(133005, "pin_wrong", "The PIN is wrong", { scope: "sender", alert: true }),
  pause(133006, "phone_not_verified", "The number needs to be verified", "sender", 15 * MINUTE),
  dead([133008, 133009], "pin_attempts", "The PIN was tried too often", {
    scope: "sender",
    alert: true,
  }),
  pause(133010, "phone_not_registered", "The number is not registered", "sender", 15 * MINUTE),
  pause(
    133015,
    "phone_being_deleted",
    "The number's deletion is not finished",
    "sender",
    5 * MINUTE,
  ),
  dead(2388019, "template_limit", "No more templates may be created", { alert: true }),
  ...[2388039, 2388040, 2388047, 2388072, 2388073, 2388293, 2388299].map((code) =>
    dead(code, "template_not_created", "The template's text is not acceptable")
  ),
  ...[2388001, 2388012, 2388091, 2388093, 2388103].map((code) =>
    dead(code, "migration_precondition", "The number cannot be migrated yet", { alert: true })
  ),
  dead(2388318, "direct_send_not_eligible", "Direct Send is not open to this account"),
  dead(2388330, "direct_send_content", "Direct Send does not take this content"),
  pause(2494100, "sender_in_maintenance", "The number is in maintenance", "sender", 5 * MINUTE, {
    alert: false,
  }),
  dead([200005, 200007], "template_insights", "Template insights are not available"),
  dead([2593107, 2593108], "coexistence_sync", "The phone's history cannot be synchronised"),
  dead(2593079, "on_behalf_of", "Ownership on behalf of others ended"),
  dead(2593085, "on_behalf_of", "Ownership on behalf of others ended"),
];

/**
 * Subcodes that count on answers to sends, whatever the code beside them. As codes of their own Meta
 * uses some of them for number migration, above.
 */
export const SEND_SUBCODE_RULES: readonly GraphErrorRule[] = [
  dead(2388001, "template_not_found", "The template does not exist", {
    scope: "template",
    alert: true,
  }),
  dead(2388002, "template_parameters_mismatch", "The template's parameters differ"),
  dead(2388003, "invalid_phone", "The phone number is not valid"),
  retry(2388005, "media_download_failed", "The media could not be downloaded", { max_tries: 2 }),
  dead(2388009, "recipient_not_on_whatsapp", "The recipient is not on WhatsApp", {
    scope: "pair",
    suppress: "recipient_when_repeated",
  }),
  dead(2388054, "phone_not_registered", "The number is not registered", {
    scope: "sender",
    alert: true,
  }),
];

/** For answers that no code explains; the code of these rules means nothing. */
export const FALLBACK_RULES = {
  /** Nothing reached Meta, so nothing is spent by trying again. */
  not_sent: retry(-1, "network_error", "Meta could not be reached", {
    scope: "app",
    max_tries: UNTIL_EXPIRY,
  }),
  malformed_token: credential(-1, "malformed_token", "The access token cannot be sent as a header"),
  transient: retry(-1, "transient", "Meta calls the error transient"),
  unauthorized: credential(-1, "unauthorized", "The access token is refused"),
  rate_limited: retry(-1, "rate_limit", "Calls come too often", { scope: "sender", ...throttled }),
  server_error: retry(-1, "server_error", "Meta failed and says so", { scope: "app" }),
  unknown_code: retry(-1, "unknown_code", "Nobody knows this code", { max_tries: 2, alert: true }),
  unexpected_answer: retry(-1, "unexpected_answer", "This is not an answer of the Graph API", {
    scope: "app",
    max_tries: 2,
    alert: true,
  }),
} satisfies Record<string, GraphErrorRule>;

function retry(code: number, cause: string, title: string, details: Details = {}): GraphErrorRule {
  return rule(code, cause, title, "retry", details);
}

function pause(
  code: number,
  cause: string,
  title: string,
  scope: ErrorScope,
  pause_ms: number,
  details: Details = {},
): GraphErrorRule {
  const waits = { scope, delay_ms: pause_ms, pause_ms, max_tries: UNTIL_EXPIRY, alert: true };
  return rule(code, cause, title, "pause", { ...waits, ...details });
}

// The token may have been replaced meanwhile: one more try, with a freshly read one. Each sender has a
// token of its own, so what is refused of one says nothing of the tenant's others.
function credential(
  codes: Codes,
  cause: string,
  title: string,
  details: Details = {},
): GraphErrorRule {
  const twice = { scope: "sender", max_tries: 2, alert: true } as const;
  return rule(codes, cause, title, "credential", { ...twice, ...details });
}

function dead(codes: Codes, cause: string, title: string, details: Details = {}): GraphErrorRule {
  return rule(codes, cause, title, "dead", { max_tries: 1, ...details });
}

function rule(
  codes: Codes,
  cause: string,
  title: string,
  outcome: GraphErrorRule["outcome"],
  details: Details,
): GraphErrorRule {
  const range = typeof codes === "number" ? { code: codes } : { code: codes[0], through: codes[1] };
  return {
    ...range,
    cause,
    title,
    outcome,
    scope: "none",
    delay_ms: SECOND,
    growth: 2,
    max_tries: 4,
    pause_ms: null,
    throttled: false,
    alert: false,
    suppress: "none",
    unknown_on_5xx: false,
    ...details,
  };
}
