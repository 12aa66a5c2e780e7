import * as z from "zod";
import type { CallRpc } from "../_shared/database.ts";
import { parseStatement, statementToCsv, statementToJson } from "../_shared/wallet/statement.ts";
import type { Statement } from "../_shared/wallet/statement.ts";
import * as answers from "./answers.ts";
import { parseRequest } from "./requests.ts";

const DEFAULT_ENTRIES = 500;
const MAX_ENTRIES = 1_000;
const DAY_MS = 86_400_000;

const timeHint = "must be a date or a time of ISO 8601, such as 2026-12-01 or 2026-12-01T00:00:00Z";
const day = z.iso.date();
const moment = z.union([day, z.iso.datetime({ offset: true })], timeHint);

const query = z.strictObject({
  from: moment.transform((text) => new Date(text)).optional(),
  // A day is meant with all that happened on it.
  to: moment.transform((text) =>
    new Date(Date.parse(text) + (day.safeParse(text).success ? DAY_MS : 0))
  ).optional(),
  format: z.enum(["json", "csv"], "must be json or csv").default("json"),
  cursor: z.string().regex(/^\d{1,15}$/, "must be the next_cursor of another page").optional(),
  limit: z.string().regex(/^\d{1,4}$/, `must be a number from 1 to ${MAX_ENTRIES}`)
    .transform(Number)
    .refine((n) => n >= 1 && n <= MAX_ENTRIES, `must be a number from 1 to ${MAX_ENTRIES}`)
    .default(DEFAULT_ENTRIES),
}).refine(({ from, to }) => !from || !to || from <= to, {
  path: ["to"],
  error: "must not be before from",
});

/** Answers a page of an account's statement as JSON or CSV; the next page is named in both. */
export async function readStatement(
  call: CallRpc,
  account: { tenant_id: string; account_id: string },
  asked: Record<string, string>,
): Promise<Response> {
  const parsed = parseRequest<z.output<typeof query>>(query, asked);
  if (!parsed.ok) return answers.refuseRequest(parsed.errors);
  const { from, to, format, cursor, limit } = parsed.value;
  const page = parseStatement(
    await call("read_wallet_statement", {
      ...account,
      page_limit: limit,
      after_sequence: Number(cursor ?? 0),
      ...(from && { from_at: from.toISOString() }),
      ...(to && { to_at: to.toISOString() }),
    }),
  );
  if (page.outcome === "unknown_account") return answers.unknownAccount();
  return format === "json"
    ? answers.answerJson(200, statementToJson(page))
    : answerCsv(page, asked);
}

function answerCsv(page: Statement, asked: Record<string, string>): Response {
  const headers = new Headers({
    "content-type": "text/csv; charset=utf-8; header=present",
    "content-disposition": `attachment; filename="statement-${page.id}.csv"`,
  });
  if (page.next_sequence !== null) {
    const next = new URLSearchParams({ ...asked, cursor: String(page.next_sequence) });
    headers.set("link", `<?${next}>; rel="next"`);
    headers.set("x-next-cursor", String(page.next_sequence));
  }
  return new Response(statementToCsv(page), { headers });
}
