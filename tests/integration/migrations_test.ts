import { strict as assert } from "node:assert";

import { createDatabase, type Sql } from "../support/database.ts";

const MIGRATIONS = new URL("../../supabase/migrations/", import.meta.url);

async function readMigrations(): Promise<string[]> {
  const names = [];
  for await (const { name } of Deno.readDir(MIGRATIONS)) names.push(name);
  return await Promise.all(
    names.sort().map((name) => Deno.readTextFile(new URL(name, MIGRATIONS))),
  );
}

/** Everything that defines the two schemas, row by row. */
async function describeSchemas(sql: Sql): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    with ours as (
      select oid, nspname from pg_namespace where nspname in ('switchyard', 'switchyard_api')
    )
    select 'column ' || c.oid::regclass || ' ' || a.attname || ' '
      || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull as line
    from pg_class c join ours on ours.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
    union all
    select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(k.oid)
    from pg_constraint k join ours on ours.oid = k.connamespace
    union all
    select 'index ' || pg_get_indexdef(c.oid)
    from pg_class c join ours on ours.oid = c.relnamespace where c.relkind = 'i'
    union all
    select 'function ' || pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '')
    from pg_proc p join ours on ours.oid = p.pronamespace where p.prokind = 'f'
    union all
    select 'trigger ' || pg_get_triggerdef(t.oid)
    from pg_trigger t join pg_class c on c.oid = t.tgrelid join ours on ours.oid = c.relnamespace
    where not t.tgisinternal
    union all
    select 'job ' || jobname || ' ' || schedule || ' ' || command from cron.job
    union all
    select 'queue ' || queue_name from pgmq.meta
    order by 1`;
  return rows.map(({ line }) => line);
}

Deno.test("migrations applied a second time change nothing", async () => {
  await using database = await createDatabase();
  const before = await describeSchemas(database.sql);
  for (const migration of await readMigrations()) {
    await database.sql.begin((transaction) => transaction.unsafe(migration));
  }
  assert.deepEqual(await describeSchemas(database.sql), before);
});

Deno.test("what the migrations grant", async (t) => {
  await using database = await createDatabase();
  const { sql } = database;

  await t.step("row level security is on for every table and queue", async () => {
    const tables = await sql`
      select c.oid::regclass::text as name from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and not c.relrowsecurity
        and (n.nspname in ('switchyard', 'switchyard_api')
          or n.nspname = 'pgmq' and c.relname ~ '^[qa]_wa_')`;
    assert.deepEqual(tables.map(({ name }) => name), []);
  });

  await t.step("anon and authenticated can run no function and read no table", async () => {
    const allowed = await sql`
      select role.name || ' ' || p.oid::regprocedure as line
      from (values ('anon'), ('authenticated')) as role (name), pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
      where n.nspname in ('switchyard', 'switchyard_api')
        and has_function_privilege(role.name, p.oid, 'execute')
      union all
      select role.name || ' ' || c.oid::regclass
      from (values ('anon'), ('authenticated')) as role (name), pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'switchyard' and c.relkind in ('r', 'v')
        and has_table_privilege(role.name, c.oid, 'select, insert, update, delete')`;
    assert.deepEqual(allowed.map(({ line }) => line), []);
  });

  await t.step("service_role runs the exposed functions and touches no table", async () => {
    const refused = await sql`
      select p.oid::regprocedure::text as name from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
      where n.nspname = 'switchyard_api' and not has_function_privilege('service_role', p.oid, 'execute')`;
    assert.deepEqual(refused.map(({ name }) => name), []);
    const tables = await sql`
      select c.oid::regclass::text as name from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'switchyard' and c.relkind = 'r'
        and has_table_privilege('service_role', c.oid, 'select, insert, update, delete')`;
    assert.deepEqual(tables.map(({ name }) => name), []);
  });

  await t.step("every function has a fixed search path and no overload", async () => {
    const loose = await sql`
      select p.oid::regprocedure::text as name from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
      where n.nspname in ('switchyard', 'switchyard_api')
        and not coalesce('search_path=""' = any (p.proconfig), false)`;
    assert.deepEqual(loose.map(({ name }) => name), []);
    const overloaded = await sql`
      select p.proname as name from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
      where n.nspname in ('switchyard', 'switchyard_api')
      group by n.nspname, p.proname having count(*) > 1`;
    assert.deepEqual(overloaded.map(({ name }) => name), []);
  });

  await t.step("every foreign key has an index that begins with its columns", async () => {
    const unindexed = await sql`
      select k.conrelid::regclass || ' ' || k.conname as name
      from pg_constraint k join pg_namespace n on n.oid = k.connamespace
      where n.nspname = 'switchyard' and k.contype = 'f' and not exists (
        select from pg_index i
        where i.indrelid = k.conrelid
            and coalesce(pg_get_expr(i.indpred, i.indrelid), '') ~ '^(\\(\\w+ IS NOT NULL\\))?$'
          and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)`;
    assert.deepEqual(unindexed.map(({ name }) => name), []);
  });

  await t.step(
    "no signature names a type of pgmq, which an upgrade would drop with it",
    async () => {
      const bound = await sql`
      select p.oid::regprocedure::text as name from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
      join pg_type t on t.oid = any (p.proargtypes::oid[] || p.prorettype || p.proallargtypes)
      join pg_namespace tn on tn.oid = t.typnamespace
      where n.nspname in ('switchyard', 'switchyard_api') and tn.nspname = 'pgmq'`;
      assert.deepEqual(bound.map(({ name }) => name), []);
    },
  );
});

Deno.test("updated_at is kept by the database whatever a statement says", async () => {
  await using database = await createDatabase();
  const { sql } = database;
  await sql`select switchyard_api.create_tenant('acme', 'Acme', '{}')`;
  await sql`update switchyard.tenants set updated_at = '2000-01-01', name = 'Acme Ltd'`;
  const [row] =
    await sql`select updated_at > now() - interval '1 minute' as is_kept from switchyard.tenants`;
  assert.equal(row!.is_kept, true);
});
