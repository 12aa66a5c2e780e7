import type { Sql } from "./wallet_ground.ts";

/**
 * A plain SQL ledger, written here after the scheme of pgledger (https://github.com/pgr0ss/pgledger,
 * c18c7d2), which no package registry has: balance and version on an account, both and the balance
 * before on each entry, accounts locked in one order, one function a transfer. Amounts are integers
 * instead of its numeric. Like it, it has neither keys nor holds, and nothing checks what it wrote.
 */
export async function createPlainLedger(sql: Sql, accounts: number): Promise<void> {
  await sql.unsafe(`
    create schema plain;
    create table plain.accounts (id int primary key, balance bigint not null,
      version bigint not null default 0, allow_negative boolean not null default false,
      updated_at timestamptz not null default now(), check (allow_negative or balance >= 0));
    create table plain.transfers (id uuid primary key default gen_random_uuid(),
      source int not null references plain.accounts, destination int not null references plain.accounts,
      amount bigint not null check (amount > 0), created_at timestamptz not null default now());
    create table plain.entries (id uuid primary key default gen_random_uuid(),
      transfer_id uuid not null references plain.transfers, account_id int not null references plain.accounts,
      amount bigint not null, previous_balance bigint not null, balance bigint not null,
      account_version bigint not null, created_at timestamptz not null default now());
    create index on plain.entries (account_id);
    create index on plain.entries (transfer_id);
    create function plain.transfer(source int, destination int, amount bigint) returns uuid
    language plpgsql as $$
    declare
      v_id uuid;
      v_account plain.accounts;
      v_leg record;
    begin
      perform from plain.accounts a where a.id in (source, destination) order by a.id for update;
      insert into plain.transfers (source, destination, amount)
      values (transfer.source, transfer.destination, transfer.amount) returning id into v_id;
      for v_leg in select * from (values (source, -amount), (destination, amount)) as l (id, amount) loop
        update plain.accounts a
        set balance = a.balance + v_leg.amount, version = a.version + 1, updated_at = now()
        where a.id = v_leg.id returning * into v_account;
        insert into plain.entries
          (transfer_id, account_id, amount, previous_balance, balance, account_version)
        values (v_id, v_leg.id, v_leg.amount, v_account.balance - v_leg.amount, v_account.balance,
          v_account.version);
      end loop;
      return v_id;
    end;
    $$;`);
  await sql`
    insert into plain.accounts (id, balance)
    select n, 1000000000000000 from generate_series(1, ${accounts}) n`;
}
