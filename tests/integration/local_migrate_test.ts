import { strict as assert } from "node:assert";

import { applyMigrations } from "../../local/migrate.ts";
import { withDatabase } from "../support/database.ts";

const log = () => {};

async function withProject(
  migrations: Record<string, string>,
  use: (project: string) => Promise<void>,
): Promise<void> {
  const project = await Deno.makeTempDir();
  await Deno.mkdir(`${project}/supabase/migrations`, { recursive: true });
  for (const [name, text] of Object.entries(migrations)) {
    await Deno.writeTextFile(`${project}/supabase/migrations/${name}`, text);
  }
  try {
    await use(project);
  } finally {
    await Deno.remove(project, { recursive: true });
  }
}

Deno.test("a database that has every migration is left alone without a start of the CLI", async () => {
  await withDatabase(async ({ url, sql }) => {
    const versions = await sql`select version from supabase_migrations.schema_migrations`;
    assert.ok(versions.length > 0);
    // The CLI would refuse this folder, in which every migration that the database has is missing.
    await withProject({}, async (project) => {
      assert.deepEqual(await applyMigrations({ databaseUrl: url, log, project }), { applied: [] });
    });
  });
});

Deno.test("what is missing is applied in order", async () => {
  await withDatabase(async ({ url, sql }) => {
    await sql`drop schema supabase_migrations cascade`;
    const migrations = {
      "20260101000002_second.sql": "insert into public.steps values (2);",
      "20260101000001_first.sql": "create table public.steps (step int);",
    };
    await withProject(migrations, async (project) => {
      const said: string[] = [];
      const say = (line: string) => said.push(line);
      const { applied } = await applyMigrations({ databaseUrl: url, log: say, project });
      assert.deepEqual(applied, ["20260101000001", "20260101000002"]);
      assert.equal(said.length, 2);
      assert.deepEqual([...await sql`select step from public.steps`], [{ step: 2 }]);
    });
  });
});

Deno.test("a migration that fails is undone, and named with Postgres's own words", async () => {
  await withDatabase(async ({ url, sql }) => {
    await sql`drop schema supabase_migrations cascade`;
    const migrations = { "20260101000001_wrong.sql": "create table public.t (); select nosuch();" };
    await withProject(migrations, async (project) => {
      await assert.rejects(
        applyMigrations({ databaseUrl: url, log, project }),
        /Cannot apply the migrations: Applying migration 20260101000001_wrong.sql[^]*nosuch\(\) does not exist/,
      );
    });
    const [row] = await sql`select to_regclass('public.t') as t`;
    assert.equal(row?.t, null);
  });
});
