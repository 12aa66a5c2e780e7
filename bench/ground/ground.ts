import postgres from "postgres";

import { applyMigrations } from "../../local/migrate.ts";
import { removePostgresFolder } from "../../local/postgres/folder.ts";
import { startPostgres } from "../../local/postgres/postgres.ts";
import { parentOf } from "./cpu.ts";

export type Sql = postgres.Sql<{ bigint: number }>;

/** A database of one run. */
export interface GroundDatabase extends AsyncDisposable {
  readonly url: string;
  /** As "postgres", which owns everything. */
  readonly sql: Sql;
}

/** A Postgres of a benchmark's own, as the local platform runs it. */
export interface Ground extends AsyncDisposable {
  /** The server's process, of which every connection's is a child. */
  readonly postgresPid: number;
  /** A fresh database with all migrations, or an empty one for whoever brings a schema. */
  createDatabase(kind: "migrated" | "empty"): Promise<GroundDatabase>;
}

const TEMPLATE = "migrated";

/** Starts Postgres on new data and a free port; for `await using`, which removes both. */
export async function startGround(): Promise<Ground> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-bench-" });
  const server = await startPostgres({ dir, port: 0, log: () => {} });
  const admin = openDatabase(server.url, 1);
  async function dispose(): Promise<void> {
    await admin.end({ timeout: 1 });
    await server.stop();
    await removePostgresFolder(dir);
    await Deno.remove(dir, { recursive: true });
  }
  try {
    await admin`create database ${admin(TEMPLATE)}`;
    await applyMigrations({ databaseUrl: at(server.url, TEMPLATE), log: () => {} });
    const [backend] = await admin`select pg_backend_pid() as pid`;
    const postgresPid = await parentOf(backend!.pid);
    return {
      postgresPid,
      createDatabase: (kind) => createDatabase(admin, server.url, kind),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function createDatabase(
  admin: Sql,
  serverUrl: string,
  kind: "migrated" | "empty",
): Promise<GroundDatabase> {
  const name = `run_${crypto.randomUUID().replaceAll("-", "")}`;
  const template = kind === "migrated" ? TEMPLATE : "template1";
  await admin`create database ${admin(name)} template ${admin(template)}`;
  const url = at(serverUrl, name);
  const sql = openDatabase(url, 4);
  return {
    url,
    sql,
    async [Symbol.asyncDispose]() {
      await sql.end({ timeout: 1 });
      await admin`drop database ${admin(name)} with (force)`;
    },
  };
}

/** Connects with so many connections at most, reading bigint as a number. */
export function openDatabase(url: string, max: number): Sql {
  return postgres(url, {
    max,
    onnotice: () => {},
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
  });
}

function at(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}
