/** What the Graph API says about one of its error codes. */
export interface ErrorRow {
  http: number;
  title: string;
  details: string;
}

const row = (http: number, title: string, details = title): ErrorRow => ({ http, title, details });

/**
 * Meta's error codes around sending, with the HTTP status of its table of 2025-12-12.
 * @see https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
 */
export const errorTable: Readonly<Record<number, ErrorRow>> = {
  0: row(401, "AuthException", "We were unable to authenticate the app user."),
  1: row(400, "API Unknown", "Invalid request or possible server error."),
  2: row(503, "API Service", "Temporary due to downtime or due to being overloaded."),
  3: row(500, "API Method", "Capability or permissions issue."),
  4: row(400, "API Too Many Calls", "The app has reached its API call rate limit."),
  10: row(403, "Permission Denied", "Permission is either not granted or has been removed."),
  33: row(400, "Parameter value is not valid", "The business phone number has been deleted."),
  100: row(400, "Invalid parameter", "One or more parameters are unsupported or misspelled."),
  102: row(401, "API Session", "The session is no longer valid."),
  104: row(401, "An access token is required to request this resource."),
  190: row(401, "Error validating access token: Session has expired."),
  200: row(403, "API Permission", "Permission is either not granted or has been removed."),
  341: row(400, "Application limit reached"),
  368: row(403, "Temporarily blocked for policies violations"),
  613: row(400, "Calls to this api have exceeded the rate limit."),
  803: row(404, "Some of the aliases you requested do not exist"),
  80007: row(400, "Rate limit issues", "The WhatsApp Business Account has reached its rate limit."),
  80008: row(400, "Rate limit issues", "There have been too many calls to this account."),
  130403: row(400, "Recipient blocked"),
  130429: row(400, "Rate limit hit", "Cloud API message throughput has been reached."),
  130472: row(400, "User's number is part of an experiment"),
  130497: row(403, "Business account is restricted from messaging users in this country."),
  131000: row(500, "Something went wrong", "Message failed to send due to an unknown error."),
  131005: row(403, "Access denied", "Permission is either not granted or has been removed."),
  131008: row(400, "Required parameter is missing"),
  131009: row(400, "Parameter value is not valid"),
  131016: row(500, "Service unavailable", "A service is temporarily unavailable."),
  131020: row(400, "Group is invalid"),
  131021: row(400, "Recipient cannot be sender"),
  131026: row(400, "Message undeliverable", "Unable to deliver message."),
  131030: row(400, "Recipient phone number not in allowed list"),
  131031: row(403, "Business Account locked"),
  131037: row(400, "Display name approval needed before message can be sent."),
  131042: row(400, "Business eligibility payment issue"),
  131045: row(500, "Incorrect certificate", "Phone number registration error."),
  131047: row(
    400,
    "Re-engagement message",
    "More than 24 hours have passed since the recipient last replied to the sender number.",
  ),
  131048: row(400, "Spam rate limit hit", "Too many messages were blocked or flagged as spam."),
  131049: row(400, "This message was not delivered to maintain healthy ecosystem engagement."),
  131050: row(400, "User has stopped marketing messages from your business"),
  131051: row(400, "Unsupported message type", "Message type is currently not supported."),
  131052: row(400, "Media download error", "Unable to download the media sent by the user."),
  131053: row(400, "Media upload error", "Unable to upload the media used in the message."),
  131055: row(400, "Method not allowed"),
  131056: row(
    400,
    "(Business Account, Consumer Account) pair rate limit hit",
    "Too many messages from this phone number to the same phone number in a short period of time.",
  ),
  131057: row(500, "Account in maintenance mode", "Business Account is in maintenance mode"),
  131059: row(400, "Invalid cursor"),
  131060: row(400, "Message is not available"),
  131062: row(400, "Business-scoped user ids are not supported for this message."),
  131063: row(400, "Marketing templates are disabled for this account on Cloud API."),
  131064: row(400, "Template classification limit hit"),
  132000: row(
    400,
    "Number of parameters does not match the expected number of params",
    "The number of variable parameter values does not match the template.",
  ),
  132001: row(
    404,
    "Template name does not exist in the translation",
    "The template does not exist in the specified language or has not been approved.",
  ),
  132005: row(400, "Template Hydrated Text Too Long", "Translated text too long"),
  132007: row(400, "Template Format Character Policy Violated"),
  132008: row(400, "Template parameter value is not valid"),
  132012: row(400, "Parameter format does not match format in the created template"),
  132015: row(400, "Template is Paused", "Template is paused due to low quality."),
  132016: row(400, "Template is Disabled", "Template is permanently disabled due to low quality."),
  132018: row(400, "Template parameter validation failed"),
  132068: row(400, "Flow is in blocked state"),
  132069: row(400, "Flow is in throttled state"),
  133000: row(500, "Incomplete Deregistration"),
  133004: row(503, "Server Temporarily Unavailable"),
  133005: row(400, "Two step verification PIN Mismatch"),
  133006: row(400, "Phone number re-verification needed"),
  133008: row(400, "Too Many two step verification PIN Guesses"),
  133009: row(400, "Two step verification PIN Guessed Too Fast"),
  133010: row(400, "Phone number Not Registered", "The account is not registered"),
  133015: row(400, "Please wait a few minutes before attempting to register this phone number"),
  133016: row(400, "Account register deregister rate limit exceeded"),
  134011: row(400, "Payments terms of service not accepted"),
  134100: row(400, "Only marketing messages supported"),
  134101: row(400, "Template is still syncing"),
  134102: row(500, "Template unavailable for use"),
  135000: row(400, "Generic user error", "There was an error with your request parameters."),
  137000: row(400, "Identity key hash mismatch"),
  139200: row(400, "Direct Send is not available"),
  2494100: row(400, "Phone number is in maintenance"),
};

/** The row of a code; a code that Meta has not published yet gets a plausible one. */
export function describeError(code: number): ErrorRow {
  return errorTable[code] ?? row(400, "An unknown error has occurred.");
}
