const REDACTED = "[redacted]";
const MAX_DEPTH = 8;
const MAX_ITEMS = 50;
const MAX_CHARACTERS = 2_000;

const SECRET_NAME =
  /token|secret|password|passwd|authorization|api_?key|cookie|private_?key|signature|credentials?$/i;
// What people write to each other is theirs: it is never needed to run the system.
const CONTENT_NAME = /^(body|raw_?body|text|caption|content|payload)$/i;
const PHONE_NAME = /^(to|from|recipient|phone|wa_id|recipient_id|user_id_phone)$|phone_?number$/i;
const KEY_NAME = /^idempotency_?key$/i;
// Meta's ids and epoch times are long runs of digits too.
const PLAIN_DIGITS_NAME = /(^|_)(id|ids|at|key|version|timestamp|path)$|Id$/;

/** What may be logged in place of the value: no secrets, no message content, masked numbers. */
export function redact(value: unknown): unknown {
  return redactValue("", value, 0);
}

function redactValue(name: string, value: unknown, depth: number): unknown {
  if (value === null || typeof value === "number" || typeof value === "boolean") return value;
  if (value === undefined || typeof value === "function") return undefined;
  if (SECRET_NAME.test(name) || CONTENT_NAME.test(name)) return REDACTED;
  if (typeof value === "object") return redactObject(name, value, depth);
  return redactText(name, String(value));
}

function redactObject(name: string, value: object, depth: number): unknown {
  if (depth >= MAX_DEPTH) return "[deep]";
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Error) return redactError(value, depth);
  if (Array.isArray(value)) {
    const kept = value.slice(0, MAX_ITEMS).map((item) => redactValue(name, item, depth + 1));
    return value.length > MAX_ITEMS ? [...kept, `[${value.length - MAX_ITEMS} more]`] : kept;
  }
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [key, redactValue(key, item, depth + 1)]));
}

function redactError(error: Error, depth: number): unknown {
  const own = "code" in error ? { code: redactValue("code", error.code, depth + 1) } : {};
  const cause = error.cause === undefined ? {} : { cause: redactValue("", error.cause, depth + 1) };
  return {
    name: error.name,
    message: redactText("", error.message),
    ...own,
    ...cause,
    stack: redactText("", error.stack ?? ""),
  };
}

function redactText(name: string, text: string): string {
  const short = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
  if (KEY_NAME.test(name)) return `${short.slice(0, 4)}…`;
  if (PHONE_NAME.test(name)) return maskPhone(short);
  const safe = maskPersonal(maskSecrets(short));
  return PLAIN_DIGITS_NAME.test(name) ? safe : safe.replace(BARE_NUMBER, maskPhone);
}

// Our keys, Supabase's keys, Meta's tokens, bearer values, JSON Web Tokens, secrets in query texts.
const SECRET_TEXT =
  /\b(swy_|sb_secret_|sb_publishable_|EAA)[\w-]{6,}|\bBearer\s+\S+|\beyJ[\w-]+\.[\w-]+\.[\w-]*/g;
const SECRET_PARAMETER = /([?&][\w.]*(?:token|secret|signature|apikey)[\w.]*=)[^&\s]+/gi;
/** What Postgres says of a violated constraint: the rest of the text is the row. */
const FAILING_ROW = /(Failing row contains ).*/gs;
const INTERNATIONAL_NUMBER = /\+\d[\d ().-]{6,18}\d/g;
const BARE_NUMBER = /(?<![\w.:-])\d{10,15}(?![\w.:-])/g;
const MAIL_ADDRESS = /[\w.+-]+@[\w-]+(\.[\w-]+)+/g;

function maskSecrets(text: string): string {
  return text.replace(SECRET_TEXT, REDACTED).replace(SECRET_PARAMETER, `$1${REDACTED}`)
    .replace(FAILING_ROW, `$1${REDACTED}`);
}

function maskPersonal(text: string): string {
  return text.replace(MAIL_ADDRESS, "[mail address]").replace(INTERNATIONAL_NUMBER, maskPhone);
}

/** The first three and last two characters: enough to recognise a country and a complaint. */
export function maskPhone(number: string): string {
  return number.length <= 6 ? "…" : `${number.slice(0, 3)}…${number.slice(-2)}`;
}
