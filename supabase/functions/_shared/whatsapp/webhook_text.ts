import type { Bytes } from "../bytes.ts";

/** `nesting` is how deep the deepest value lies; a bare number has 0, `[]` has 1. */
export type ParsedText =
  | { ok: true; value: unknown; nesting: number }
  | { ok: false; text: string };

const ESCAPED_NUL_OR_SURROGATE = /\\u(?:0000|d[89a-f])/i;
const ESCAPES =
  /\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|\\u(0000|d[89a-f][0-9a-f]{2})|\\[^]/gi;

const LONG_OR_SCALED_NUMBER = /[:,[\s]-?(?:\d[\d.]{15}|\d[\d.]*e)/i;
const NUMBERS_AND_QUOTES = /\\[^]|"|-?\d[\d.]*(?:e[+-]?\d+)?/gi;

const decoder = new TextDecoder();

/**
 * Parses JSON into what jsonb and every later JSON.parse keep: a number beyond 2^53 becomes a
 * string of its digits, NUL and half surrogate pairs become U+FFFD. Never throws.
 */
export function parseWebhookText(bytes: Bytes): ParsedText {
  const text = decoder.decode(bytes);
  const { nesting, hasEscapes, hasNumbers } = scan(text);
  try {
    const storable = hasEscapes ? keepEscapes(text) : text;
    const exact = hasNumbers ? keepNumbers(storable) : storable;
    return { ok: true, value: JSON.parse(exact), nesting };
  } catch {
    return { ok: false, text };
  }
}

// Postgres refuses these two in jsonb, and with them the whole batch that they came in.
function keepEscapes(text: string): string {
  if (!ESCAPED_NUL_OR_SURROGATE.test(text)) return text;
  return text.replace(ESCAPES, (escape, _high, _low, unstorable) => {
    return unstorable === undefined ? escape : "\\ufffd";
  });
}

function keepNumbers(text: string): string {
  if (!LONG_OR_SCALED_NUMBER.test(text)) return text;
  let inString = false;
  return text.replace(NUMBERS_AND_QUOTES, (token) => {
    if (token === '"') inString = !inString;
    const isNumber = !inString && token !== '"' && !token.startsWith("\\");
    return isNumber && Math.abs(Number(token)) > Number.MAX_SAFE_INTEGER ? `"${token}"` : token;
  });
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPENING_BRACKET = 91;
const CLOSING_BRACKET = 93;
const OPENING_BRACE = 123;
const CLOSING_BRACE = 125;
const ZERO = 48;
const NINE = 57;

// One pass over every webhook, by code: three times as quick as by character. What it does not find is
// not looked for again.
function scan(text: string) {
  let depth = 0;
  let nesting = 0;
  let inString = false;
  let hasEscapes = false;
  let hasNumbers = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) inString = !inString;
    else if (inString) {
      if (code !== BACKSLASH) continue;
      hasEscapes = true;
      index += 1;
    } else if (code === OPENING_BRACE || code === OPENING_BRACKET) {
      nesting = Math.max(nesting, ++depth);
    } else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) depth--;
    else if (code >= ZERO && code <= NINE) hasNumbers = true;
  }
  return { nesting, hasEscapes, hasNumbers };
}
