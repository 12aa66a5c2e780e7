import { createPlainLedger } from "./plain_ledger.ts";
import type { Sql } from "./wallet_ground.ts";

/** One way to do one thing; a run returns how often it did it. */
export interface Contender {
  name: string;
  connections: number;
  run(sql: Sql): Promise<number>;
}

/** A tenant with much money on many wallets, and a table as one would keep without a ledger. */
export interface Books {
  tenantId: string;
  wallets: string[];
}

const BATCH = 500;
/** Two, so that one is prepared while the wallet is locked by the other. */
const BATCH_CONNECTIONS = 2;
const SINGLE_CONNECTIONS = 16;
const DIGEST = "0".repeat(64);

/** Opens wallets with money in them, and a plain table of balances beside them. */
export async function openBooks(sql: Sql, { wallets }: { wallets: number }): Promise<Books> {
  const [tenant] = await sql<{ id: string }[]>`
    insert into switchyard.tenants (slug, name) values ('bench', 'Bench') returning id`;
  const tenantId = tenant!.id;
  const opened = await sql<{ id: string }[]>`
    select switchyard_api.create_wallet_account(${tenantId}, '{"currency":"USD"}',
        jsonb_build_object('key', n, 'fingerprint', ${DIGEST}::text, 'field_digests', '{}'::jsonb), '{}') ->> 'id' as id
    from generate_series(1, ${wallets}) n`;
  for (const { id } of opened) {
    const topUp = {
      account_id: id,
      amount_micros: "1000000000000000",
      currency: "USD",
      payment_id: id,
    };
    await sql`select switchyard_api.top_up_account(${tenantId}, ${sql.json(topUp)},
      ${sql.json({ key: id, fingerprint: DIGEST, field_digests: {} })}, '{}')`;
  }
  await sql`
    create table public.balances (id int primary key, posted bigint not null,
      held bigint not null default 0, check (held <= posted)) with (fillfactor = 50)`;
  await sql`insert into public.balances (id, posted) values (1, 1000000000000000)`;
  await sql`
    create table public.holds (key uuid primary key, balance_id int not null references public.balances,
      amount bigint not null, created_at timestamptz not null default now())`;
  await createPlainLedger(sql, wallets);
  return { tenantId, wallets: opened.map(({ id }) => id) };
}

/** Holds many at a time and one by one, beside what one would write without a ledger; and transfers. */
export function contendersOf({ tenantId, wallets }: Books): Contender[] {
  const [hot] = wallets;
  const any = () => wallets[Math.floor(Math.random() * wallets.length)]!;
  const anyPlain = () => 1 + Math.floor(Math.random() * wallets.length);
  const batched = (name: string, account: () => string, batch = BATCH): Contender => ({
    name,
    connections: BATCH_CONNECTIONS,
    run: async (sql) => {
      const holds = Array.from({ length: batch }, (_, index) => aHold(index, account()));
      const answers = await sql`
        select index, answer from switchyard_api.place_wallet_holds(
          ${tenantId}, ${sql.json(holds)}, '{"kind":"bench"}')`;
      return answers.length;
    },
  });
  const single = (name: string, run: (sql: Sql) => Promise<unknown>): Contender => ({
    name,
    connections: SINGLE_CONNECTIONS,
    run: async (sql) => (await run(sql), 1),
  });

  return [
    batched("holds_batched_one_wallet", () => hot!),
    batched("holds_in_hundreds_one_wallet", () => hot!, 100),
    batched("holds_in_thousands_one_wallet", () => hot!, 1_000),
    {
      ...batched("holds_batched_without_keys", () => hot!),
      run: async (sql) => {
        const holds = Array.from({ length: BATCH }, (_, index) => aHold(index, hot!));
        const answers = await sql`
          select index, answer from switchyard.place_holds(
            ${tenantId}, ${sql.json(holds)}, '{"kind":"bench"}', now())`;
        return answers.length;
      },
    },
    batched("holds_batched_1000_wallets", any),
    single(
      "one_update_each",
      (sql) => sql`update public.balances set held = held + 1 where id = 1 and posted - held >= 1`,
    ),
    single("one_update_and_row_each", (sql) =>
      sql`with moved as (
          update public.balances set held = held + 1 where id = 1 and posted - held >= 1 returning id)
        insert into public.holds (key, balance_id, amount)
        select ${crypto.randomUUID()}, id, 1 from moved`),
    single("holds_one_by_one_one_wallet", (sql) => holdOne(sql, tenantId, hot!)),
    single("holds_one_by_one_1000_wallets", (sql) => holdOne(sql, tenantId, any())),
    single("transfers_1000_wallets", (sql) => transfer(sql, tenantId, any(), any())),
    single("transfers_two_wallets", (sql) => transfer(sql, tenantId, hot!, wallets[1]!)),
    single(
      "transfers_without_keys_1000_wallets",
      (sql) =>
        sql`select switchyard.move_funds(${tenantId}, ${
          sql.json(aTransfer(any(), any()))
        }, '{"kind":"bench"}', now())`,
    ),
    single(
      "plain_ledger_1000_wallets",
      (sql) => sql`select plain.transfer(${anyPlain()}, ${anyPlain()}, 1000)`,
    ),
    single("plain_ledger_two_wallets", (sql) => sql`select plain.transfer(1, 2, 1000)`),
  ];
}

function aHold(index: number, account_id: string) {
  const field_digests = { accountId: DIGEST, amount: DIGEST, currency: DIGEST };
  return {
    index,
    key: crypto.randomUUID(),
    fingerprint: DIGEST,
    field_digests,
    account_id,
    amount_micros: "1000",
    currency: "USD",
  };
}

async function holdOne(sql: Sql, tenantId: string, account: string): Promise<void> {
  const { key, fingerprint, field_digests, ...hold } = aHold(0, account);
  await sql`select switchyard_api.place_wallet_hold(${tenantId}, ${sql.json(hold)},
    ${sql.json({ key, fingerprint, field_digests })}, '{"kind":"bench"}')`;
}

async function transfer(sql: Sql, tenantId: string, from: string, to: string): Promise<void> {
  const { key, fingerprint, field_digests } = aHold(0, from);
  await sql`select switchyard_api.transfer_funds(${tenantId}, ${sql.json(aTransfer(from, to))},
    ${sql.json({ key, fingerprint, field_digests })}, '{"kind":"bench"}')`;
}

function aTransfer(source_account_id: string, destination_account_id: string) {
  return { source_account_id, destination_account_id, amount_micros: "1000", currency: "USD" };
}
