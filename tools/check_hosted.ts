// deno-lint-ignore-file no-console -- a program: what it prints is its result
/**
 * `deno task check:hosted`: every function type-checks and loads under the Deno that hosted Edge
 * Functions are compatible with, so that nothing newer slips in.
 */
import { entryOf, listFunctions } from "./functions.ts";
import { loadHosted } from "./load_function.ts";
import { runHostedDeno } from "./run_command.ts";

const names = await listFunctions();
let failures = 0;

const checked = await runHostedDeno(["check", "--no-lock", ...names.map(entryOf)]);
if (checked.code !== 0) {
  failures++;
  console.error(checked.stderr);
}

for (const name of names) {
  const loaded = await loadHosted(name);
  if (loaded.code === 0) {
    console.log(`${name}: loads in ${loaded.stdout.trim()} ms`);
  } else {
    failures++;
    console.error(`${name}: does not load\n${loaded.stderr}`);
  }
}

console.log(
  failures === 0 ? "All functions run on Deno 2.1." : "Not all functions run on Deno 2.1.",
);
Deno.exit(failures === 0 ? 0 : 1);
