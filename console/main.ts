// deno-lint-ignore-file no-console -- a program: what it prints is its result
/**
 * `deno task console` serves the operator's page of the project that SUPABASE_URL and
 * SUPABASE_SECRET_KEY name, to this machine alone, on the port that is given or a free one.
 */
import { startConsole } from "./server.ts";

async function main([port = "0"]: string[]): Promise<number> {
  const [apiUrl, secretKey] = ["SUPABASE_URL", "SUPABASE_SECRET_KEY"].map((name) =>
    Deno.env.get(name)
  );
  if (!apiUrl || !secretKey) {
    console.error(
      "Set SUPABASE_URL, SUPABASE_SECRET_KEY; for the local platform: set -a; . .local/env; set +a",
    );
    return 1;
  }
  if (!/^\d{1,5}$/.test(port)) {
    console.error(`${port} is no port: pass a number, or nothing for a free one.`);
    return 1;
  }
  try {
    const { url } = await startConsole({
      port: Number(port),
      apiUrl: apiUrl.replace(/\/+$/, ""),
      secretKey,
      tenantId: null,
      phoneUrl: null,
    });
    console.log(`The console of ${apiUrl} is at ${url}. Ctrl-C stops it.`);
  } catch (error) {
    console.error(
      `Cannot serve on port ${port}: pass another, or nothing for a free one.\n${error}`,
    );
    return 1;
  }
  return await new Promise<number>(() => {});
}

Deno.exit(await main(Deno.args));
