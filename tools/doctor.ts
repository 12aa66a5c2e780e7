// deno-lint-ignore-file no-console -- a program: what it prints is its result
/**
 * `deno task doctor` examines the project that SUPABASE_URL, SUPABASE_DB_URL and
 * SUPABASE_SECRET_KEY name and says, for each failing line, what to do. Changes nothing.
 */
import postgres from "postgres";
import { listChecks, type Project } from "./doctor/checks.ts";
import { listFunctions, repository } from "./functions.ts";

const timeoutMs = 10_000;

async function main(): Promise<number> {
  const names = ["SUPABASE_URL", "SUPABASE_DB_URL", "SUPABASE_SECRET_KEY"] as const;
  const [url, databaseUrl, secretKey] = names.map((name) => Deno.env.get(name));
  if (!url || !databaseUrl || !secretKey) {
    console.error(`Set ${names.join(", ")}; for the local platform: set -a; . .local/env; set +a`);
    return 1;
  }
  const sql = postgres(databaseUrl, { max: 1, connect_timeout: 10, onnotice: () => {} });
  try {
    return await examine({
      url: url.replace(/\/+$/, ""),
      secretKey,
      functions: await listFunctions(),
      migrations: await listMigrations(),
      query: (text, values) => sql.unsafe(text, values),
      fetch: (address, init) => fetch(address, { ...init, signal: AbortSignal.timeout(timeoutMs) }),
    });
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function listMigrations(): Promise<string[]> {
  const versions: string[] = [];
  for await (const { name } of Deno.readDir(`${repository}supabase/migrations`)) {
    const version = /^(\d+)_.*\.sql$/.exec(name)?.[1];
    if (version !== undefined) versions.push(version);
  }
  return versions.sort();
}

async function examine(project: Project): Promise<number> {
  let failures = 0;
  for (const check of listChecks(project)) {
    const advice = await check.examine(project).catch((error: unknown) =>
      error instanceof Error ? `Cannot tell: ${error.message}` : `Cannot tell: ${error}`
    );
    console.log(advice === null ? `ok    ${check.title}` : `FAIL  ${check.title}\n      ${advice}`);
    if (advice !== null) failures++;
  }
  console.log(failures === 0 ? "\nAll well." : `\n${failures} to put right, from the top.`);
  return failures === 0 ? 0 : 1;
}

Deno.exit(await main());
