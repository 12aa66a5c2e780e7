import postgres from "postgres";

import { applyMigrations } from "../local/migrate.ts";
import { startPostgres } from "../local/postgres/postgres.ts";
import { removePostgresFolder } from "../local/postgres/folder.ts";
import { parentOf } from "./ground/cpu.ts";

export type Sql = postgres.Sql<{ bigint: number }>;

/** A migrated database on a Postgres of its own, which flushes what it commits. */
export interface WalletGround extends AsyncDisposable {
  /** Of the Postgres that all its other processes belong to. */
  readonly pid: number;
  /** Connections as "postgres", so many at most; whoever opens them ends them. */
  connect(max: number): Sql;
}

/** Starts Postgres on new data and a free port; for `await using`, which removes both. */
export async function startWalletGround(): Promise<WalletGround> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-bench-" });
  const server = await startPostgres({ dir, port: 0, log: () => {} });
  await applyMigrations({ databaseUrl: server.url, log: () => {} });
  return {
    pid: await postmasterOf(server.url),
    connect: (max) =>
      postgres(server.url, {
        max,
        onnotice: () => {},
        types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
      }),
    async [Symbol.asyncDispose]() {
      await server.stop();
      await removePostgresFolder(dir);
      await Deno.remove(dir, { recursive: true });
    },
  };
}

async function postmasterOf(url: string): Promise<number> {
  const sql = postgres(url, { max: 1 });
  const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
  const pid = await parentOf(row!.pid);
  await sql.end();
  return pid;
}
