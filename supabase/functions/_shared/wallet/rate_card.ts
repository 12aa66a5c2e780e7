import { parse } from "@std/csv/mod.js";
import * as z from "zod";
import { CURRENCY_EXPONENTS } from "./currencies.ts";

/** Rows of one card: Meta's own has a few hundred for each currency. */
const MAX_ROWS = 10_000;

/** Meta's categories. https://developers.facebook.com/docs/whatsapp/pricing (2026-10) */
const CATEGORIES = [
  "marketing",
  "marketing_lite",
  "utility",
  "authentication",
  "authentication-international",
  "service",
  "referral_conversion",
  "general_purpose_ai",
  "group_marketing",
  "group_utility",
  "group_service",
] as const;

const REQUIRED = ["market", "currency", "category", "price"];
const OPTIONAL = ["prefixes", "valid_from", "valid_to"];

/** A price as the database imports it; `line` is where it stands in the file. */
export interface RateRow {
  line: number;
  market: string;
  /** What numbers, or user ids, of the market begin with; the empty one is of all left over. */
  prefixes: string[];
  currency: string;
  category: string;
  price_micros: string;
  /** ISO 8601; null: from the moment of the import. */
  valid_from: string | null;
  valid_to: string | null;
}

export interface CardFault {
  line: number;
  field: string;
  detail: string;
}

export type ParsedCard = { ok: true; rows: RateRow[] } | { ok: false; faults: CardFault[] };

/** A calling code with what follows of an area, or the country with which a user id begins. */
const PREFIX = /^([1-9]\d{0,6}|[A-Z]{2})?$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

const moment = z.string().transform((written, context) => {
  if (written === "") return null;
  const text = DATE.test(written) ? `${written}T00:00:00Z` : written;
  if (z.iso.datetime({ offset: true }).safeParse(text).success && !Number.isNaN(Date.parse(text))) {
    return new Date(text).toISOString();
  }
  context.addIssue("must be a date such as 2027-01-01, or a time with its offset");
  return z.NEVER;
});

const prefixes = z.string().transform((written, context) => {
  const found = written.split(/[\s;]+/).filter((prefix) => prefix !== "")
    .map((prefix) => prefix === "*" ? "" : prefix.replace(/^\+/, ""));
  if (found.every((prefix) => PREFIX.test(prefix))) return [...new Set(found)];
  context.addIssue(
    "must be calling codes such as 49, country codes such as DE, or * for all others",
  );
  return z.NEVER;
});

const line = z.object({
  market: z.string().min(1, "is required").max(100, "must have at most 100 characters")
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, "must not have control characters"),
  prefixes,
  currency: z.string().refine(
    (code) => CURRENCY_EXPONENTS.has(code),
    "must be a currency code of ISO 4217, such as USD",
  ),
  category: z.enum(CATEGORIES, `must be one of ${CATEGORIES.join(", ")}`),
  price: z.string().regex(
    /^\d{1,6}(\.\d{1,6})?$/,
    "must be a number such as 0.1131, with at most six digits after the point",
  ).transform(toMicros),
  valid_from: moment,
  valid_to: moment,
}).refine(({ valid_from, valid_to }) => !valid_from || !valid_to || valid_from < valid_to, {
  path: ["valid_to"],
  error: "must be after valid_from",
});

/** Reads a card from CSV with a header line, or says of every line what is wrong with it. */
export function parseRateCard(csv: string): ParsedCard {
  const lines = csv.replace(/^\ufeff/, "").split(/\r?\n/)
    .map((text, index) => ({ text, number: index + 1 }))
    .filter(({ text }) => text.trim() !== "");
  const [header, ...rest] = lines;
  if (header === undefined) return refuse(1, "", "the file is empty");
  const names = splitLine(header.text)?.map((name) => name.toLowerCase());
  if (names === undefined) return refuse(header.number, "", "is not CSV");
  const wrong = checkHeader(names);
  if (wrong !== null) return refuse(header.number, wrong.field, wrong.detail);
  if (rest.length === 0) return refuse(header.number, "", "the file has no prices");
  if (rest.length > MAX_ROWS) {
    return refuse(header.number, "", `a card has at most ${MAX_ROWS} prices`);
  }

  const read = rest.map(({ text, number }) => readLine(names, text, number));
  const faults = read.flatMap((one) => one.ok ? [] : one.faults);
  if (faults.length > 0) return { ok: false, faults };
  return { ok: true, rows: read.flatMap((one) => one.ok ? one.rows : []) };
}

function readLine(names: string[], text: string, number: number): ParsedCard {
  const cells = splitLine(text);
  if (cells === undefined) return refuse(number, "", "is not CSV");
  if (cells.length !== names.length) {
    return refuse(number, "", `has ${cells.length} fields, the header ${names.length}`);
  }
  const empty = Object.fromEntries(OPTIONAL.map((name) => [name, ""]));
  const named = Object.fromEntries(names.map((name, index) => [name, cells[index]!]));
  const parsed = line.safeParse({ ...empty, ...named });
  if (parsed.success) {
    const { price, ...row } = parsed.data;
    return { ok: true, rows: [{ line: number, ...row, price_micros: price }] };
  }
  const faults = parsed.error.issues.map(({ path, message }) => ({
    line: number,
    field: path.join("."),
    detail: message,
  }));
  return { ok: false, faults };
}

// One line at a time, so that a fault is told with the line in which it stands.
function splitLine(text: string): string[] | undefined {
  try {
    const [cells] = parse(text) as string[][];
    return cells?.map((cell) => cell.trim());
  } catch {
    return undefined;
  }
}

function checkHeader(names: string[]): { field: string; detail: string } | null {
  const unknown = names.find((name) => ![...REQUIRED, ...OPTIONAL].includes(name));
  if (unknown !== undefined) return { field: unknown, detail: "is not a column of a rate card" };
  const missing = REQUIRED.find((name) => !names.includes(name));
  if (missing !== undefined) return { field: missing, detail: "is missing in the header" };
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? null : { field: twice, detail: "stands twice in the header" };
}

function refuse(line: number, field: string, detail: string): ParsedCard {
  return { ok: false, faults: [{ line, field, detail }] };
}

function toMicros(price: string): string {
  const [whole = "0", fraction = ""] = price.split(".");
  return String(BigInt(whole + fraction.padEnd(6, "0")));
}
