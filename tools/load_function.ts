import { entryOf, repository } from "./functions.ts";
import { type Finished, runCommand, runHostedDeno } from "./run_command.ts";

/** Values of the right shape and of no use anywhere: loading a function must not need the network. */
const sampleEnvironment: Record<string, string> = {
  SUPABASE_URL: "http://127.0.0.1:9",
  SUPABASE_SECRET_KEYS: '{"default":"sb_secret_sample"}',
  SUPABASE_PUBLISHABLE_KEYS: '{"default":"sb_publishable_sample"}',
  WHATSAPP_APP_SECRET: "sample-app-secret",
  WHATSAPP_VERIFY_TOKEN: "sample-verify-token",
};

const permissions = ["--allow-env", "--allow-read", "--allow-sys"];

/** Loads a function's modules in a new process of this Deno, without network. */
export function loadHere(name: string): Promise<Finished> {
  const args = ["run", "--no-prompt", "--cached-only", ...permissions, ...bootOf(name)];
  return runCommand(Deno.execPath(), args, sampleEnvironment);
}

/** Loads a function's modules in a new process of the hosted runtime's Deno, without network. */
export function loadHosted(name: string): Promise<Finished> {
  const args = ["run", "--no-prompt", "--no-lock", "--cached-only", ...permissions];
  return runHostedDeno([...args, ...bootOf(name)], sampleEnvironment);
}

function bootOf(name: string): string[] {
  return ["tools/boot.ts", `file://${repository}${entryOf(name)}`];
}
