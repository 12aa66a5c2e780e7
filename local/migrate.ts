import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";

import { ensureAuthSchema } from "./data_api/data_api.ts";
import { explainNpmFailure, isNpmFailure } from "./npm_failure.ts";

const REPOSITORY = fileURLToPath(new URL("../", import.meta.url));
const SUPABASE_CLI = "supabase@3.1.0";

/**
 * Brings a database up to supabase/migrations with the real Supabase CLI and returns the versions
 * that were missing. When none is, the CLI is not started.
 */
export async function applyMigrations(options: {
  databaseUrl: string;
  log: (line: string) => void;
  /** The folder that holds supabase/; this repository unless told. */
  project?: string;
}): Promise<{ applied: string[] }> {
  const project = options.project ?? REPOSITORY;
  const wanted = (await migrationFiles(project)).map((name) => name.split("_", 1)[0] ?? name);
  const present = await appliedVersions(options.databaseUrl);
  const pending = wanted.filter((version) => !present.has(version));
  if (pending.length === 0) return { applied: [] };
  await ensureAuthSchema(options.databaseUrl);
  await pushMigrations(project, options.databaseUrl, options.log);
  return { applied: pending };
}

/** Changes whenever a migration, or what the local platform puts under them, does. */
export async function migrationsFingerprint(): Promise<string> {
  const migrations = await migrationFiles(REPOSITORY);
  const files = [
    ...migrations.map((name) => `supabase/migrations/${name}`),
    "local/data_api/auth.sql",
  ];
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(REPOSITORY + file)));
  const bytes = new TextEncoder().encode(JSON.stringify([files, texts]));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex().slice(0, 12);
}

async function migrationFiles(project: string): Promise<string[]> {
  const files = await Array.fromAsync(Deno.readDir(join(project, "supabase/migrations")));
  return files.map(({ name }) => name).filter((name) => /^\d+_.*\.sql$/.test(name)).sort();
}

async function appliedVersions(databaseUrl: string): Promise<Set<string>> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const [table] = await sql`select to_regclass('supabase_migrations.schema_migrations') as name`;
    if (table?.name === null) return new Set();
    const rows = await sql<{ version: string }[]>`
      select version from supabase_migrations.schema_migrations`;
    return new Set(rows.map(({ version }) => version));
  } finally {
    await sql.end();
  }
}

async function pushMigrations(
  project: string,
  databaseUrl: string,
  log: (line: string) => void,
): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command("npx", {
    args: [
      ...["--yes", SUPABASE_CLI, "db", "push", "--yes", "--include-all"],
      ...[`--remote=${databaseUrl}?sslmode=disable`, "--workdir", project],
    ],
    env: { DO_NOT_TRACK: "1", SUPABASE_TELEMETRY_DISABLED: "1", NO_COLOR: "1" },
    stdin: "null",
  }).output().catch((cause) => {
    throw new Error("npx could not be started: install Node 20 or newer.", { cause });
  });
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  if (!success && isNpmFailure(said)) {
    throw new Error(explainNpmFailure("the Supabase CLI, which applies the migrations,", said));
  }
  if (!success) throw new Error(`Cannot apply the migrations: ${explain(said)}`);
  said.split("\n").filter((line) => line.startsWith("Applying")).forEach(log);
}

// From the migration that failed on; what went well before it is of no use then.
function explain(said: string): string {
  const start = said.lastIndexOf("Applying migration");
  return said.slice(Math.max(start, 0)).replace(/\nTry rerunning[^\n]*/, "").trim();
}
