// deno-lint-ignore-file no-console -- a program: what it prints is its result
/** `deno task advisors`: Supabase's own advice on the migrated database; a warning is a failure. */
import { runSupabase } from "./run_command.ts";
import { withDatabase } from "./with_database.ts";

const finished = await withDatabase((databaseUrl) =>
  runSupabase(["db", "advisors", `--remote=${databaseUrl}?sslmode=disable`, "--fail-on", "warn"])
);
console.log(finished.stdout + finished.stderr);
Deno.exit(finished.code);
