import type { Sql, TestDatabase } from "./database.ts";
import { anEvent, apply, claimEvents, store } from "./inbound.ts";
import { createTenancy, type Tenancy } from "./tenancy.ts";
import { type TenantWallet, walletOf } from "./wallet.ts";

/** Prices to Germany and, for all other numbers, to the rest of the world, in micro-units of USD. */
export const RATES = {
  marketing: 120_000,
  utility: 50_000,
  authentication: 70_000,
  service: 40_000,
};
export type Category = keyof typeof RATES;

/** A card with these prices to Germany and a tenth of them to everybody else. */
export function aCard(
  rates: Partial<typeof RATES> = RATES,
  overrides: Record<string, unknown> = {},
) {
  const rows = Object.entries(rates).flatMap(([category, price], nth) => [
    { line: 2 + 2 * nth, market: "Germany", prefixes: ["49"], category, price_micros: price },
    {
      line: 3 + 2 * nth,
      market: "Other",
      prefixes: [""],
      category,
      price_micros: Math.floor(price / 10),
    },
  ]);
  return {
    name: "test",
    rows: rows.map((row) => ({
      currency: "USD",
      valid_from: "2026-01-01T00:00:00Z",
      valid_to: null,
      ...row,
      ...overrides,
    })),
  };
}

export type ImportAnswer = Record<string, unknown> & {
  outcome: string;
  faults?: { line: number; field: string; detail: string }[];
};

/** Imports a card at a moment of the test's choosing. */
export async function importCard(
  sql: Sql,
  card: ReturnType<typeof aCard>,
  { dryRun = false, at = "2026-11-22T12:00:00Z" } = {},
): Promise<ImportAnswer> {
  const [row] = await sql<{ answer: ImportAnswer }[]>`
    select switchyard_api.import_rate_card(
      ${sql.json(card)}, ${dryRun}, ${sql.json({ kind: "secret" })}, ${at}) as answer`;
  return row!.answer;
}

/** A tenant that pays for its messages from one account. */
export interface Payer extends Tenancy {
  wallet: TenantWallet;
  account: string;
}

/** Makes a tenant that pays from an account with so much in it; imports the card if there is none. */
export async function createPayer(
  { sql }: TestDatabase,
  funds: number,
): Promise<Payer> {
  const [{ rates } = { rates: 0 }] = await sql<{ rates: number }[]>`
    select count(*)::integer as rates from switchyard.rates`;
  if (rates === 0) await importCard(sql, aCard());
  const tenancy = await createTenancy(sql, { throughputPerSecond: 1_000 });
  const wallet = walletOf(sql, tenancy.tenantId);
  const account = await wallet.open(funds);
  await setBilling(sql, tenancy.tenantId, { billing: "prepaid", account_id: account });
  return { ...tenancy, wallet, account };
}

/** Says whether a tenant pays, as the admin function does. */
export async function setBilling(
  sql: Sql,
  tenantId: string,
  billing: { billing: string; account_id?: string },
): Promise<Record<string, unknown>> {
  const [row] = await sql<{ answer: Record<string, unknown> }[]>`
    select switchyard_api.set_billing(
      ${tenantId}, ${sql.json(billing)}, ${sql.json({ kind: "secret" })}) as answer`;
  return row!.answer;
}

/** What Meta reports of a message, as the inbound function hands it to SQL. */
export interface Report {
  message_id: string;
  status: string;
  wamid?: string;
  participant?: string | null;
  at?: string;
  pricing?: unknown;
}

/** The price that Meta tells with a status. */
export function pricing(category: string, type = "regular") {
  return { billable: type === "regular", pricing_model: "PMP", type, category };
}

/** Reports statuses through the whole of receiving, in one batch unless told otherwise. */
export async function report(sql: Sql, payer: Payer, reports: Report[]): Promise<void> {
  const events = reports.map((one) => anEvent(payer, { payload: { report: { ...one } } }));
  await store(sql, events);
  const claimed = await claimEvents(sql, 1_000);
  const payloads = await sql<{ id: number; report: Report }[]>`
    select id, payload -> 'report' as report from switchyard.inbound_events
    where id in ${sql(claimed.map(({ id }) => id))}`;
  await apply(sql, claimed, ({ id }) => {
    const told = payloads.find((row) => row.id === id)!.report;
    return {
      action: "status",
      wamid: `wamid.${told.message_id}`,
      recipient: null,
      participant: null,
      at: "2026-11-22T12:00:05Z",
      pricing: null,
      errors: null,
      ...told,
    };
  });
}

export interface Price {
  currency: string;
  market: string;
  category: string;
  type?: string;
  estimated: boolean;
  held_micros: string;
  captured_micros: string;
  released_micros: string;
}

/** What a message costs as get_message tells it: held, captured and released in micro-units. */
export async function readPrice(sql: Sql, payer: Tenancy, id: string): Promise<Price> {
  const [row] = await sql<{ message: { price: Price } }[]>`
    select switchyard_api.get_message(${payer.tenantId}, ${id}) as message`;
  return row!.message.price;
}

/** Held, captured and released of a message, as numbers. */
export async function readAmounts(sql: Sql, payer: Tenancy, id: string): Promise<number[]> {
  const price = await readPrice(sql, payer, id);
  return [price.held_micros, price.captured_micros, price.released_micros].map(Number);
}

/** Posted, held and available of an account, as numbers. */
export async function readBalance(payer: Payer): Promise<number[]> {
  const { posted_micros, held_micros, available_micros } = await payer.wallet.show(payer.account);
  return [posted_micros, held_micros, available_micros].map(Number);
}
