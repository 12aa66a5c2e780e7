// deno-lint-ignore-file no-console -- a program: what it prints is its result
/** Keeps Postgres running for the tests of a checkout, until nobody has been connected for 10 s. */
import { basename, dirname, join } from "node:path";
import postgres from "postgres";

import { migrationsFingerprint } from "../../local/migrate.ts";
import { startPostgres } from "../../local/postgres/postgres.ts";
import { removePostgresFolder } from "../../local/postgres/folder.ts";
import { templateName } from "./database.ts";
import { withLock } from "./test_server.ts";

const IDLE_CHECK_MS = 1_000;
const IDLE_CHECKS = 10;

const [dir = ""] = Deno.args;
const address = join(dir, "address");
const server = await startPostgres({
  dir,
  port: 0,
  log: () => {},
  // Test databases are not worth a disk's time.
  settings: { fsync: "off", synchronous_commit: "off", full_page_writes: "off" },
});
const sql = postgres(server.url, { max: 1, onnotice: () => {} });
await dropLeftovers();
await removeAbandoned(dirname(dir));
await Deno.writeTextFile(address, server.url);
console.log("ready");

for (let idle = 0; idle < IDLE_CHECKS;) {
  await new Promise((resolve) => setTimeout(resolve, IDLE_CHECK_MS));
  idle = await isIdle() ? idle + 1 : 0;
  if (idle === IDLE_CHECKS) await withLock(dir, stopIfIdle);
}

async function stopIfIdle() {
  if (!await isIdle()) return;
  await Deno.remove(address);
  await sql.end();
  await server.stop();
  Deno.exit(0);
}

async function isIdle(): Promise<boolean> {
  const [row] = await sql`
    select count(*)::int as others from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid()`;
  return row?.others === 0;
}

// Of runs that were killed; templates of other versions of the migrations go too.
async function dropLeftovers(): Promise<void> {
  const kept = templateName(await migrationsFingerprint());
  const rows = await sql<{ name: string }[]>`
    select datname as name from pg_database
    where (starts_with(datname, 'test_') or starts_with(datname, 'template_')) and datname <> ${kept}`;
  for (const { name } of rows) await sql`drop database ${sql(name)} with (force)`;
}

// Servers of an earlier roles.sql or extension, unless they still run.
async function removeAbandoned(parent: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(parent)) {
    if (!isDirectory || name === basename(dir)) continue;
    const other = join(parent, name);
    await withLock(other, async () => {
      if (await Deno.stat(join(other, "address")).then(() => true, () => false)) return;
      await removePostgresFolder(other);
      await Deno.remove(other, { recursive: true });
    });
  }
}
