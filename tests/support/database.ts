import postgres from "postgres";

import { forgiveLostSockets } from "../../local/lost_sockets.ts";
import { applyMigrations, migrationsFingerprint } from "../../local/migrate.ts";
import { testServerUrl } from "./test_server.ts";

// A database is dropped under whatever still has a connection to it.
forgiveLostSockets();

export type Sql = postgres.Sql<{ bigint: number }>;

/** A database of a test's own, with all migrations, on a real Postgres. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  /** A pool that runs queries as "postgres", which owns everything and passes row level security. */
  readonly sql: Sql;
  /** One more connection, whose queries run one after the other: for races between two of them. */
  connect(): Sql;
}

/** Runs `use` on a fresh database and drops it, whatever happens. */
export async function withDatabase<T>(use: (database: TestDatabase) => Promise<T>): Promise<T> {
  await using database = await createDatabase();
  return await use(database);
}

/** Makes a fresh database from the template; for `await using`, which drops it. */
export async function createDatabase(): Promise<TestDatabase> {
  const server = await testServerUrl();
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  await administer(server, async (sql) => {
    const template = await ensureTemplate(sql, server);
    await sql`create database ${sql(name)} template ${sql(template)}`;
  });
  const url = addressOf(server, name);
  const clients: Sql[] = [];
  const open = (max: number) => {
    const sql = openPool(url, max);
    clients.push(sql);
    return sql;
  };
  return {
    url,
    sql: open(4),
    connect: () => open(1),
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((sql) => sql.end({ timeout: 1 })));
      await administer(server, (sql) => sql`drop database ${sql(name)} with (force)`);
    },
  };
}

/** The database that all others are copied from, for one version of the migrations. */
export function templateName(fingerprint: string): string {
  return `template_${fingerprint}`;
}

// Built once for every version of the migrations, whoever comes first. The lock ends with the
// connection.
async function ensureTemplate(sql: Sql, server: string): Promise<string> {
  const template = templateName(await migrationsFingerprint());
  if (await exists(sql, template)) return template;
  await sql`select pg_advisory_lock(hashtext('switchyard test template'))`;
  if (await exists(sql, template)) return template;
  const draft = `${template}_draft`;
  await sql`drop database if exists ${sql(draft)} with (force)`;
  await sql`create database ${sql(draft)}`;
  await applyMigrations({ databaseUrl: addressOf(server, draft), log: () => {} });
  await sql`alter database ${sql(draft)} rename to ${sql(template)}`;
  return template;
}

async function exists(sql: Sql, name: string): Promise<boolean> {
  return (await sql`select from pg_database where datname = ${name}`).length > 0;
}

async function administer(server: string, use: (sql: Sql) => Promise<unknown>): Promise<void> {
  const sql = openPool(server, 1);
  try {
    await use(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function openPool(url: string, max: number): Sql {
  return postgres(url, {
    max,
    onnotice: () => {},
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
  });
}

function addressOf(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
