import { fileURLToPath } from "node:url";
import postgres from "postgres";

import { groundFingerprint } from "../../local/postgres/install.ts";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
const PROGRAM = fileURLToPath(new URL("./test_server_program.ts", import.meta.url));

/**
 * The address of the Postgres that all tests of this checkout share: TEST_DATABASE_URL, else one
 * that the first to ask starts, and that stops by itself once nobody has used it for a while.
 */
export async function testServerUrl(): Promise<string> {
  const given = Deno.env.get("TEST_DATABASE_URL");
  if (given) return given;
  const dir = `${REPOSITORY}.local/tests/${await groundFingerprint()}`;
  await Deno.mkdir(dir, { recursive: true });
  return await withLock(dir, async () => {
    const running = await readAddress(dir);
    if (running && await answers(running)) return running;
    await startServer(dir);
    const started = await readAddress(dir);
    if (!started) throw new Error(`The tests' Postgres did not start: see ${dir}/server.log`);
    return started;
  });
}

/** Runs `use` while no other process or test worker is in the same place. */
export async function withLock<T>(dir: string, use: () => Promise<T>): Promise<T> {
  using file = await Deno.open(`${dir}/lock`, { create: true, write: true });
  await file.lock(true);
  try {
    return await use();
  } finally {
    await file.unlock();
  }
}

async function readAddress(dir: string): Promise<string | undefined> {
  return await Deno.readTextFile(`${dir}/address`).catch(() => undefined);
}

async function answers(url: string): Promise<boolean> {
  const sql = postgres(url, { max: 1, connect_timeout: 2 });
  try {
    await sql`select 1`;
    return true;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

// Started by a shell that ends at once, so that the server outlives the test that wanted it first.
// The program writes one line to the pipe when it is ready, or closes it when it is not.
async function startServer(dir: string): Promise<void> {
  const { stdout } = await new Deno.Command("sh", {
    args: [
      "-c",
      `mkfifo "$0/ready.$$" && { "$@" </dev/null >"$0/ready.$$" 2>"$0/server.log" & } && head -n 1 "$0/ready.$$"; rm -f "$0/ready.$$"`,
      dir,
      Deno.execPath(),
      ...["run", "-A", PROGRAM, dir],
    ],
    cwd: REPOSITORY,
    stdin: "null",
  }).output();
  if (!new TextDecoder().decode(stdout).startsWith("ready")) {
    const said = await Deno.readTextFile(`${dir}/server.log`).catch(() => "");
    throw new Error(`The tests' Postgres did not start: ${said.trim()}`);
  }
}
