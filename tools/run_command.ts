import { repository } from "./functions.ts";

/** What a finished program left. */
export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program in the repository to its end and returns what it printed, whatever its code. */
export async function runCommand(
  command: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<Finished> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    env,
    cwd: repository,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** The Supabase CLI of the version that the project is checked with, run through npx. */
export function runSupabase(args: string[]): Promise<Finished> {
  return runCommand("npx", ["--yes", "supabase@3.1.0", ...args], { SUPABASE_YES: "true" });
}

/**
 * Deno of the version that hosted Edge Functions are compatible with. It cannot read the lock file
 * of newer versions, so callers pass `--no-lock` where it would look for one.
 */
export async function runHostedDeno(
  args: string[],
  env: Record<string, string> = {},
): Promise<Finished> {
  return await runCommand("npx", ["--yes", "deno@2.1.14", ...args], {
    ...(await hasSystemCertificates() ? { DENO_TLS_CA_STORE: "system,mozilla" } : {}),
    ...env,
  });
}

// Unlike newer ones it trusts its own certificates alone unless told to use the system's too, and
// gives up where it is told so and the system has none.
async function hasSystemCertificates(): Promise<boolean> {
  const paths = [
    Deno.env.get("SSL_CERT_FILE"),
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
  ];
  for (const path of paths) {
    if (path !== undefined && await Deno.stat(path).then(() => true, () => false)) return true;
  }
  return false;
}
