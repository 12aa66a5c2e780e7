import type { JSONValue } from "postgres";
import { digestRequest } from "../../supabase/functions/_shared/canonical_json.ts";
import type { Sql, TestDatabase } from "./database.ts";

/** What a function of the wallet returned. */
export type WalletOutcome = { outcome: string; id?: string } & Record<string, unknown>;

export interface TransferOverrides {
  key?: string;
  amount_micros?: number | bigint;
  currency?: string;
  /** What the wallet takes for now. */
  at?: string;
}

export interface HoldOverrides {
  key?: string;
  at?: string;
}

/** The wallet of one tenant, called as the Edge Function calls it; a call not told a key has its own. */
export interface TenantWallet {
  tenantId: string;
  /** Opens a cash account with so much in it. */
  open(amount_micros?: number, currency?: string): Promise<string>;
  transfer(source: string, destination: string, o?: TransferOverrides): Promise<WalletOutcome>;
  topUp(
    account: string,
    o?: TransferOverrides & { payment_id?: string },
  ): Promise<WalletOutcome>;
  show(account: string): Promise<WalletOutcome>;
  /** Holds money on an account; the time is what the wallet takes for now. */
  hold(
    account: string,
    o?: TransferOverrides & { expires_at?: string | null },
  ): Promise<WalletOutcome>;
  capture(hold: string, amount_micros: number, o?: HoldOverrides): Promise<WalletOutcome>;
  release(hold: string, o?: HoldOverrides): Promise<WalletOutcome>;
  showHold(hold: string): Promise<WalletOutcome>;
  /** Changes the rules that are named. */
  setRules(account: string, rules: Record<string, JSONValue>): Promise<WalletOutcome>;
}

/** Connections that run as service_role, the role of the Edge Functions, one for each racer. */
export async function connectFunctions(database: TestDatabase, count = 1): Promise<Sql[]> {
  const connections = Array.from({ length: count }, () => database.connect());
  await Promise.all(connections.map((sql) => sql`set role service_role`));
  return connections;
}

/** A new tenant of the database; returns its id. */
export async function createTenant({ sql }: TestDatabase): Promise<string> {
  const [tenant] = await sql<{ id: string }[]>`
    insert into switchyard.tenants (slug, name)
    values (${`t-${crypto.randomUUID()}`}, 'Test') returning id`;
  return tenant!.id;
}

/** The wallet of a tenant, which need not exist, over one connection. */
export function walletOf(sql: Sql, tenantId: string): TenantWallet {
  const actor = sql.json({ kind: "test" });

  async function run(
    name: string,
    request: Record<string, JSONValue>,
    key: string = crypto.randomUUID(),
    at?: string,
  ): Promise<WalletOutcome> {
    const idempotency = sql.json({ key, ...digestRequest(request) });
    const [row] = await sql<{ returned: WalletOutcome }[]>`
      select ${sql(`switchyard_api.${name}`)}(
        ${tenantId}, ${sql.json(request)}, ${idempotency}, ${actor}${at ? sql`, ${at}` : sql``}
      ) as returned`;
    return row!.returned;
  }

  return {
    tenantId,
    async open(amount_micros = 0, currency = "USD") {
      const { id } = await run("create_wallet_account", { currency });
      if (amount_micros > 0) await this.topUp(id!, { amount_micros, currency });
      return id!;
    },
    transfer: (
      source,
      destination,
      { key, amount_micros = 1_000_000, currency = "USD", at } = {},
    ) =>
      run(
        "transfer_funds",
        {
          source_account_id: source,
          destination_account_id: destination,
          amount_micros: String(amount_micros),
          currency,
        },
        key,
        at,
      ),
    topUp: (account, o = {}) =>
      run("top_up_account", {
        account_id: account,
        amount_micros: String(o.amount_micros ?? 1_000_000),
        currency: o.currency ?? "USD",
        payment_id: o.payment_id ?? crypto.randomUUID(),
      }, o.key),
    hold: (account, o = {}) =>
      run(
        "place_wallet_hold",
        {
          account_id: account,
          amount_micros: String(o.amount_micros ?? 1_000_000),
          currency: o.currency ?? "USD",
          expires_at: o.expires_at ?? null,
        },
        o.key,
        o.at,
      ),
    capture: (hold, amount_micros, { key, at } = {}) =>
      run("capture_wallet_hold", { hold_id: hold, amount_micros: String(amount_micros) }, key, at),
    release: (hold, { key, at } = {}) => run("release_wallet_hold", { hold_id: hold }, key, at),
    async setRules(account, rules) {
      const [row] = await sql<{ returned: WalletOutcome }[]>`
        select switchyard_api.set_wallet_rules(
          ${tenantId}, ${account}, ${sql.json(rules)}, ${actor}) as returned`;
      return row!.returned;
    },
    async showHold(hold) {
      const [row] = await sql<{ returned: WalletOutcome }[]>`
        select switchyard_api.get_wallet_hold(${tenantId}, ${hold}) as returned`;
      return row!.returned;
    },
    async show(account) {
      const [row] = await sql<{ returned: WalletOutcome }[]>`
        select switchyard_api.get_wallet_account(${tenantId}, ${account}) as returned`;
      return row!.returned;
    },
  };
}
