import * as z from "zod";
import { text } from "../_shared/fields.ts";
import { readBytes } from "../_shared/http/body.ts";
import { parseBody, parseQuery } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { numberedCursor, pageLimit, queriedInstant } from "../_shared/http/query_fields.ts";
import { microsToDecimal } from "../_shared/wallet/money.ts";
import { parseRateCard } from "../_shared/wallet/rate_card.ts";
import type { CardFault } from "../_shared/wallet/rate_card.ts";
import { addUserIdCountries } from "../_shared/wallet/user_id_markets.ts";
import type { Command } from "./command.ts";

const MAX_CARD_BYTES = 1_024 * 1_024;

const micros = z.string().regex(/^\d+$/).transform(BigInt);
const cardBody = z.strictObject({
  csv: z.string(),
  name: text(200).optional(),
  dry_run: z.boolean().optional(),
});
const cardQuery = z.object({
  name: text(200).optional(),
  dry_run: z.enum(["true", "false"]).optional(),
});
const page = z.object({
  currency: z.string().regex(/^[A-Z]{3}$/, "must be a currency code such as USD").optional(),
  market: text(100).optional(),
  category: text(50).optional(),
  at: queriedInstant().optional(),
  cursor: numberedCursor().optional(),
  limit: pageLimit({ usual: 200, most: 1_000 }),
});

const change = z.looseObject({
  currency: z.string(),
  price_micros: micros,
  was_micros: micros.optional(),
});
const imported = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.literal("invalid"),
    faults: z.array(z.object({ line: z.int(), field: z.string(), detail: z.string() })),
  }),
  z.looseObject({ outcome: z.enum(["previewed", "unchanged"]), prices: z.array(change) }),
  z.looseObject({ outcome: z.literal("imported"), id: z.int(), prices: z.array(change) }),
]);
const listed = z.looseObject({
  rates: z.array(z.looseObject({ currency: z.string(), price_micros: micros })),
});

interface Card {
  csv: string;
  name: string;
  isPreview: boolean;
}

/**
 * Imports prices from CSV as a whole, or says of every line what is wrong with it and changes nothing;
 * with dry_run it says what would change. Takes the file itself (text/csv) or JSON {csv, dry_run}.
 */
export async function importRateCard(command: Command): Promise<Response> {
  const { call, request, actor, log } = command;
  const read = await readCard(request);
  if (!read.ok) return read.response;
  const { csv, name, isPreview } = read.card;
  const parsed = parseRateCard(csv);
  if (!parsed.ok) return refuseCard(parsed.faults);

  const answer = imported.parse(
    await call("import_rate_card", {
      card: { name, rows: addUserIdCountries(parsed.rows) },
      dry_run: isPreview,
      actor,
    }),
  );
  if (answer.outcome === "invalid") return refuseCard(answer.faults);
  const { outcome, prices, ...members } = answer;
  const body = { dry_run: isPreview, ...members, prices: prices.map(withDecimals) };
  if (outcome !== "imported") return Response.json(body);
  log.info("rate_card.imported", { rate_card_id: answer.id, rows: parsed.rows.length });
  return Response.json(body, { status: 201 });
}

/** The prices that hold now or later, and the last cards that were imported. */
export async function listRates({ call, request }: Command): Promise<Response> {
  const parsed = parseQuery(page, request);
  if (!parsed.ok) return parsed.response;
  const { cursor: after_id = 0, limit, at, ...filter } = parsed.value;
  const answer = listed.parse(
    await call("list_rates", {
      filter,
      after_id,
      page_limit: limit,
      ...(at === undefined ? {} : { at }),
    }),
  );
  return Response.json({ ...answer, rates: answer.rates.map(withDecimals) });
}

type ReadCard = { ok: true; card: Card } | { ok: false; response: Response };

async function readCard(request: Request): Promise<ReadCard> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type === "text/csv") return await readFile(request);
  const body = await parseBody(cardBody, request, MAX_CARD_BYTES);
  if (!body.ok) return body;
  const { csv, name = "unnamed", dry_run = false } = body.value;
  return { ok: true, card: { csv, name, isPreview: dry_run } };
}

async function readFile(request: Request): Promise<ReadCard> {
  const query = parseQuery(cardQuery, request);
  if (!query.ok) return query;
  const read = await readBytes(request, MAX_CARD_BYTES);
  if (!read.ok) return { ok: false, response: refuseBody(read.reason) };
  const { name = "unnamed", dry_run } = query.value;
  try {
    const csv = new TextDecoder("utf-8", { fatal: true }).decode(read.bytes);
    return { ok: true, card: { csv, name, isPreview: dry_run === "true" } };
  } catch {
    const detail = "The file is not text in UTF-8.";
    return { ok: false, response: problem(400, "malformed_request", detail) };
  }
}

function refuseBody(reason: "too_large" | "aborted"): Response {
  if (reason === "aborted") return problem(400, "malformed_request", "The body broke off.");
  const detail = `A rate card has at most ${MAX_CARD_BYTES} bytes.`;
  return problem(413, "payload_too_large", detail, { max_bytes: MAX_CARD_BYTES });
}

function refuseCard(faults: CardFault[]): Response {
  const detail = `The rate card has ${faults.length} ${faults.length === 1 ? "fault" : "faults"}.`;
  const errors = faults.map((fault) => ({
    pointer: "/csv",
    line: fault.line,
    ...(fault.field === "" ? {} : { column: fault.field }),
    detail: fault.detail,
  }));
  return problem(422, "invalid_rate_card", detail, { errors });
}

function withDecimals(
  { price_micros, was_micros, ...rest }: {
    currency: string;
    price_micros: bigint;
    was_micros?: bigint | undefined;
  },
): Record<string, unknown> {
  const { currency } = rest;
  return {
    ...rest,
    price: microsToDecimal(price_micros, currency),
    price_micros: String(price_micros),
    ...(was_micros === undefined ? {} : { was: microsToDecimal(was_micros, currency) }),
  };
}
