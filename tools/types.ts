// deno-lint-ignore-file no-console -- a program: what it prints is its result
/**
 * `deno task types` writes the TypeScript types of schema switchyard_api as the migrations make it;
 * with `--check` it only compares, and fails when the committed file is stale.
 */
import { repository } from "./functions.ts";
import { runSupabase } from "./run_command.ts";
import { withDatabase } from "./with_database.ts";

const path = `${repository}supabase/functions/_shared/database_types.ts`;

const generated = await withDatabase(async (databaseUrl) => {
  const args = [
    "gen",
    "types",
    "typescript",
    `--remote=${databaseUrl}?sslmode=disable`,
    "--schema=switchyard_api",
  ];
  const { code, stdout, stderr } = await runSupabase(args);
  if (code !== 0) throw new Error(`Cannot generate types: ${stderr}`);
  // The CLI may print a notice about TLS before the types.
  return await format(stdout.slice(stdout.indexOf("export type Json")));
});

async function format(source: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext=ts", "-"],
    cwd: repository,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = child.output();
  await new Blob([source]).stream().pipeTo(child.stdin);
  return new TextDecoder().decode((await output).stdout);
}

if (!Deno.args.includes("--check")) {
  await Deno.writeTextFile(path, generated);
  console.log("Wrote supabase/functions/_shared/database_types.ts");
} else if (await Deno.readTextFile(path) !== generated) {
  console.error("database_types.ts is not what the migrations make: run `deno task types`.");
  Deno.exit(1);
} else {
  console.log("database_types.ts is up to date.");
}
