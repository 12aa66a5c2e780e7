import * as z from "zod";
import { microsToDecimal, microsToMinorFloor } from "./money.ts";

const micros = z.string().regex(/^-?\d+$/).transform(BigInt);
const instant = z.string().transform((text) => new Date(text).toISOString());

const entry = z.object({
  sequence: z.int(),
  recorded_at: instant,
  event_at: instant,
  transfer_id: z.string(),
  kind: z.string(),
  payment_id: z.string().nullable(),
  hold_id: z.string().nullable(),
  message_id: z.string().nullable(),
  reference: z.string().nullable(),
  amount_micros: micros,
  balance_micros: micros,
});

const statement = z.object({
  outcome: z.literal("found"),
  id: z.string(),
  currency: z.string(),
  name: z.string().nullable(),
  from: instant.nullable(),
  to: instant.nullable(),
  opening_micros: micros,
  closing_micros: micros,
  /** Of the ledger's log, covering every entry of the page; null until it is sealed. */
  checkpoint: z.object({
    id: z.int(),
    sealed_at: instant,
    hash: z.string(),
    sequence: z.int(),
    account_hash: z.string(),
  }).nullable(),
  next_sequence: z.int().nullable(),
  entries: z.array(entry),
});

const unknownAccount = z.object({ outcome: z.literal("unknown_account"), field: z.string() });
const returnedStatement = z.discriminatedUnion("outcome", [statement, unknownAccount]);

export type Statement = z.output<typeof statement>;
type Entry = Statement["entries"][number];

/** What switchyard_api.read_wallet_statement returns; throws for any other shape. */
export function parseStatement(returned: unknown): z.output<typeof returnedStatement> {
  return returnedStatement.parse(returned);
}

/**
 * A page of a statement as JSON: opening and all amounts add up to closing, in minor units as in
 * micro-units. An amount in minor units is by how much the rounded balance moved.
 */
export function statementToJson(page: Statement): Record<string, unknown> {
  const minor = (amount: bigint) => microsToMinorFloor(amount, page.currency);
  return {
    accountId: page.id,
    currency: page.currency,
    name: page.name,
    from: page.from,
    to: page.to,
    opening: minor(page.opening_micros),
    closing: minor(page.closing_micros),
    opening_micros: String(page.opening_micros),
    closing_micros: String(page.closing_micros),
    entries: page.entries.map((entry) => ({
      sequence: entry.sequence,
      recordedAt: entry.recorded_at,
      eventAt: entry.event_at,
      kind: entry.kind,
      transferId: entry.transfer_id,
      paymentId: entry.payment_id,
      holdId: entry.hold_id,
      messageId: entry.message_id,
      reference: entry.reference,
      amount: minor(entry.balance_micros) - minor(entry.balance_micros - entry.amount_micros),
      balance: minor(entry.balance_micros),
      amount_micros: String(entry.amount_micros),
      balance_micros: String(entry.balance_micros),
    })),
    checkpoint: page.checkpoint && {
      id: page.checkpoint.id,
      sealedAt: page.checkpoint.sealed_at,
      hash: page.checkpoint.hash,
      sequence: page.checkpoint.sequence,
      accountHash: page.checkpoint.account_hash,
    },
    next_cursor: page.next_sequence === null ? null : String(page.next_sequence),
  };
}

const COLUMNS = [
  "sequence",
  "recorded_at",
  "event_at",
  "kind",
  "transfer_id",
  "payment_id",
  "message_id",
  "reference",
  "amount",
  "balance",
  "currency",
];

/** A page of a statement as CSV (RFC 4180), exact, with a row for the opening and the closing. */
export function statementToCsv(page: Statement): string {
  const decimal = (amount: bigint) => microsToDecimal(amount, page.currency);
  const balance = (
    kind: string,
    amount: bigint,
  ) => ["", "", "", kind, "", "", "", "", "", decimal(amount), page.currency];
  const rows = [
    COLUMNS,
    balance("opening", page.opening_micros),
    ...page.entries.map((entry) => [
      ...describeEntry(entry),
      decimal(entry.amount_micros),
      decimal(entry.balance_micros),
      page.currency,
    ]),
    balance("closing", page.closing_micros),
    ...(page.checkpoint ? [describeCheckpoint(page.checkpoint)] : []),
  ];
  return rows.map((cells) => `${cells.map(quoteCell).join(",")}\r\n`).join("");
}

// In the columns that there are: how far it reaches, when it was made, its number and its hashes.
function describeCheckpoint(
  { id, sealed_at, hash, sequence, account_hash }: NonNullable<Statement["checkpoint"]>,
): string[] {
  const reference = `${id} ${hash} ${account_hash}`;
  return [String(sequence), sealed_at, "", "checkpoint", "", "", "", reference, "", "", ""];
}

function describeEntry(entry: Entry): string[] {
  const names = [entry.transfer_id, entry.payment_id, entry.message_id, entry.reference];
  return [
    String(entry.sequence),
    entry.recorded_at,
    entry.event_at,
    entry.kind,
    ...names.map((name) => disarm(name ?? "")),
  ];
}

// A spreadsheet runs what begins like a formula: others chose payment ids and references.
// https://owasp.org/www-community/attacks/CSV_Injection
function disarm(text: string): string {
  return /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
}

function quoteCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
