import { strict as assert } from "node:assert";
import type { Sql } from "./database.ts";
import { isCut } from "./wallet_lane.ts";

const MOST_DEATHS = 200;

/**
 * Runs something again and again, its connection dying one moment later each time: before and after
 * every statement that writes to one of these tables, until it comes through. Each death must have
 * left every row of them as it was. Returns how often it died.
 */
export async function dieEverywhere(
  owner: Sql,
  tables: string[],
  connect: () => Promise<Sql>,
  run: (sql: Sql) => Promise<unknown>,
): Promise<number> {
  await setTrap(owner, tables);
  const before = await readRows(owner, tables);
  for (let deaths = 0; deaths < MOST_DEATHS; deaths++) {
    await owner`update public.trap set at = ${deaths + 1}`;
    await owner`select setval('public.moment', 1, false)`;
    const sql = await connect();
    const died = await run(sql).then(() => false, onlyIfCut);
    await sql.end({ timeout: 0 });
    if (!died) {
      assert.notEqual(await readRows(owner, tables), before);
      return deaths;
    }
    assert.equal(await readRows(owner, tables), before);
  }
  throw new Error(`It died ${MOST_DEATHS} times and has no end`);
}

async function setTrap(owner: Sql, tables: string[]): Promise<void> {
  await owner.unsafe(`
    create sequence public.moment;
    create table public.trap (at bigint not null);
    insert into public.trap values (0);
    create function public.spring() returns trigger language plpgsql security definer as $$
    begin
      if nextval('public.moment') = (select at from public.trap) then
        perform pg_terminate_backend(pg_backend_pid());
        perform pg_sleep(60);
      end if;
      return null;
    end;
    $$;`);
  for (const table of tables) {
    await owner.unsafe(`
      create trigger aaa_trap before insert or update on switchyard.${table}
        for each statement execute function public.spring();
      create trigger zzz_trap after insert or update on switchyard.${table}
        for each statement execute function public.spring();`);
  }
}

async function readRows(owner: Sql, tables: string[]): Promise<string> {
  const rows = await Promise.all(
    tables.map((table) => owner`select t::text as row from ${owner(`switchyard.${table}`)} t`),
  );
  return JSON.stringify(rows.map((of) => of.map(({ row }) => row).sort()));
}

function onlyIfCut(error: { code?: string }): true {
  if (!isCut(error)) throw error;
  return true;
}
